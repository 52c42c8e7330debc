"""Which tiers to order when the future is known, and the bound that no orders exceed.

A linear programme that buys capacity interval by interval, at the mean price between the smallest
and the largest tier, gives prices for the bound and tells when work that may wait should be served.
Then every span takes its best path of tiers beside those of the others (`tier_search`), and rates
are planned on those tiers; work that may wait moves with them, and the paths are looked for again.
The paths are exact for one span with work that cannot wait, else a heuristic; what is claimed of
them is what they earn in the simulator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.plan.bound import bound_usd_per_h, value_usd
from bwalloc.allocate.plan.model import Elastic
from bwalloc.allocate.plan.rates import Chunks, plan_chunks
from bwalloc.allocate.plan.tier_search import search_tiers

if TYPE_CHECKING:
    from bwalloc.allocate.orders.tier_plan import TierPath
    from bwalloc.scenario import Scenario, World

ROUNDS = 2


@dataclass(frozen=True, slots=True)
class TierPlan:
    """The best orders found, the plan on them, and the best bound.

    `inside` is the world whose capacities are those of the tiers; `orders` are places in the menus,
    -1 for no order, int16 (intervals, offered).
    """

    inside: World
    chunks: Chunks
    orders: np.ndarray
    bound_usd_per_h: float


def plan_tiers(scenario: Scenario, world: World, chunk_intervals: int | None = None) -> TierPlan:
    """Search orders and prices in turn.

    Args:
        scenario: one with offers.
        world: the episode.
        chunk_intervals: see `plan_chunks`.
    """
    chunks = plan_chunks(scenario, world, chunk_intervals, _elastic(scenario, world))
    bound = bound_usd_per_h(scenario, world, chunks.prices)
    best, found = -np.inf, list[TierPlan]()
    tried = set[bytes]()
    for _ in range(ROUNDS):
        paths = _served_paths(scenario, world, chunks.carried_gbit)
        orders = np.stack([path.orders for path in paths], 1)
        if orders.tobytes() in tried:
            break
        tried.add(orders.tobytes())
        inside = _in_tiers(scenario, world, paths)
        chunks = plan_chunks(scenario, inside, chunk_intervals)
        bound = min(bound, bound_usd_per_h(scenario, world, chunks.prices))
        value = value_usd(scenario, inside, chunks.prices) - sum(p.bill_usd for p in paths)
        if value > best:
            best, found = value, [TierPlan(inside, chunks, orders, bound)]
    return replace(found[0], bound_usd_per_h=bound)


def _served_paths(scenario: Scenario, world: World, carried_gbit: np.ndarray) -> list[TierPath]:
    """Paths for what may wait when it was carried by the plan before, the rest when it arrives."""
    timing = scenario.timing
    gbit = world.arrivals_gbit.reshape(timing.intervals * timing.substeps, -1).T
    waits = scenario.network.demands.deadline_s > timing.substep_s
    gbit = np.where(waits[:, None], carried_gbit.sum(1), gbit.astype(np.float64))
    return search_tiers(scenario, world, gbit)


def _elastic(scenario: Scenario, world: World) -> Elastic:
    """Capacity by the minute at the mean price between the smallest and the largest tier."""
    offers, links = scenario.network.offers, scenario.network.links
    assert offers is not None
    assert world.fates is not None
    least = offers.share[:, 0]
    rows, last = np.arange(len(least)), offers.is_sold.sum(1) - 1
    usd = offers.usd_per_h[rows, last] - offers.usd_per_h[:, 0]
    usd = usd / np.maximum(1.0 - least, 1e-9) * world.fates.price_factor
    return Elastic(offers.links_of(links), least, usd * scenario.timing.interval_s / 3600.0)


def _in_tiers(scenario: Scenario, world: World, paths: list[TierPath]) -> World:
    """The world whose links are as wide as the tiers of the paths."""
    offers, links = scenario.network.offers, scenario.network.links
    assert offers is not None
    share = np.stack([offers.share[row, path.tiers] for row, path in enumerate(paths)], 1)
    share = np.concatenate([share, np.ones_like(share[:, :1])], 1)[:, offers.links_of(links)]
    outages = world.outages
    if outages is not None:
        outages = replace(
            outages,
            start_gbps=outages.start_gbps * share[0],
            known_gbps=outages.known_gbps * share,
        )
    return replace(world, capacity_gbps=world.capacity_gbps * share, outages=outages)
