"""The LP of some intervals in which groups stall, in cells of time.

Members of groups hold work by cell. A group pays for how long what they hold takes at least, by its
members and its narrowest cuts, over the length of its busy period: the mean busy time, which orders
rounds by what they cost over how long they take, as Smith's rule does, and whose prices are those
of the best order wherever that rule is best (Goemans et al., SIAM J. Discrete Math. 15 (2002)
165-192; for coflows: Chowdhury et al., SIGCOMM 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.plan.model import TINY_GBIT, Elastic, Model

if TYPE_CHECKING:
    from bwalloc.allocate.plan.horizon import Clock, Pieces
    from bwalloc.allocate.stall.cells import Cells
    from bwalloc.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Jobs:
    """Work outside groups, gathered by demand and window: cells, both ends included.

    `arrived` is the mean of the substeps in which it arrived.
    """

    demand: np.ndarray
    start: np.ndarray
    end: np.ndarray
    gbit: np.ndarray
    refusal: np.ndarray
    arrived: np.ndarray


@dataclass(frozen=True, slots=True)
class Members:
    """Demands of groups that stall at a cost.

    Attributes:
        demand: row of each member.
        group: place of its group in `usd_per_s`.
        arriving: Gbit by member and cell, (members, cells).
        usd_per_s: what a group costs while it is busy; 0 where its grace goes on, (groups, cells).
        seconds: time that a Gbit held by each member takes, by what limits a group,
            (limits, members).
        limited: group of each limit, (limits,).
        length_s: length of the busy period of each group, (groups, cells).
        last_usd: what a Gbit that is left at the end of the LP will still cost, (members,).
    """

    demand: np.ndarray
    group: np.ndarray
    arriving: np.ndarray
    usd_per_s: np.ndarray
    seconds: np.ndarray
    limited: np.ndarray
    length_s: np.ndarray
    last_usd: np.ndarray


@dataclass(frozen=True, slots=True)
class Setting:
    """What all LPs of an episode have in common.

    `room` is Gbit by link and cell, and `scale` what the LP counts for a USD.
    """

    scenario: Scenario
    cells: Cells
    clock: Clock
    pieces: Pieces
    members: Members
    room_gbit: np.ndarray
    offered_gbit: np.ndarray
    elastic: Elastic | None
    scale: float


class StallModel:
    """Build and solve the LP of intervals `first` to `last`.

    Attributes:
        prices: USD per Gbit, (pools, cells of the LP).
        held: Gbit left of each member at the end of each cell, (members, cells).
        sent: Gbit by flat tunnel and cell.
        meter_gbps: rate of each meter by interval; infinite for shared pools.
    """

    def __init__(
        self, setting: Setting, jobs: Jobs, held: np.ndarray, window: tuple[int, int]
    ) -> None:
        """Build and solve.

        Args:
            setting: the episode.
            jobs: work outside groups that may be served in the window.
            held: Gbit of each member before the window.
            window: first interval, and the end.
        """
        self.setting, self.scenario = setting, setting.scenario
        self.network, self.timing = setting.scenario.network, setting.scenario.timing
        self.window, cells = window, setting.cells
        self.cells = np.arange(cells.first[window[0]], cells.first[window[1]])
        self.interval = cells.interval[self.cells] - window[0]
        self.length = cells.length[self.cells]
        self.pools = self.network.pools()
        self.model = Model()
        self.scale = setting.scale
        self.active = np.flatnonzero(
            setting.members.arriving[:, self.cells].any(1) | (held > TINY_GBIT)
        )
        self._capacity()
        self._members(held)
        self._jobs(jobs)
        self._pieces(jobs)
        self._read(*self.model.solve())

    def _capacity(self) -> None:
        """Rows of pools: by cell where members may pass, else by interval."""
        hops = self.pools.hops.reshape(self.network.n_demands, -1)
        crossed = np.unique(hops[self.setting.members.demand[self.active]])
        self.hot = np.isin(np.arange(len(self.pools.link)), crossed)
        n_cells, intervals = len(self.cells), int(self.interval[-1]) + 1
        places = np.where(self.hot[:, None], np.arange(n_cells), n_cells + self.interval)
        keys = np.arange(len(self.hot))[:, None] * (n_cells + intervals) + places
        _, row = np.unique(keys, return_inverse=True)
        self.row = row.reshape(keys.shape)
        whole = self.setting.room_gbit[:, self.cells]
        bought, least = self._bought(intervals)
        room = (whole * least[:, None])[self.pools.link]
        room[~self.pools.is_shared] = 0.0
        upper = np.bincount(self.row.ravel(), room.ravel())
        self.rows = self.model.add_rows(upper)
        self._meters(whole, bought, least, intervals)
        shared = np.flatnonzero(self.pools.is_shared)
        links = self.pools.link[shared]
        self._widen(self.row[shared], bought[links][:, self.interval], whole[links])

    def _bought(self, intervals: int) -> tuple[np.ndarray, np.ndarray]:
        """Column of what is bought on each link, -1 for none, (links, intervals); least shares."""
        elastic, links = self.setting.elastic, self.network.n_links
        if elastic is None:
            return np.full((links, intervals), -1), np.ones(links)
        counted = self.window[0] + np.arange(intervals) >= self.timing.warmup_intervals
        cost = elastic.usd[:, None] * counted * self.scale
        upper = np.repeat(1.0 - elastic.least, intervals)
        columns = self.model.add_columns(cost.ravel(), upper).reshape(cost.shape)
        none = np.full((1, intervals), -1)
        return np.concatenate([columns, none])[elastic.menu], np.append(elastic.least, 1.0)[
            elastic.menu
        ]

    def _meters(
        self, whole: np.ndarray, bought: np.ndarray, least: np.ndarray, intervals: int
    ) -> None:
        """A meter has a rate by interval, and of it what its link has left of its best."""
        meters = np.flatnonzero(~self.pools.is_shared)
        rates = self.model.add_columns(np.zeros(len(meters) * intervals))
        self.rates, self.metered = rates.reshape(len(meters), intervals), meters
        if not len(meters):
            return
        links, link_of = np.unique(self.pools.link[meters], return_inverse=True)
        gbps = whole[links] / (self.length * self.timing.substep_s)
        best = np.zeros((len(links), intervals))
        np.maximum.at(best.T, self.interval, gbps.T)
        left = whole[links] / np.maximum(best, TINY_GBIT)[:, self.interval]
        self._add(self.row[meters], self.rates[:, self.interval], -left[link_of])
        sums = self.model.add_rows((best * least[links, None]).ravel()).reshape(best.shape)
        self.model.add_entries(sums[link_of].ravel(), self.rates.ravel(), 1.0)
        sold = bought[links] >= 0
        self.model.add_entries(sums[sold], bought[links][sold], -best[sold])

    def _widen(self, rows: np.ndarray, columns: np.ndarray, whole: np.ndarray) -> None:
        """Rows are wider by what is bought."""
        sold = columns >= 0
        self._add(rows[sold], columns[sold], -whole[sold])

    def _add(self, rows: np.ndarray, columns: np.ndarray, value: np.ndarray) -> None:
        """Entries of which several may meet in one place: they are added up."""
        key = rows.ravel().astype(np.int64) * (2**31) + columns.ravel()
        place, inverse = np.unique(key, return_inverse=True)
        total = np.bincount(inverse, value.ravel(), len(place))
        self.model.add_entries(place // 2**31, place % 2**31, total)

    def _members(self, held: np.ndarray) -> None:
        """What members send and hold by cell, and the share of the worst of each group."""
        members, rows = self.setting.members, self.active
        n_cells, demand = len(self.cells), members.demand[rows]
        counted = self.setting.clock.counted[self.setting.cells.edges[self.cells]]
        seconds = self.length * self.timing.substep_s * counted
        usd = members.usd_per_s[:, self.cells] * seconds * self.scale
        worst = self.model.add_columns((usd + TIE_BREAK).ravel()).reshape(usd.shape)
        cost = np.full((len(rows), n_cells), TIE_BREAK)
        cost[:, -1] = members.last_usd[rows] * self.scale
        left = self.model.add_columns(cost.ravel()).reshape(cost.shape)
        arrived = members.arriving[rows][:, self.cells].copy()
        arrived[:, 0] += held[rows]
        balance = self.model.add_rows(arrived.ravel(), arrived.ravel()).reshape(arrived.shape)
        self.model.add_entries(balance.ravel(), left.ravel(), 1.0)
        self.model.add_entries(balance[:, 1:].ravel(), left[:, :-1].ravel(), -1.0)
        slow = members.seconds[:, rows]
        for limit in np.flatnonzero(slow.any(1)):
            group = members.limited[limit]
            share = self.model.add_rows(np.zeros(n_cells))
            for place in np.flatnonzero(slow[limit]):
                size = slow[limit, place] / members.length_s[group, self.cells]
                self.model.add_entries(share, left[place], size)
            self.model.add_entries(share, worst[group], -1.0)
        self.left, self.flows = left, list[tuple[np.ndarray, np.ndarray]]()
        tunnels = self.network.tunnels
        for place, tunnel in zip(*np.nonzero(tunnels.exists[demand]), strict=True):
            row = int(demand[place])
            egress = tunnels.egress_usd_per_gbit[row, tunnel]
            gain = (self.setting.pieces.endless[row] - egress) * counted * self.scale
            columns = self.model.add_columns(-gain)
            self.model.add_entries(balance[place], columns, 1.0)
            flat = row * self.network.n_tunnels + int(tunnel)
            for pool in self._crossed(flat):
                self.model.add_entries(self.rows[self.row[pool]], columns, 1.0)
            self.flows.append((np.full(n_cells, flat), columns))

    def _crossed(self, flat: int) -> np.ndarray:
        hops = self.pools.hops[flat]
        return hops[hops < len(self.pools.link)]

    def _jobs(self, jobs: Jobs) -> None:
        """What other work is served in each cell of its window, by tunnel."""
        first, last = int(self.cells[0]), int(self.cells[-1])
        law, tunnels, cells = self.network.law, self.network.tunnels, self.setting.cells
        start, end = np.maximum(jobs.start, first), np.minimum(jobs.end, last)
        unit_rows = self.model.add_rows(jobs.gbit)
        self.jobs = list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]()
        for age in range(int((end - start).max(initial=-1)) + 1):
            mine = np.flatnonzero(end - start >= age)
            demand, cell = jobs.demand[mine], start[mine] + age
            counted = self.setting.clock.counted[cells.edges[cell]]
            waited = np.maximum(cells.edges[cell] - jobs.arrived[mine], 0.0) * counted
            late = law.late_usd_per_gbit_s[demand] * waited * self.timing.substep_s
            gain = self.setting.pieces.endless[demand] * counted + jobs.refusal[mine] - late
            for tunnel in range(self.network.n_tunnels):
                here = np.flatnonzero(tunnels.exists[demand, tunnel])
                egress = tunnels.egress_usd_per_gbit[demand[here], tunnel] * counted[here]
                cost = (egress - gain[here]) * self.scale + TIE_BREAK * age
                columns = self.model.add_columns(cost)
                self.model.add_entries(unit_rows[mine[here]], columns, 1.0)
                flat = demand[here] * self.network.n_tunnels + tunnel
                self.jobs.append((flat, cell[here] - first, columns, mine[here]))
                self._load(flat, cell[here] - first, columns)

    def _load(self, flat: np.ndarray, cell: np.ndarray, columns: np.ndarray) -> None:
        """The links under work."""
        for hop in range(self.pools.hops.shape[1]):
            pool = self.pools.hops[flat, hop]
            real = pool < len(self.pools.link)
            at = self.rows[self.row[pool[real], cell[real]]]
            self.model.add_entries(at, columns[real], 1.0)

    def _pieces(self, jobs: Jobs) -> None:
        """Dear pieces: at most their room by cell, together at most what is served in it."""
        pieces = self.setting.pieces
        bent = np.unique(jobs.demand[(pieces.width[jobs.demand] > 0).any(1)])
        if not bent.size or not self.jobs:
            return
        shape = len(bent), len(self.cells)
        rows = np.full((self.network.n_demands, len(self.cells)), -1)
        rows[bent] = self.model.add_rows(np.zeros(shape[0] * shape[1])).reshape(shape)
        counted = self.setting.clock.counted[self.setting.cells.edges[self.cells]]
        offered = self.setting.offered_gbit[bent][:, self.cells]
        for piece in range(pieces.width.shape[1]):
            extra = pieces.extra[bent, piece][:, None] * counted * self.scale
            room = pieces.width[bent, piece][:, None] * offered
            sold = room > 0
            columns = self.model.add_columns(-extra[sold], room[sold])
            self.model.add_entries(rows[bent][sold], columns, 1.0)
        for flat, cell, columns, _ in self.jobs:
            row = rows[flat // self.network.n_tunnels, cell]
            self.model.add_entries(row[row >= 0], columns[row >= 0], -1.0)

    def _read(self, values: np.ndarray, prices: np.ndarray) -> None:
        """Take the solution apart; bounds hold to the tolerance of HiGHS only."""
        values = np.maximum(values, 0.0)
        n_cells = len(self.cells)
        self.prices = prices[self.rows][self.row] / self.scale
        self.held = np.zeros((len(self.setting.members.demand), n_cells))
        self.held[self.active] = values[self.left]
        self.sent = np.zeros((len(self.pools.hops), n_cells))
        for flat, columns in self.flows:
            self.sent[flat[0]] += values[columns]
        for flat, cell, columns, _ in self.jobs:
            np.add.at(self.sent, (flat, cell), values[columns])
        self.served = [(unit, cell, values[columns]) for _, cell, columns, unit in self.jobs]
        self.meter_gbps = np.full((len(self.pools.link), self.window[1] - self.window[0]), np.inf)
        self.meter_gbps[self.metered] = values[self.rates]


TIE_BREAK = 1e-9
"""Serving at once wins where waiting costs nothing; in units of a stalled second."""
