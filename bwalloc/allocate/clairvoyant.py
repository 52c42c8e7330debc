"""`clairvoyant`: the plan with the whole future known, executed in the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.bound import bound_usd_per_h
from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.horizon import clock_of, refusal_usd_per_gbit, units_of
from bwalloc.allocate.plan_model import ChunkPlan
from bwalloc.scenario.outages import known_gbps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bwalloc.allocate.horizon import Units
    from bwalloc.network import Network
    from bwalloc.observe import Readings
    from bwalloc.scenario import Scenario, World

SHRINK = 1.0 - 1e-6


@dataclass(frozen=True, slots=True)
class Plan:
    """Rates of every interval, (intervals, demands, tunnels), and the bound of the episode."""

    rates_gbps: np.ndarray
    bound_usd_per_h: float


def plan_episode(scenario: Scenario, world: World, chunk_intervals: int | None = None) -> Plan:
    """Plan an episode chunk by chunk, and prove its bound with the prices of the plan.

    Args:
        scenario: the environment.
        world: the episode.
        chunk_intervals: intervals per LP; by default a few, and where work waits for long as many
            as `MOST_COLUMNS` allow: work that waits across an edge makes the bound looser.
    """
    units, clock = units_of(scenario, world), clock_of(scenario)
    refusal = refusal_usd_per_gbit(scenario, units, clock)
    intervals = scenario.timing.intervals
    size = chunk_intervals or _chunk_size(scenario, units)
    prices, carried, meters = [], [], []
    for first in range(0, intervals, size):
        chunk = (first, min(first + size, intervals))
        plan = ChunkPlan(scenario, world, units, clock, chunk, refusal)
        prices.append(plan.prices)
        carried.append(plan.carried_gbit)
        meters.append(plan.meter_gbps)
    rates = _guarantees(scenario, np.concatenate(carried, 2), np.concatenate(meters, 1))
    rates = _filled(scenario, rates, world)
    return Plan(rates, bound_usd_per_h(scenario, world, np.concatenate(prices, 1)))


def _chunk_size(scenario: Scenario, units: Units) -> int:
    """Intervals per LP: `CHUNK`, doubled while work waits for longer and the LP stays small."""
    timing = scenario.timing
    waits = int((units.end - units.start).max(initial=0)) > timing.substeps
    size = CHUNK
    while waits and size < timing.intervals:
        width = min(2 * size, timing.intervals) * timing.substeps
        chunk = units.start // width
        served = np.minimum(units.end, (chunk + 1) * width - 1) - units.start + 1
        columns = np.bincount(chunk, served).max(initial=0) * scenario.network.n_tunnels
        if columns > MOST_COLUMNS:
            break
        size *= 2
    return min(size, timing.intervals)


def _guarantees(scenario: Scenario, carried: np.ndarray, meters: np.ndarray) -> np.ndarray:
    """Rates by interval that let the network carry the planned work, (demands, tunnels, intervals).

    Each demand is guaranteed its highest planned substep. The LP does not care which of two meters
    carries which class; the network does, since work is split in fixed proportion: so wants are
    split like the rates of the meters. Inside a meter the dearer demands come first, and what
    they leave unused in a substep is borrowed.
    """
    network, timing = scenario.network, scenario.timing
    shape = (*network.tunnels.exists.shape, timing.intervals, timing.substeps)
    by_substep = carried.reshape(shape) / timing.substep_s
    padded = np.concatenate([meters, np.full_like(meters[:1], np.inf)])
    hops = network.pools().hops
    width = padded[hops].min(1).reshape(shape[:3])
    width = np.where(network.tunnels.exists[:, :, None], width, 0.0)
    metered = np.isfinite(width).all(1) & (width.sum(1) > TINY)
    safe = np.where(metered[:, None], width, 1.0)
    peak = by_substep.sum(1).max(2)[:, None] * safe / safe.sum(1, keepdims=True)
    rates = np.where(metered[:, None], peak, by_substep.max(3))
    return _dearest_first(scenario, rates.reshape(len(hops), -1), meters).reshape(shape[:3])


def _dearest_first(scenario: Scenario, rates: np.ndarray, meters: np.ndarray) -> np.ndarray:
    """Cut the rates of each meter to what it has, the dearest demands last."""
    network = scenario.network
    value = np.repeat(network.law.value_usd_per_gbit[:, 0], network.n_tunnels)
    hops, shared = network.pools().hops, network.pools().is_shared
    for meter in np.flatnonzero(~shared):
        rows = np.flatnonzero((hops == meter).any(1))
        rows = rows[np.argsort(-value[rows], kind="stable")]
        before = np.cumsum(rates[rows], 0) - rates[rows]
        rates[rows] = np.clip(meters[meter] - before, 0.0, rates[rows])
    return rates


def _filled(scenario: Scenario, rates: np.ndarray, world: World) -> np.ndarray:
    """Rates scaled until a link of each tunnel is full; (intervals, demands, tunnels).

    Full is what telemetry before the interval lets count on: no decision may ask for more.
    """
    network = scenario.network
    capacity = known_gbps(world).astype(np.float64).T * SHRINK
    hops = network.flat_hops
    flat = rates.reshape(len(hops), -1)
    for _ in range(FILL_ROUNDS):
        load = np.zeros((network.n_links + 1, flat.shape[1]))
        for hop in range(hops.shape[1]):
            np.add.at(load, hops[:, hop], flat)
        ratio = np.full_like(load, np.inf)
        ratio[:-1] = capacity / np.maximum(load[:-1], TINY)
        flat = flat * np.minimum(ratio[hops].min(1), MOST)
    return flat.T.reshape(flat.shape[1], *network.tunnels.exists.shape).astype(np.float32)


class ClairvoyantRule:
    """Plays plans, one per column; knows what no controller can know."""

    def __init__(self, plans: Sequence[Plan], network: Network | None = None) -> None:
        """Stack the plans of the episodes, in their order; the floors of `network` come first."""
        self.rates = np.stack([plan.rates_gbps for plan in plans], -1)
        has_floors = network is not None and network.demands.floor_gbps.any()
        self.decoder = Decoder(network) if network is not None and has_floors else None
        self.interval = 0

    def reset(self, batch: int) -> None:
        """Start over; `batch` 1 plays the first plan alone."""
        self.interval = 0
        self.batch = batch

    def decide(self, readings: Readings) -> np.ndarray:
        """The planned rates of the next interval."""
        planned = self.rates[self.interval, :, :, : readings.offered_gbps.shape[1]]
        rates = np.ascontiguousarray(planned)
        self.interval += 1
        if self.decoder is None:
            return rates
        want = rates.sum(1)
        return self.decoder(Ask(want, want + LEAST_WEIGHT, rates, want), readings.capacity_gbps)


CHUNK = 3
MOST_COLUMNS = 60_000
"""Of an LP whose work waits for long: HiGHS takes 1 to 30 s for it."""
TINY = 1e-9
LEAST_WEIGHT = np.float32(1e-3)
FILL_ROUNDS = 3
MOST = 1e3
"""Largest factor by which one round scales a rate up."""
