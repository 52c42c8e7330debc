"""Capacities that change inside an interval, when links fail or come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.arrays import Array, namespace
from bwalloc.scenario.outages import before_gbps

if TYPE_CHECKING:
    from bwalloc.scenario import World


@dataclass(frozen=True, slots=True)
class Change:
    """How capacities change in an interval; `since` is NumPy, int (links, B).

    Attributes:
        since: substep from which the interval's capacity holds; 0 where nothing changes in it.
        before_gbps: what holds until then, (links, B).
        coming_gbps: what is known, at the end, of the interval that follows, (links, B).
        announced_gbps: what works that are announced then leave in the hour that follows,
            (links, B).
    """

    since: np.ndarray
    before_gbps: Array
    coming_gbps: Array
    announced_gbps: Array

    @property
    def is_inside(self) -> bool:
        """Whether any capacity changes inside the interval."""
        return bool(self.since.any())


class OutageColumns:
    """The outages of a batch of worlds; one column per episode."""

    def __init__(self, worlds: Sequence[World]) -> None:
        """Stack `worlds`, all of them with outages."""
        intervals, links = worlds[0].capacity_gbps.shape
        self.since = np.zeros((len(worlds), intervals, links), np.int16)
        self.before_gbps = np.zeros((len(worlds), intervals, links), np.float32)
        self.known_gbps = np.zeros((len(worlds), intervals + 1, links), np.float32)
        self.announced_gbps = np.zeros((len(worlds), intervals + 1, links), np.float32)
        self.worlds = list(worlds)
        for column, world in enumerate(worlds):
            self.replace(column, world)

    def replace(self, column: int, world: World) -> None:
        """Put a new world into one column."""
        assert world.outages is not None
        self.worlds[column] = world
        self.since[column] = world.outages.since
        self.before_gbps[column] = before_gbps(world)
        self.known_gbps[column, :-1] = world.outages.known_gbps
        self.known_gbps[column, -1] = world.capacity_gbps[-1]
        self.announced_gbps[column] = world.outages.ahead_gbps

    def known(self, interval: np.ndarray) -> np.ndarray:
        """What is known of the capacities of an interval before it begins, (links, B)."""
        return _taken(self.known_gbps, interval)

    def announced(self, interval: np.ndarray) -> np.ndarray:
        """What announced works leave in the hour from an interval on, (links, B)."""
        return _taken(self.announced_gbps, interval)

    def change(self, interval: np.ndarray) -> Change:
        """How capacities change in the given interval of each column."""
        return Change(
            _taken(self.since, interval),
            _taken(self.before_gbps, interval),
            _taken(self.known_gbps, interval + 1),
            self.announced(interval + 1),
        )


def _taken(values: np.ndarray, interval: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values[np.arange(len(interval)), interval].T)


def capacity_in(change: Change, capacity_gbps: Array, first: int) -> Array:
    """What each link can carry in the stretch that begins with substep `first`, (links, B)."""
    xp = namespace(capacity_gbps)
    is_now = change.since <= first
    if xp is not np:
        is_now = xp.as_tensor(is_now, device=capacity_gbps.device)
    return xp.where(is_now, capacity_gbps, change.before_gbps)
