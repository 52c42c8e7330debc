"""The clock of a plan with stall: whole intervals, finer after work has arrived at a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.scenario.outages import room_gbit

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bwalloc.allocate.plan.horizon import Units
    from bwalloc.allocate.stall.dual import Stalling
    from bwalloc.scenario import Scenario, World

PARTS = 5
"""Cells into which the shortest time of a round is cut."""
FOLLOWED = 3.0
"""For how many of its shortest times, and graces, a round is followed in small cells."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Stretches of time in which everything is taken to be constant.

    Attributes:
        edges: first substep of each cell, and the end of the episode.
        interval: of each cell.
        first: first cell of each interval, and the number of cells.
    """

    edges: Int[np.ndarray, " edges"]
    interval: Int[np.ndarray, " cells"]
    first: Int[np.ndarray, " intervals_and_end"]

    @property
    def length(self) -> np.ndarray:
        """Substeps of each cell."""
        return np.diff(self.edges)

    def of(self, substep: np.ndarray) -> np.ndarray:
        """The cell of each substep."""
        return np.searchsorted(self.edges, substep, side="right") - 1


@dataclass(frozen=True, slots=True)
class Rounds:
    """How long a group that has the network to itself is busy, by arrival, in substeps.

    Attributes:
        start: when the busy period of each arrival began, (events,).
        end: when it ends if nothing more arrives, (events,).
    """

    start: Int[np.ndarray, " events"]
    end: Float[np.ndarray, " events"]


def rounds_of(group: Stalling, units: Units, total: int) -> Rounds:
    """The busy periods of a group if nobody else sends; work that finds it busy joins it."""
    demands = group.cuts.load.shape[1]
    start, end = np.array(group.events), np.zeros(len(group.events))
    merged = list[tuple[int, np.ndarray]]()
    for event, now in enumerate(map(int, group.events)):
        mine = group.units[group.first[event] : group.first[event + 1]]
        gbit = np.bincount(units.demand[mine], units.gbit[mine], demands)
        if event and end[event - 1] > now:
            start[event] = start[event - 1]
            merged = [(since, held + gbit) for since, held in merged[-MOST_MERGED:]]
        else:
            merged = []
        merged.append((now, gbit))
        ends = [float(group.cuts.ends(since, held[None])[0]) for since, held in merged]
        end[event] = min(max(ends), total)
    return Rounds(start, end)


def cells_of(
    scenario: Scenario, world: World, groups: list[Stalling], rounds: list[Rounds]
) -> Cells:
    """Cut an episode into cells."""
    timing = scenario.timing
    total = timing.intervals * timing.substeps
    room = room_gbit(world, timing)
    edges = [
        np.arange(0, total + 1, timing.substeps),
        np.flatnonzero((np.diff(room, axis=1) != 0).any(0)) + 1,
    ]
    for group, each in zip(groups, rounds, strict=True):
        for start, end in zip(group.events.tolist(), each.end.tolist(), strict=True):
            shortest = max(int(np.ceil(end - start)), 1)
            step = -(-shortest // PARTS)
            reach = FOLLOWED * (shortest + group.grace_s / timing.substep_s)
            edges.append(np.arange(start, min(start + int(reach) + 2, total), step))
    merged = np.unique(np.concatenate(edges))
    interval = merged[:-1] // timing.substeps
    return Cells(merged, interval, np.searchsorted(interval, np.arange(timing.intervals + 1)))


MOST_MERGED = 16
"""Arrivals of a busy period that are looked at for when it ends."""
