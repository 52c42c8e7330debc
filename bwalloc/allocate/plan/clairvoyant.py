"""`clairvoyant`: the plan with the whole future known, executed in the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.plan.bound import bound_usd_per_h
from bwalloc.allocate.plan.rates import plan_chunks, planned_rates
from bwalloc.allocate.plan.tiers import plan_tiers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bwalloc.network import Network
    from bwalloc.observe import Readings
    from bwalloc.scenario import Scenario, World


@dataclass(frozen=True, slots=True)
class Plan:
    """Rates of every interval, (intervals, demands, tunnels), and the bound of the episode.

    `orders` are places in the menus, -1 for no order, (intervals, offered); None without offers.
    """

    rates_gbps: np.ndarray
    bound_usd_per_h: float
    orders: np.ndarray | None = None


def plan_episode(scenario: Scenario, world: World, chunk_intervals: int | None = None) -> Plan:
    """Plan an episode chunk by chunk, and prove its bound with the prices of the plan.

    Args:
        scenario: the environment.
        world: the episode.
        chunk_intervals: see `plan_chunks`.
    """
    if scenario.network.offers is not None:
        found = plan_tiers(scenario, world, chunk_intervals)
        rates = planned_rates(scenario, found.inside, found.chunks)
        return Plan(rates, found.bound_usd_per_h, found.orders)
    chunks = plan_chunks(scenario, world, chunk_intervals)
    rates = planned_rates(scenario, world, chunks)
    return Plan(rates, bound_usd_per_h(scenario, world, chunks.prices))


class ClairvoyantRule:
    """Plays plans, one per column; knows what no controller can know."""

    def __init__(self, plans: Sequence[Plan], network: Network | None = None) -> None:
        """Stack the plans of the episodes, in their order; the floors of `network` come first."""
        self.rates = np.stack([plan.rates_gbps for plan in plans], -1)
        has_floors = network is not None and network.demands.floor_gbps.any()
        self.orders = [plan.orders for plan in plans]
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

    def order(self, readings: Readings) -> np.ndarray:
        """The planned orders beside those rates."""
        batch, now = readings.offered_gbps.shape[1], self.interval - 1
        nothing = np.full(readings.tier_gbps.shape[0], -1)
        mine = self.orders[:batch]
        return np.stack([nothing if o is None else o[now] for o in mine], 1).astype(np.int64)


LEAST_WEIGHT = np.float32(1e-3)
