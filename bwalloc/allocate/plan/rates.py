"""From an episode whose future is known to rates: linear programmes of a few intervals each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.plan.horizon import SHRINK, clock_of, refusal_usd_per_gbit, units_of
from bwalloc.allocate.plan.model import ChunkPlan
from bwalloc.allocate.stall.dual import stalling_groups
from bwalloc.allocate.stall.plan import stall_chunks
from bwalloc.allocate.stall.rates import stall_rates, stalling_members
from bwalloc.allocate.stall.short_work import patient_demands, rest_of
from bwalloc.scenario.outages import known_gbps

if TYPE_CHECKING:
    from bwalloc.allocate.plan.horizon import Units
    from bwalloc.allocate.plan.model import Elastic
    from bwalloc.scenario import Scenario, World


@dataclass(frozen=True, slots=True)
class Chunks:
    """The plans of all chunks of an episode, one after another.

    Attributes:
        prices: USD per Gbit, (pools, substeps).
        carried_gbit: by demand, tunnel and substep.
        meter_gbps: rate of each meter by interval; infinite for shared pools.
    """

    prices: np.ndarray
    carried_gbit: np.ndarray
    meter_gbps: np.ndarray


def plan_chunks(
    scenario: Scenario,
    world: World,
    chunk_intervals: int | None = None,
    elastic: Elastic | None = None,
) -> Chunks:
    """Solve chunk by chunk.

    Args:
        scenario: the environment.
        world: the episode.
        chunk_intervals: intervals per LP; by default a few, and where work waits for long as many
            as `MOST_COLUMNS` allow: work that waits across an edge makes the bound looser.
        elastic: what may be bought on top of the smallest tiers; None takes capacities as given.
    """
    units, clock = units_of(scenario, world), clock_of(scenario)
    refusal = refusal_usd_per_gbit(scenario, units, clock)
    groups = stalling_groups(scenario, world, units)
    if groups:
        return Chunks(*stall_chunks(scenario, world, units, clock, refusal, groups, elastic))
    intervals = scenario.timing.intervals
    size = chunk_intervals or chunk_size(scenario, units)
    parts = [
        ChunkPlan(
            scenario, world, units, clock, (first, min(first + size, intervals)), refusal, elastic
        )
        for first in range(0, intervals, size)
    ]
    return Chunks(
        np.concatenate([part.prices for part in parts], 1),
        np.concatenate([part.carried_gbit for part in parts], 2),
        np.concatenate([part.meter_gbps for part in parts], 1),
    )


def planned_rates(scenario: Scenario, world: World, chunks: Chunks) -> np.ndarray:
    """Rates that let the network carry the plan, float32 (intervals, demands, tunnels)."""
    members = stalling_members(scenario, world)
    if members.size:
        rates = stall_rates(scenario, world, chunks, members)
        rates = _short_work_again(scenario, world, members, rates)
        return _filled(scenario, rates, world, scenario.timing.warmup_intervals)
    rates = _guarantees(scenario, chunks.carried_gbit, chunks.meter_gbps)
    return _filled(scenario, rates, world)


def _short_work_again(
    scenario: Scenario, world: World, members: np.ndarray, rates: np.ndarray
) -> np.ndarray:
    """`rates` in which work that cannot outlive an interval is planned substep by substep."""
    kept = patient_demands(scenario, world, members)
    if kept.all():
        return rates
    alone, left = rest_of(scenario, world, kept, rates)
    short = plan_chunks(alone, left, CHUNK)
    again = _guarantees(alone, short.carried_gbit, short.meter_gbps).reshape(rates.shape)
    return np.where(np.repeat(kept, scenario.network.n_tunnels)[:, None], rates, again)


def chunk_size(scenario: Scenario, units: Units) -> int:
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
    by_substep = np.maximum(carried.reshape(shape), 0.0) / timing.substep_s  # HiGHS rounds below 0
    meters = np.maximum(meters, 0.0)
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


def _filled(scenario: Scenario, rates: np.ndarray, world: World, first: int = 0) -> np.ndarray:
    """Rates scaled until a link of each tunnel is full; (intervals, demands, tunnels).

    Full is what telemetry before the interval lets count on: no decision may ask for more. Before
    interval `first` rates are never raised: a plan may want to wait for what counts.
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
        factor = np.minimum(ratio[hops].min(1), MOST)
        factor[:, :first] = np.minimum(factor[:, :first], 1.0)
        flat = flat * factor
    return flat.T.reshape(flat.shape[1], *network.tunnels.exists.shape).astype(np.float32)


CHUNK = 3
MOST_COLUMNS = 60_000
"""Of an LP whose work waits for long: HiGHS takes 1 to 30 s for it."""
TINY = 1e-9
FILL_ROUNDS = 3
MOST = 1e3
"""Largest factor by which one round scales a rate up."""
