"""Tiers of all spans together, when the load of every substep is known.

Spans are coupled: work crosses several of them, and may take another tunnel. So each span in turn
takes its best path of tiers (`tier_plan`) given those of the others, where the load is served
dearest demands first, each over its cheapest tunnel first. Spans whose path is not known yet count
as wide, and their price per Gbit is taken off the worth of what crosses them: a port beyond a full
one is else worth nothing, and neither is ever widened. Coordinate ascent from two starts, the
better one counts: a heuristic.
Ref: Bertsekas, Nonlinear Programming, sec. 3.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.orders.span_load import unit_usd_per_gbps_h
from bwalloc.allocate.orders.tier_plan import TierPlanner
from bwalloc.allocate.plan.horizon import clock_of
from bwalloc.scenario.outages import room_gbit

if TYPE_CHECKING:
    from bwalloc.allocate.orders.tier_plan import TierPath
    from bwalloc.scenario import Scenario, World

PASSES = 2


def search_tiers(scenario: Scenario, world: World, gbit: np.ndarray) -> list[TierPath]:
    """A path of tiers for each span that is sold.

    Args:
        scenario: one with offers.
        world: the episode.
        gbit: load in the substep in which it shall be served, (demands, substeps).
    """
    planner = TierPlanner(scenario, world)
    found: list[tuple[float, list[TierPath]]] = []
    for is_backwards in (False, True):
        filling = Filling(scenario, world, gbit)
        paths: dict[int, TierPath] = {}
        order = filling.fewest_first[:: -1 if is_backwards else 1]
        for row in order * PASSES:
            paths[row] = planner.best(row, filling.worth_usd(row))
            filling.narrow(row, paths[row].tiers)
        inside = [paths[row] for row in range(len(order))]
        found.append((filling.earned_usd() - sum(path.bill_usd for path in inside), inside))
    return max(found, key=lambda each: each[0])[1]


class Filling:
    """What the load earns on given tiers, the dearest demands and the cheapest tunnels first.

    Attributes:
        crossing: rows of the demands that may cross each span, dearest first.
        fewest_first: spans by the number of these demands.
    """

    def __init__(self, scenario: Scenario, world: World, gbit: np.ndarray) -> None:
        """Start with all spans wide."""
        network, offers = scenario.network, scenario.network.offers
        assert offers is not None
        assert world.fates is not None
        self.gbit, self.timing, self.offers = gbit, scenario.timing, offers
        self.whole = room_gbit(world, scenario.timing)
        self.counted = clock_of(scenario).counted
        self.value = network.law.whole_usd_per_gbit + network.law.expiry_usd_per_gbit
        self.dearest = [int(row) for row in np.argsort(-self.value, kind="stable")]
        self.menu = offers.links_of(network.links)
        exists, hops = network.tunnels.exists, network.tunnels.hops
        self.paths = [
            [hop[hop < network.n_links] for hop in hops[row][exists[row]]]
            for row in range(network.n_demands)
        ]
        spans = [{int(self.menu[link]) for path in each for link in path} for each in self.paths]
        rows = range(len(offers.span))
        self.crossing = [[row for row in self.dearest if span in spans[row]] for span in rows]
        self.fewest_first = sorted(rows, key=lambda span: len(self.crossing[span]))
        price = unit_usd_per_gbps_h(offers) * world.fates.price_factor / 3600.0
        self.price = np.where(self.menu >= 0, price[self.menu], 0.0)
        self.egress = network.tunnels.egress_usd_per_gbit
        self.share = np.ones((network.n_links, 1))
        self.flows: list[list[np.ndarray]] | None = None

    def narrow(self, span: int, tiers: np.ndarray) -> None:
        """Fix the path of a span: places in its menu, (intervals,)."""
        links = self.menu == span
        share = np.repeat(self.offers.share[span, tiers], self.timing.substeps)
        if self.share.shape[1] == 1:
            self.share = np.repeat(self.share, len(share), 1)
        if self.price[links].any() or not np.array_equal(self.share[links][0], share):
            self.share[links], self.price[links], self.flows = share, 0.0, None

    def worth_usd(self, span: int) -> np.ndarray:
        """What each tier of a span earns in each interval beside the others, (intervals, tiers)."""
        rows, sold = self.crossing[span], int(self.offers.is_sold[span].sum())
        room = {link: free[:, None] for link, free in self._room_beside(rows).items()}
        price = np.where(self.menu == span, 0.0, self.price)
        for link in map(int, np.flatnonzero(self.menu == span)):
            room[link] = np.multiply.outer(self.whole[link], self.offers.share[span, :sold])
        usd = np.zeros((self.gbit.shape[1], sold))
        for row in rows:
            for _, served, gain in self._serve(row, self.gbit[row][:, None], price, room):
                usd += served * gain
        usd *= self.counted[:, None]
        return usd.reshape(self.timing.intervals, self.timing.substeps, sold).sum(1)

    def earned_usd(self) -> float:
        """What all work earns on the tiers there are."""
        flows = self.flows = self.flows or self._all_flows()
        served = np.array([sum(flow @ self.counted for flow in each) for each in flows])
        return float(served @ self.value)

    def _room_beside(self, rows: list[int]) -> dict[int, np.ndarray]:
        """Room that all other demands leave on each link, by substep."""
        flows = self.flows = self.flows or self._all_flows()
        room = self.whole * self.share
        for row in set(self.dearest) - set(rows):
            for path, flow in zip(self.paths[row], flows[row], strict=True):
                room[path] -= flow
        return dict(enumerate(np.maximum(room, 0.0)))

    def _all_flows(self) -> list[list[np.ndarray]]:
        """What each demand sends over each of its tunnels, by substep."""
        room = dict(enumerate(self.whole * self.share))
        nothing = np.zeros(self.gbit.shape[1])
        flows = [[nothing for _ in each] for each in self.paths]
        for row in self.dearest:
            for tunnel, served, _ in self._serve(row, self.gbit[row], self.price, room):
                flows[row][tunnel] = served
        return flows

    def _serve(
        self, row: int, left: np.ndarray, price: np.ndarray, room: dict[int, np.ndarray]
    ) -> list[tuple[int, np.ndarray, float]]:
        """Serve a demand on the tunnels that pay, best first, and take the room.

        Returns:
            Place of the tunnel, what it carries, and what a Gbit gains.
        """
        paths, served = self.paths[row], list[tuple[int, np.ndarray, float]]()
        cost = [price[path].sum() + self.egress[row, k] for k, path in enumerate(paths)]
        for tunnel in sorted(range(len(paths)), key=cost.__getitem__):
            gain = float(self.value[row] - cost[tunnel])
            if gain <= 0:
                break
            links = [int(link) for link in paths[tunnel]]
            carried = left
            for link in links:
                carried = np.minimum(carried, room[link])
            for link in links:
                room[link] = room[link] - carried
            left = left - carried
            served.append((tunnel, carried, gain))
        return served
