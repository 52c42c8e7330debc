"""Plans of an episode in which groups of demands stall: LPs of some intervals, one after another.

Each looks further than it is used: what members still hold where the next one begins is handed on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.plan.horizon import pieces_of
from bwalloc.allocate.plan.model import TINY_GBIT
from bwalloc.allocate.stall.cells import Rounds, cells_of, rounds_of
from bwalloc.allocate.stall.model import Jobs, Members, Setting, StallModel
from bwalloc.scenario.outages import room_gbit

if TYPE_CHECKING:
    from bwalloc.allocate.plan.horizon import Clock, Units
    from bwalloc.allocate.plan.model import Elastic
    from bwalloc.allocate.stall.cells import Cells
    from bwalloc.allocate.stall.dual import Stalling
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
    total = timing.intervals * timing.substeps
    rounds = [rounds_of(group, units, total) for group in groups]
    cells = cells_of(scenario, world, groups, rounds)
    members = _members(scenario, units, cells, groups, rounds, grace)
    setting = _setting(scenario, world, units, clock, cells, members, elastic)
    jobs = _jobs(units, refusal, setting)
    held = np.zeros(len(setting.members.demand))
    parts, used = list[tuple[np.ndarray, np.ndarray, np.ndarray]](), _Left(jobs)
    for first in range(0, timing.intervals, USED):
        stop = min(first + USED, timing.intervals)
        last = min(stop + AHEAD, timing.intervals)
        inside, rows = used.between(int(cells.first[first]), int(cells.first[last]))
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
        used.take(model, rows, count)
    prices, carried, meters = (
        np.concatenate([part[axis] for part in parts], -1) for axis in range(3)
    )
    return prices, carried, meters


class _Left:
    """Work outside groups that has not been served yet."""

    def __init__(self, jobs: Jobs) -> None:
        """All of it."""
        self.jobs, self.gbit = jobs, jobs.gbit.astype(np.float64)

    def between(self, first: int, last: int) -> tuple[Jobs, np.ndarray]:
        """Work that may be served in cells from `first` to `last`, and its rows."""
        jobs = self.jobs
        rows = np.flatnonzero((jobs.start < last) & (jobs.end >= first) & (self.gbit > 0))
        parts = (jobs.demand, jobs.start, jobs.end, self.gbit, jobs.refusal, jobs.arrived)
        return Jobs(*(part[rows] for part in parts)), rows

    def take(self, model: StallModel, rows: np.ndarray, cells: int) -> None:
        """Take off what was served in the first cells of an LP."""
        for unit, cell, gbit in model.served:
            is_used = cell < cells
            np.subtract.at(self.gbit, rows[unit[is_used]], gbit[is_used])
        np.maximum(self.gbit, 0.0, out=self.gbit)


def _setting(
    scenario: Scenario,
    world: World,
    units: Units,
    clock: Clock,
    cells: Cells,
    members: Members,
    elastic: Elastic | None,
) -> Setting:
    timing = scenario.timing
    pieces = pieces_of(scenario, units)
    room = np.add.reduceat(room_gbit(world, timing), cells.edges[:-1], axis=1)
    offered = np.add.reduceat(pieces.offered_gbit, cells.edges[:-1], axis=1)
    usd_per_s = scenario.network.groups.usd_per_s
    scale = 1.0 / float(np.median(usd_per_s[usd_per_s > 0]))
    inside = replace(pieces, width=pieces.width.copy())
    inside.width[members.demand] = 0.0
    return Setting(scenario, cells, clock, inside, members, room, offered, elastic, scale)


def _members(
    scenario: Scenario,
    units: Units,
    cells: Cells,
    groups: list[Stalling],
    rounds: list[Rounds],
    grace: bool,
) -> Members:
    substep_s = scenario.timing.substep_s
    arriving = np.zeros((scenario.network.n_demands, len(cells.length)))
    usd_per_s, length_s = np.zeros((2, len(groups), len(cells.length)))
    rows, seconds = list[np.ndarray](), list[np.ndarray]()
    for place, (group, each) in enumerate(zip(groups, rounds, strict=True)):
        mine = group.units
        np.add.at(arriving, (units.demand[mine], cells.of(units.start[mine])), units.gbit[mine])
        rows.append(np.unique(units.demand[mine]))
        event = np.searchsorted(group.events, cells.edges[:-1], side="right") - 1
        grace_s = group.grace_s if grace else 0.0
        since = (cells.edges[1:] - each.start[event]) * substep_s
        usd_per_s[place] = group.usd_per_s * ((event < 0) | (since > grace_s + EDGE_S))
        whole = np.maximum((each.end - each.start) * substep_s, substep_s)
        length_s[place] = np.maximum(whole - grace_s, whole / LEAST_SHARE)[event]
        seconds.append(_limits(group, substep_s))
    demand = np.concatenate(rows)
    slow, limited = (
        np.concatenate(seconds),
        np.repeat(np.arange(len(groups)), list(map(len, seconds))),
    )
    group_of = np.repeat(np.arange(len(groups)), list(map(len, rows)))
    usd = np.array([group.usd_per_s for group in groups])
    last = scenario.network.law.value_usd_per_gbit[demand].min(1)
    last = last + slow[:, demand].max(0) * usd[group_of]
    return Members(
        demand, group_of, arriving[demand], usd_per_s, slow[:, demand], limited, length_s, last
    )


def _limits(group: Stalling, substep_s: float) -> np.ndarray:
    """Seconds that a Gbit of each demand takes: by itself, and in the cuts that bind most."""
    cuts = group.cuts
    gbit_per_s = np.maximum(
        cuts.carried[:, -1] / (cuts.carried.shape[1] - 1) / substep_s, TINY_GBIT
    )
    seconds = cuts.load / gbit_per_s[:, None]
    is_own = cuts.lent == 1.0
    joint = seconds[~is_own]
    joint = joint[(joint > 0).sum(1) > 1]
    binds = (joint @ group.usual_gbit).argsort()[::-1][:MOST_LIMITS]
    return np.concatenate([seconds[is_own], joint[binds]])


def _jobs(units: Units, refusal: np.ndarray, setting: Setting) -> Jobs:
    """Work outside groups by demand and window; what waits less than a cell stays in it."""
    cells, members = setting.cells, setting.members
    mine = np.flatnonzero(~np.isin(units.demand, members.demand) & (units.gbit > 0))
    start, end = cells.of(units.start[mine]), cells.of(units.end[mine])
    waits = units.end[mine] - units.start[mine]
    end = np.where(waits < cells.length[start], start, end)
    kinds, which = np.unique(
        np.stack([units.demand[mine], start, end]), axis=1, return_inverse=True
    )
    which, count = which.ravel(), kinds.shape[1]
    gbit = np.bincount(which, units.gbit[mine], count)
    cost, arrived = (
        np.bincount(which, units.gbit[mine] * each[mine], count) / np.maximum(gbit, TINY_GBIT)
        for each in (refusal, units.start)
    )
    return Jobs(kinds[0], kinds[1], kinds[2], gbit, cost, arrived)


EDGE_S = 1e-9
LEAST_SHARE = 3.0
"""The time over which a busy period is charged is at least its length over this."""
MOST_LIMITS = 6
"""Cuts of a group that its LP knows."""
