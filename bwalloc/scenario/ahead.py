"""Worlds drawn before they are needed, in a thread beside the simulation."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

from bwalloc.scenario.draw import draw_world

if TYPE_CHECKING:
    from bwalloc.scenario.scenario import Scenario
    from bwalloc.scenario.world import World

MOST_WAITING = 128
"""Worlds kept at a time; a world of metro-inference takes 0.9 MB."""


class WorldsAhead:
    """Draws ordered episodes in the background; what was never ordered is drawn when taken.

    Episodes depend on split and seed alone, so the order of drawing changes nothing.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Start with no orders."""
        self.scenario = scenario
        self.orders: dict[tuple[str, int], Future[World]] = {}

    def order(self, split: str, seed: int) -> None:
        """Draw episode `seed` of a split soon, unless too many wait already."""
        if len(self.orders) < MOST_WAITING and (split, seed) not in self.orders:
            self.orders[split, seed] = _thread().submit(draw_world, self.scenario, split, seed)

    def take(self, split: str, seed: int) -> World:
        """The world of an episode; raises what `draw_world` raises."""
        order = self.orders.pop((split, seed), None)
        if order is None or order.cancel():
            return draw_world(self.scenario, split, seed)
        return order.result()

    def __getstate__(self) -> dict[str, Any]:
        """Orders stay behind: a thread cannot be copied."""
        return {"scenario": self.scenario, "orders": {}}


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="bwalloc-draws")
