"""Plans of an episode in which groups of demands stall: LPs of some intervals, one after another.

Each looks further than it is used: what members still hold where the next one begins is handed on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.horizon import pieces_of
from bwalloc.allocate.stall_cells import cells_of
from bwalloc.allocate.stall_model import Jobs, Members, Setting, StallModel
from bwalloc.scenario.outages import room_gbit

if TYPE_CHECKING:
    from bwalloc.allocate.horizon import Clock, Units
    from bwalloc.allocate.plan_model import Elastic
    from bwalloc.allocate.stall_cells import Cells
    from bwalloc.allocate.stall_dual import Stalling
    from bwalloc.scenario import Scenario, World

USED = 40
"""Intervals of an LP that are used."""
AHEAD = 10
"""Intervals that it looks further."""


def stall_chunks(
    scenario: Scenario,
    world: World,
    units: Units,
    clock: Clock,
    refusal: np.ndarray,
    groups: list[Stalling],
    elastic: Elastic | None = None,
    *,
    grace: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prices (pools, substeps), Gbit carried (demands, tunnels, substeps), and rates of meters.

    Args:
        scenario: the environment.
        world: the episode.
        units: its work.
        clock: what counts.
        refusal: what a Gbit of each unit costs if it is never served.
        groups: those that stall at a cost.
        elastic: what may be bought on top of the smallest tiers.
        grace: whether work within the grace of its group is left uncharged.
    """
    timing = scenario.timing
    cells = cells_of(scenario, world, units, groups)
    setting = _setting(scenario, world, units, clock, cells, groups, elastic, grace)
    jobs = _jobs(scenario, units, refusal, setting.members)
    held = np.zeros(len(setting.members.demand))
    parts, used = list[tuple[np.ndarray, np.ndarray, np.ndarray]](), _Left(jobs)
    for first in range(0, timing.intervals, USED):
        stop = min(first + USED, timing.intervals)
        last = min(stop + AHEAD, timing.intervals)
        inside, rows = used.between(first, last)
        model = StallModel(setting, inside, held, (first, last))
        count = int(cells.first[stop] - cells.first[first])
        repeats = cells.length[cells.first[first] : cells.first[stop]]
        sent = model.sent[:, :count] / repeats
        parts.append(
            (
                np.repeat(model.prices[:, :count], repeats, 1),
                np.repeat(sent, repeats, 1).reshape(*scenario.network.tunnels.exists.shape, -1),
                model.meter_gbps[:, : stop - first],
            )
        )
        held = model.held[:, count - 1]
        used.take(model, rows, stop - first)
    prices, carried, meters = (
        np.concatenate([part[axis] for part in parts], -1) for axis in range(3)
    )
    return prices, carried, meters


class _Left:
    """Work outside groups that has not been served yet."""

    def __init__(self, jobs: Jobs) -> None:
        """All of it."""
        self.jobs, self.gbit = jobs, jobs.gbit.copy()

    def between(self, first: int, last: int) -> tuple[Jobs, np.ndarray]:
        """Work that may be served in intervals `first` to `last`, and its rows."""
        jobs = self.jobs
        rows = np.flatnonzero((jobs.start < last) & (jobs.end >= first) & (self.gbit > 0))
        inside = Jobs(
            jobs.demand[rows], jobs.start[rows], jobs.end[rows], self.gbit[rows], jobs.refusal[rows]
        )
        return inside, rows

    def take(self, model: StallModel, rows: np.ndarray, intervals: int) -> None:
        """Take off what was served in the first intervals of an LP."""
        for unit, interval, gbit in model.served:
            is_used = interval < intervals
            np.subtract.at(self.gbit, rows[unit[is_used]], gbit[is_used])
        np.maximum(self.gbit, 0.0, out=self.gbit)


def _setting(
    scenario: Scenario,
    world: World,
    units: Units,
    clock: Clock,
    cells: Cells,
    groups: list[Stalling],
    elastic: Elastic | None,
    grace: bool,
) -> Setting:
    timing = scenario.timing
    pieces = pieces_of(scenario, units)
    room = np.add.reduceat(room_gbit(world, timing), cells.edges[:-1], axis=1)
    offered = pieces.offered_gbit.reshape(-1, timing.intervals, timing.substeps).sum(2)
    members = _members(scenario, units, cells, groups, grace)
    scale = 1.0 / float(np.median([each.usd_per_s for each in groups]))
    inside = replace(pieces, width=pieces.width.copy())
    inside.width[members.demand] = 0.0
    return Setting(scenario, cells, clock, inside, members, room, offered, elastic, scale)


def _members(
    scenario: Scenario, units: Units, cells: Cells, groups: list[Stalling], grace: bool
) -> Members:
    demand, group, whole, last = list[int](), list[int](), list[float](), list[float]()
    arriving = np.zeros((scenario.network.n_demands, len(cells.length)))
    weight = np.zeros((len(groups), len(cells.length)))
    ends = cells.edges[1:] * scenario.timing.substep_s
    for place, each in enumerate(groups):
        mine = each.units
        np.add.at(arriving, (units.demand[mine], cells.of(units.start[mine])), units.gbit[mine])
        events = each.events * scenario.timing.substep_s
        since = ends - np.append(-np.inf, events)[np.searchsorted(events, ends - EDGE_S)]
        weight[place] = each.usd_per_s * ((since > each.grace_s) if grace else 1.0)
        for row in np.unique(units.demand[mine]):
            gbit = float(units.gbit[mine][units.demand[mine] == row].max())
            demand.append(int(row))
            group.append(place)
            whole.append(gbit)
            seconds = each.cuts.ends(0, _one(gbit, int(row), scenario.network.n_demands))[0]
            seconds = min(float(seconds), float(cells.edges[-1])) * scenario.timing.substep_s
            last.append(each.usd_per_s * seconds / gbit)
    rows = np.array(demand, np.int64)
    law = scenario.network.law
    endless = law.value_usd_per_gbit[rows].min(1)
    return Members(
        rows, np.array(group), arriving[rows], np.array(whole), weight, np.array(last) + endless
    )


def _one(gbit: float, row: int, demands: int) -> np.ndarray:
    one = np.zeros((1, demands))
    one[0, row] = gbit
    return one


def _jobs(scenario: Scenario, units: Units, refusal: np.ndarray, members: Members) -> Jobs:
    """Work outside groups by demand and window; what waits less than an interval stays in it."""
    substeps = scenario.timing.substeps
    mine = np.flatnonzero(~np.isin(units.demand, members.demand) & (units.gbit > 0))
    start, end = units.start[mine] // substeps, units.end[mine] // substeps
    end = np.where(units.end[mine] - units.start[mine] < substeps, start, end)
    keys = np.stack([units.demand[mine], start, end])
    kinds, which = np.unique(keys, axis=1, return_inverse=True)
    which = which.ravel()
    gbit = np.bincount(which, units.gbit[mine], kinds.shape[1])
    cost = np.bincount(which, units.gbit[mine] * refusal[mine], kinds.shape[1])
    return Jobs(kinds[0], kinds[1], kinds[2], gbit, cost / np.maximum(gbit, 1e-12))


EDGE_S = 1e-9
