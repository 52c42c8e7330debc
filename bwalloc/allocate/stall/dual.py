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

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bwalloc.allocate.stall.ends import IDLE_GBIT, SLACK, Cuts, cuts_of

if TYPE_CHECKING:
    from bwalloc.allocate.plan.horizon import Clock, Units
    from bwalloc.scenario import Scenario, World

Slotted: TypeAlias = dict[int, tuple[np.ndarray, np.ndarray]]
HORIZON = 1000
"""Longest busy period, in substeps, whose end is looked for exactly."""
NEAR = 1e-6
"""Relative gain that is given away rather than looked for."""
PARTS = 8
"""Parts of a substep by which its last moment is told: it is taken to end with the one before."""


@dataclass(frozen=True, slots=True)
class Stalling:
    """One group whose stall costs money: its work, sorted by arrival, and what limits it.

    Attributes:
        usd_per_s: cost of a stalled second.
        grace_s: time before a busy group stalls.
        units: rows of `Units`, by start.
        events: substeps in which work arrives.
        first: first of the sorted units of each event, and the end of the last.
        usual_gbit: largest single arrival of each demand, (demands,).
        cuts: how early work can be done.
    """

    usd_per_s: float
    grace_s: float
    units: np.ndarray
    events: np.ndarray
    first: np.ndarray
    usual_gbit: np.ndarray
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
            usual = np.zeros(scenario.network.n_demands)
            np.maximum.at(usual, units.demand[mine], units.gbit[mine])
            found.append(
                Stalling(
                    float(usd_per_s),
                    float(groups.grace_s[group]),
                    mine,
                    events,
                    np.append(first, len(mine)),
                    usual,
                    cuts_of(scenario, world, units, rows),
                )
            )
    return found


def periods_of(scenario: Scenario, world: World, units: Units, clock: Clock) -> list[BusyPeriods]:
    """The busy periods of all groups that stall at a cost."""
    return [
        BusyPeriods(group, units, clock, scenario.timing.substep_s)
        for group in stalling_groups(scenario, world, units)
    ]


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

    def best(self, slots: Slotted, waited: np.ndarray, refused: np.ndarray) -> float:
        """Most that the group earns, stall included, USD.

        Args:
            slots: of each member, what a Gbit earns in each tunnel and substep, less what waiting
                since the begin of the episode costs, and how many fit, each (tunnels, substeps).
            waited: what of that lies before each unit arrives, USD per Gbit, (units,).
            refused: what a Gbit of each unit brings if it is never served, (units,).
        """
        value, whole = np.zeros(self.count + 1), np.zeros(self.count + 1)
        served = np.zeros((self.total, PARTS))
        for event in range(self.count - 1, -1, -1):
            start, stop = int(self.events[event]), int(self.stops[event])
            whole[event] = whole[event + 1]
            for unit in self.group.units[self.group.first[event] : self.group.first[event + 1]]:
                gain, room = slots[int(self.units.demand[unit])]
                window = slice(start, int(self.units.end[unit]) + 1)
                by_end, free = best_by_end(
                    float(self.units.gbit[unit]),
                    gain[:, window] + waited[unit],
                    room[:, window],
                    float(refused[unit]),
                    stop - start,
                )
                served[start:stop] += by_end
                whole[event] += free
            cost, endless = self.costs[event]
            ended = (served[start:stop] - cost).max(1) + value[self.following[start:stop]]
            after = int(np.searchsorted(self.events, stop))
            relaxed = whole[event] - whole[after] - endless + value[after]
            value[event] = max(float(ended.max()), relaxed)
        return float(value[0])

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
            ends = np.arange(start, stop)[:, None] + np.arange(1, PARTS + 1) / PARTS
            soonest = least[start:stop, None]
            usd = self._usd(start, np.maximum(ends - 1.0 / PARTS, soonest))
            costs.append((np.where(soonest > ends, np.inf, usd), self._until(start, stop)))
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


def best_by_end(
    gbit: float, gain: np.ndarray, room: np.ndarray, refused: float, count: int
) -> tuple[np.ndarray, float]:
    """What `gbit` earn at most if all is served by each of some ends, and without an end.

    The dearest slots come first. In a part of a substep fits that part of it. Beyond the window of
    the work, refusal is a slot too.

    Args:
        gbit: how much.
        gain: USD per Gbit in each slot of its window, (tunnels, substeps).
        room: Gbit that fit into each slot, same shape.
        refused: USD per Gbit that is never served.
        count: how many substeps may be the last.

    Returns:
        USD by last substep and part of it, -inf where the work does not fit, (count, PARTS), and
        USD without an end.
    """
    most = max(float(gain.max()), refused)
    free = min(gbit, IDLE_GBIT + SLACK * gbit)
    ahead = np.maximum.accumulate(gain.max(0)[::-1])[::-1]
    by_end = np.full((count, PARTS), -np.inf)
    held, size, earned = list[tuple[float, float]](), 0.0, 0.0
    window = min(count, gain.shape[1])
    for end in range(window):
        slots = [
            (each, fits / PARTS)
            for each, fits in zip(gain[:, end].tolist(), room[:, end].tolist(), strict=True)
            if fits > 0
        ]
        for part in range(PARTS):
            for each, fits in slots:
                heapq.heappush(held, (each, fits))
                size, earned = size + fits, earned + each * fits
            while held and size - held[0][1] >= gbit:
                each, fits = heapq.heappop(held)
                size, earned = size - fits, earned - each * fits
            if size >= gbit - free:
                worst = held[0][0] if held else most
                over = max(size - gbit, 0.0)
                by_end[end, part] = earned - over * worst + free * (most - worst)
        if size >= gbit and end + 1 < window:
            better = max(ahead[end + 1] - held[0][0], 0.0)
            if better <= NEAR * abs(most):
                by_end[end + 1 : window] = by_end[end, -1] + better * gbit
                break
    by_end[window:] = most * gbit
    return by_end, most * gbit
