"""The most that a group can earn where links have prices, its stall counted.

A group is busy in periods: one begins with work at an idle group, and ends when no member holds
any. Given when periods end, each Gbit goes in the cheapest substep of its window before the end of
its period, or is refused if that is later. So the best ends are found by a dynamic programme over
the moments at which work arrives, backwards. A period ends no earlier than its cuts allow
(`stall_ends`). Periods longer than `HORIZON` are relaxed: the group is taken to have finished its
stall at the next arrival, and what came before may still be served whenever it likes. Since stall
beyond a grace is superadditive in time, that charges too little, never too much.

A member counts as drained with `IDLE_GBIT` left, so that much of every arrival is free to stay.
Ref: Bertsekas, Dynamic Programming and Optimal Control (2017), ch. 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.stall_ends import IDLE_GBIT, Cuts, cuts_of

if TYPE_CHECKING:
    from bwalloc.allocate.horizon import Clock, Units
    from bwalloc.scenario import Scenario, World

HORIZON = 1000
"""Longest busy period, in substeps, whose end is looked for exactly."""


@dataclass(frozen=True, slots=True)
class Stalling:
    """One group whose stall costs money: its work, sorted by arrival, and what limits it.

    Attributes:
        usd_per_s: cost of a stalled second.
        grace_s: time before a busy group stalls.
        units: rows of `Units`, by start.
        events: substeps in which work arrives.
        first: first of the sorted units of each event, and the end of the last.
        cuts: how early work can be done.
    """

    usd_per_s: float
    grace_s: float
    units: np.ndarray
    events: np.ndarray
    first: np.ndarray
    cuts: Cuts


def stalling_groups(scenario: Scenario, world: World, units: Units) -> list[Stalling]:
    """The groups of a scenario that stall at a cost, and whose demands send in this episode."""
    groups, found = scenario.network.groups, list[Stalling]()
    member = groups.member[units.demand]
    for group, usd_per_s in enumerate(groups.usd_per_s):
        mine = np.flatnonzero((member == group) & (units.gbit > 0))
        if usd_per_s > 0 and mine.size:
            mine = mine[np.argsort(units.start[mine], kind="stable")]
            events, first = np.unique(units.start[mine], return_index=True)
            rows = np.flatnonzero(groups.member == group)
            found.append(
                Stalling(
                    float(usd_per_s),
                    float(groups.grace_s[group]),
                    mine,
                    events,
                    np.append(first, len(mine)),
                    cuts_of(scenario, world, units, rows),
                )
            )
    return found


class BusyPeriods:
    """The dynamic programme of one group: what does not depend on prices is kept."""

    def __init__(self, group: Stalling, units: Units, clock: Clock, substep_s: float) -> None:
        """Find how early work can be done, and what stall costs until then."""
        self.group, self.units, self.clock, self.substep_s = group, units, clock, substep_s
        self.total = len(clock.counted)
        self.events, self.count = group.events, len(group.events)
        self.following = np.searchsorted(self.events, np.arange(self.total), side="right")
        self.stops = np.minimum(self.events + HORIZON, self.total)
        self.costs = self._costs()

    def best(self, gain: np.ndarray, waited: np.ndarray, refused: np.ndarray) -> float:
        """Most that the group earns, stall included, USD.

        Args:
            gain: of a Gbit of each demand served in each substep, less what waiting since the
                begin of the episode costs, (demands, substeps).
            waited: what of that lies before each unit arrives, USD per Gbit, (units,).
            refused: what a Gbit of each unit brings if it is never served, (units,).
        """
        value, whole = np.zeros(self.count + 1), np.zeros(self.count + 1)
        served = np.zeros(self.total)
        for event in range(self.count - 1, -1, -1):
            start, stop = int(self.events[event]), int(self.stops[event])
            whole[event] = whole[event + 1]
            for unit in self.group.units[self.group.first[event] : self.group.first[event + 1]]:
                by_end, free = self._unit(
                    unit, stop, gain, float(waited[unit]), float(refused[unit])
                )
                served[start:stop] += by_end
                whole[event] += free
            cost, endless = self.costs[event]
            ended = served[start:stop] - cost + value[self.following[start:stop]]
            after = int(np.searchsorted(self.events, stop))
            relaxed = whole[event] - whole[after] - endless + value[after]
            value[event] = max(ended.max(initial=-np.inf), relaxed)
        return float(value[0])

    def _unit(
        self, unit: int, stop: int, gain: np.ndarray, waited: float, refused: float
    ) -> tuple[np.ndarray, float]:
        """What a unit brings if its group is idle first at the end of each substep, and at most."""
        start, end = int(self.units.start[unit]), int(self.units.end[unit])
        gbit, row = float(self.units.gbit[unit]), int(self.units.demand[unit])
        window = gain[row, start : end + 1] + waited
        most = max(float(window.max()), refused)
        best = np.full(stop - start, most)
        first = np.maximum.accumulate(window[: stop - start])
        best[: len(first)] = first
        free = min(gbit, IDLE_GBIT)
        return best * (gbit - free) + most * free, most * gbit

    def _costs(self) -> list[tuple[np.ndarray, float]]:
        """Cost of stall from each event by the substep in which the period ends; of no end."""
        least = np.zeros(self.total)
        gbit = self._needed()
        costs = list[tuple[np.ndarray, float]]()
        for event in range(self.count - 1, -1, -1):
            start, stop = int(self.events[event]), int(self.stops[event])
            sets = np.cumsum(gbit[event : event + MOST_SETS], 0)
            own = self.group.cuts.ends(start, sets)
            place = np.minimum(self.following[start:stop] - 1 - event, len(own) - 1)
            least[start:stop] = np.maximum(least[start:stop], own[place])
            at = np.arange(start, stop)
            usd = self._usd(start, np.maximum(at, least[start:stop]))
            costs.append(
                (np.where(least[start:stop] > at + 1, np.inf, usd), self._until(start, stop))
            )
        return costs[::-1]

    def _until(self, start: int, stop: int) -> float:
        return float(self._usd(start, np.array([stop], np.float64))[0])

    def _usd(self, start: int, end: np.ndarray) -> np.ndarray:
        """What a period costs that lasts from `start` to `end`, in substeps."""
        edges = np.arange(self.total + 1)
        stalls = start + self.group.grace_s / self.substep_s
        since, until = (np.interp(x, edges, self.clock.waited_s) for x in (stalls, end))
        return self.group.usd_per_s * np.maximum(until - since, 0.0)

    def _needed(self) -> np.ndarray:
        """Work that must be served before its group is idle: what never expires."""
        gbit = np.zeros((self.count, self.group.cuts.load.shape[1]))
        mine = self.group.units
        mine = mine[~self.units.expires[mine]]
        event = np.searchsorted(self.events, self.units.start[mine])
        np.add.at(gbit, (event, self.units.demand[mine]), self.units.gbit[mine])
        return gbit


MOST_SETS = 64
"""Arrivals that are looked at together for how early they can be done."""
