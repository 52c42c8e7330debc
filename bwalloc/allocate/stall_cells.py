"""The clock of a plan with stall: whole intervals, finer after work has arrived at a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.scenario.outages import room_gbit

if TYPE_CHECKING:
    from jaxtyping import Int

    from bwalloc.allocate.horizon import Units
    from bwalloc.allocate.stall_dual import Stalling
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


def cells_of(scenario: Scenario, world: World, units: Units, groups: list[Stalling]) -> Cells:
    """Cut an episode into cells."""
    timing = scenario.timing
    total = timing.intervals * timing.substeps
    room = room_gbit(world, timing)
    edges = [
        np.arange(0, total + 1, timing.substeps),
        np.flatnonzero((np.diff(room, axis=1) != 0).any(0)) + 1,
    ]
    for group in groups:
        for event, start in enumerate(map(int, group.events)):
            shortest = max(int(np.ceil(_shortest(group, units, event))), 1)
            step = -(-shortest // PARTS)
            reach = FOLLOWED * (shortest + group.grace_s / timing.substep_s)
            edges.append(np.arange(start, min(start + int(reach) + 2, total), step))
    merged = np.unique(np.concatenate(edges))
    interval = merged[:-1] // timing.substeps
    return Cells(merged, interval, np.searchsorted(interval, np.arange(timing.intervals + 1)))


def _shortest(group: Stalling, units: Units, event: int) -> float:
    """Substeps that the work of an event takes at least; 0 where the episode is too short."""
    mine = group.units[group.first[event] : group.first[event + 1]]
    demands = group.cuts.load.shape[1]
    gbit = np.bincount(units.demand[mine], units.gbit[mine], demands)
    start = int(group.events[event])
    took = float(group.cuts.ends(start, gbit[None])[0]) - start
    return took if np.isfinite(took) else 0.0
