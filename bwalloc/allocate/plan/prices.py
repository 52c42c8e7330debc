"""What capacity is worth: the prices of a plan, link by link, in USD per Gbit/s and hour.

By the envelope theorem, the change of the bound with a capacity is the price of that capacity,
where the prices are the best ones (Milgrom & Segal, Econometrica 70, 2002). Programmes of a few
intervals each misjudge work that waits across their edges, so these look further than they are
used, on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.plan.bound import link_worth, value_usd
from bwalloc.allocate.plan.horizon import clock_of, refusal_usd_per_gbit, units_of
from bwalloc.allocate.plan.model import ChunkPlan
from bwalloc.allocate.plan.rates import chunk_size, plan_chunks
from bwalloc.allocate.stall.dual import stalling_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float

    from bwalloc.allocate.plan.horizon import Units
    from bwalloc.scenario import Scenario, World

USED, AROUND = 6, 1
"""Intervals of a programme that are used, and that it looks further on each side."""


@dataclass(frozen=True, slots=True)
class Valuation:
    """Worth of the capacities of one episode.

    Attributes:
        usd_per_gbps_h: shadow price of each link, (links,).
        gross_usd_per_h: bound on what the network earns, the bill left out.
    """

    usd_per_gbps_h: Float[np.ndarray, " links"]
    gross_usd_per_h: float


def valuation_of(scenario: Scenario, world: World) -> Valuation:
    """Shadow prices of an episode; spans that are sold stand at their first tier throughout."""
    standing = standing_world(scenario, world)
    prices = best_prices(scenario, standing)
    hours = scenario.timing.counted_h
    whole = link_worth(scenario, world, prices).sum(1)  # linear in capacity, whatever stands
    return Valuation(
        whole / np.maximum(scenario.network.links.capacity_gbps, TINY) / hours,
        value_usd(scenario, standing, prices) / hours,
    )


def standing_world(scenario: Scenario, world: World) -> World:
    """The world in which nothing is ordered: its links are as wide as the first tiers."""
    offers = scenario.network.offers
    if offers is None:
        return world
    first = offers.share[np.arange(len(offers.span)), offers.first]
    share = np.append(first, 1.0)[offers.links_of(scenario.network.links)]
    outages = world.outages
    if outages is not None:
        start, known = outages.start_gbps * share, outages.known_gbps * share
        outages = replace(outages, start_gbps=start, known_gbps=known)
    return replace(world, capacity_gbps=world.capacity_gbps * share, outages=outages)


def best_prices(scenario: Scenario, world: World) -> Float[np.ndarray, "pools substeps"]:
    """Prices of pools, USD per Gbit, from programmes that overlap."""
    units, clock = units_of(scenario, world), clock_of(scenario)
    if stalling_groups(scenario, world, units):
        return plan_chunks(scenario, world).prices  # which looks ahead by itself
    refusal = refusal_usd_per_gbit(scenario, units, clock)
    substeps, parts = scenario.timing.substeps, list[np.ndarray]()
    for first, stop, before, after in _programmes(scenario, units):
        plan = ChunkPlan(scenario, world, units, clock, (before, after), refusal)
        parts.append(plan.prices[:, (first - before) * substeps : (stop - before) * substeps])
    return np.concatenate(parts, 1)


def _programmes(scenario: Scenario, units: Units) -> Iterator[tuple[int, int, int, int]]:
    """First and last interval used of each programme, and those it looks at."""
    timing, used, around = scenario.timing, USED, AROUND
    if int((units.end - units.start).max(initial=0)) > timing.substeps:
        size = chunk_size(scenario, units)
        around = 0 if size >= timing.intervals else max(AROUND, size // 4)
        used = max(1, size - 2 * around)
    for first in range(0, timing.intervals, used):
        stop = min(first + used, timing.intervals)
        yield first, stop, max(first - around, 0), min(stop + around, timing.intervals)


TINY = 1e-12
