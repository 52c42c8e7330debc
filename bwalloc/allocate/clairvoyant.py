"""`clairvoyant`: the plan with the whole future known, executed in the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.bound import bound_usd_per_h
from bwalloc.allocate.horizon import clock_of, refusal_usd_per_gbit, units_of
from bwalloc.allocate.plan_model import ChunkPlan

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        chunk_intervals: intervals per LP; by default a few, or all where work waits for long.
    """
    units, clock = units_of(scenario, world), clock_of(scenario)
    refusal = refusal_usd_per_gbit(scenario, units, clock)
    intervals = scenario.timing.intervals
    long_windows = int((units.end - units.start).max(initial=0)) > scenario.timing.substeps
    size = chunk_intervals or (intervals if long_windows else CHUNK)
    prices, carried, meters = [], [], []
    for first in range(0, intervals, size):
        chunk = (first, min(first + size, intervals))
        plan = ChunkPlan(scenario, world, units, clock, chunk, refusal)
        prices.append(plan.prices)
        carried.append(plan.carried_gbit)
        meters.append(plan.meter_gbps)
    carried = _split_by_meter(scenario, np.concatenate(carried, 1), np.concatenate(meters, 1))
    rates = _rates(scenario, carried, world)
    return Plan(rates, bound_usd_per_h(scenario, world, np.concatenate(prices, 1)))


def _split_by_meter(scenario: Scenario, carried: np.ndarray, meters: np.ndarray) -> np.ndarray:
    """Planned work of each demand, split over its tunnels like the rates of their meters.

    The LP does not care which of two meters carries which class; the network does, because work
    is split in fixed proportion and bursts need the room of both.
    """
    network = scenario.network
    padded = np.concatenate([meters, np.full_like(meters[:1], np.inf)])
    width = padded[network.pools().hops].min(1).reshape(*network.tunnels.exists.shape, -1)
    width = np.where(network.tunnels.exists[:, :, None], width, 0.0)
    by_tunnel = carried.reshape(width.shape)
    total = by_tunnel.sum(1, keepdims=True)
    metered = np.isfinite(width).all(1, keepdims=True) & (width.sum(1, keepdims=True) > TINY)
    safe = np.where(metered, width, 1.0)
    split = np.where(metered, total * safe / safe.sum(1, keepdims=True), by_tunnel)
    return split.reshape(carried.shape)


def _rates(scenario: Scenario, carried_gbit: np.ndarray, world: World) -> np.ndarray:
    """Rates in proportion to the planned work, scaled up until a link of each tunnel is full."""
    network = scenario.network
    capacity = world.capacity_gbps.astype(np.float64).T * SHRINK
    rates = carried_gbit / scenario.timing.interval_s
    hops = network.flat_hops
    for _ in range(FILL_ROUNDS):
        load = np.zeros((network.n_links + 1, rates.shape[1]))
        for hop in range(hops.shape[1]):
            np.add.at(load, hops[:, hop], rates)
        ratio = np.ones_like(load)
        ratio[:-1] = capacity / np.maximum(load[:-1], 1e-9)
        ratio[-1] = np.inf
        rates = rates * np.minimum(ratio[hops].min(1), MOST)
    shape = (rates.shape[1], *network.tunnels.exists.shape)
    return rates.T.reshape(shape).astype(np.float32)


class ClairvoyantRule:
    """Plays plans, one per column; knows what no controller can know."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        """Stack the plans of the episodes, in their order."""
        self.rates = np.stack([plan.rates_gbps for plan in plans], -1)
        self.interval = 0

    def reset(self, batch: int) -> None:
        """Start over; `batch` 1 plays the first plan alone."""
        self.interval = 0
        self.batch = batch

    def decide(self, readings: Readings) -> np.ndarray:
        """The planned rates of the next interval."""
        rates = self.rates[self.interval, :, :, : readings.offered_gbps.shape[1]]
        self.interval += 1
        return np.ascontiguousarray(rates)


CHUNK = 3
TINY = 1e-9
FILL_ROUNDS = 3
MOST = 1e3
"""Largest factor by which one round scales a rate up."""
