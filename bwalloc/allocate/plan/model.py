"""The LP of a few intervals whose load is known, as sparse arrays for HiGHS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import highspy
import numpy as np

from bwalloc.allocate.lp.highs import quiet_solver
from bwalloc.allocate.plan.horizon import pieces_of
from bwalloc.errors import SolverError
from bwalloc.scenario.outages import room_gbit

if TYPE_CHECKING:
    from bwalloc.allocate.plan.horizon import Clock, Units
    from bwalloc.scenario import Scenario, World


@dataclass
class Model:
    """Columns and rows of a minimisation, gathered block by block."""

    cost: list[np.ndarray] = field(default_factory=list[np.ndarray])
    upper: list[np.ndarray] = field(default_factory=list[np.ndarray])
    row_lower: list[np.ndarray] = field(default_factory=list[np.ndarray])
    row_upper: list[np.ndarray] = field(default_factory=list[np.ndarray])
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(
        default_factory=list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    )
    columns: int = 0
    rows: int = 0

    def add_columns(self, cost: np.ndarray, upper: np.ndarray | float = np.inf) -> np.ndarray:
        """New columns from 0 to `upper`; returns their numbers."""
        first, self.columns = self.columns, self.columns + len(cost)
        self.cost.append(np.asarray(cost, np.float64))
        self.upper.append(np.broadcast_to(np.asarray(upper, np.float64), (len(cost),)))
        return np.arange(first, self.columns)

    def add_rows(self, upper: np.ndarray, lower: np.ndarray | float = -np.inf) -> np.ndarray:
        """New rows from `lower` to `upper`; returns their numbers."""
        first, self.rows = self.rows, self.rows + len(upper)
        self.row_upper.append(np.asarray(upper, np.float64))
        self.row_lower.append(np.broadcast_to(np.asarray(lower, np.float64), (len(upper),)))
        return np.arange(first, self.rows)

    def add_entries(self, rows: np.ndarray, columns: np.ndarray, value: float | np.ndarray) -> None:
        """Coefficients at several places, the same or one each."""
        self.entries.append((rows, columns, np.broadcast_to(value, len(rows))))

    def solve(self) -> tuple[np.ndarray, np.ndarray]:
        """Column values and non-negative prices of the rows.

        Raises:
            SolverError: HiGHS did not reach optimality.
        """
        if not self.columns:
            return np.zeros(0), np.zeros(self.rows)
        solver = quiet_solver()
        solver.passModel(self.lp())
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            msg = (
                f"HiGHS stopped with {solver.getModelStatus()} on a plan of {self.columns} columns."
            )
            raise SolverError(msg)
        solution = solver.getSolution()
        return np.array(solution.col_value), np.maximum(-np.array(solution.row_dual), 0.0)

    def lp(self) -> highspy.HighsLp:
        """The minimisation as HiGHS takes it."""
        row, column, value = (np.concatenate(part) for part in zip(*self.entries, strict=True))
        order = np.lexsort((row, column))
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self.columns, self.rows
        lp.col_cost_ = np.concatenate(self.cost)
        lp.col_lower_, lp.col_upper_ = np.zeros(self.columns), np.concatenate(self.upper)
        lp.row_lower_ = np.concatenate(self.row_lower)
        lp.row_upper_ = np.concatenate(self.row_upper)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        counts = np.bincount(column, minlength=self.columns)
        lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(counts)])
        lp.a_matrix_.index_, lp.a_matrix_.value_ = row[order], value[order]
        return lp


@dataclass(frozen=True, slots=True)
class Elastic:
    """Spans that may be had in any size for a while: what orders come to without delays and blocks.

    Attributes:
        menu: row below of the span of each link, -1 where nothing is sold, (links,).
        least: share of its largest tier that each span has at least, (offered,).
        usd: price of a whole share more for an interval, (offered,).
    """

    menu: np.ndarray
    least: np.ndarray
    usd: np.ndarray


class ChunkPlan:
    """The plan of some intervals: work carried, rates of meters, prices of pools.

    Attributes:
        prices: USD per Gbit, (pools, substeps).
        carried_gbit: by demand, tunnel and substep.
        meter_gbps: rate of each meter by interval; infinite for shared pools.
    """

    def __init__(
        self,
        scenario: Scenario,
        world: World,
        units: Units,
        clock: Clock,
        chunk: tuple[int, int],
        refusal: np.ndarray,
        elastic: Elastic | None = None,
    ) -> None:
        """Build and solve; spans that are `elastic` are bought as far as they pay."""
        self.elastic = elastic
        self.scenario, self.network, self.timing = scenario, scenario.network, scenario.timing
        self.units, self.clock, self.refusal = units, clock, refusal
        self.first, self.last = (edge * self.timing.substeps for edge in chunk)
        self.pieces = pieces_of(scenario, units)
        self.model = Model()
        self.pools = self.network.pools()
        self.substeps = self.last - self.first
        self.pool_rows = self._capacity_rows(world, chunk)
        self.served: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._work()
        values, prices = self.model.solve()
        self.prices = prices[self.pool_rows]
        self.carried_gbit = self._carried(values)
        self.meter_gbps = np.full((len(self.pools.link), self.meters.shape[1]), np.inf)
        self.meter_gbps[~self.pools.is_shared] = values[self.meters]

    def _capacity_rows(self, world: World, chunk: tuple[int, int]) -> np.ndarray:
        """One row per pool and substep; rates of meters share the link of each interval.

        A meter has its rate times what the link has left of its best in the interval.
        """
        timing, pools, intervals = self.timing, self.pools, chunk[1] - chunk[0]
        whole = room_gbit(world, timing)[:, self.first : self.last]
        more, least = self._bought(intervals)
        best = whole.reshape(len(whole), intervals, timing.substeps).max(2)
        room = (whole * least[:, None])[pools.link]
        room[~pools.is_shared] = 0.0
        rows = self.model.add_rows(room.ravel()).reshape(room.shape)
        meters = np.flatnonzero(~pools.is_shared)
        links, link_of = np.unique(pools.link[meters], return_inverse=True)
        rates = self.model.add_columns(np.zeros(len(meters) * intervals))
        rates = rates.reshape(len(meters), intervals)
        self.meters = rates
        by_substep = np.repeat(rates, timing.substeps, 1)
        left = whole / np.maximum(np.repeat(best, timing.substeps, 1), TINY_GBIT)
        self.model.add_entries(
            rows[meters].ravel(),
            by_substep.ravel(),
            -timing.substep_s * left[pools.link[meters]].ravel(),
        )
        if len(links):
            most = best[links] / timing.substep_s
            sums = self.model.add_rows((most * least[links, None]).ravel())
            sums = sums.reshape(len(links), intervals)
            self.model.add_entries(sums[link_of].ravel(), rates.ravel(), 1.0)
            self._widen(sums, more[links], most)
        shared = np.flatnonzero(pools.is_shared)
        by_substep = np.repeat(more, timing.substeps, 1)[pools.link[shared]]
        self._widen(rows[shared], by_substep, whole[pools.link[shared]])
        return rows

    def _bought(self, intervals: int) -> tuple[np.ndarray, np.ndarray]:
        """Column of what is bought on each link, -1 for none, (links, intervals); least shares."""
        links = self.network.n_links
        if self.elastic is None:
            return np.full((links, intervals), -1), np.ones(links)
        first = self.first // self.timing.substeps
        counted = np.arange(first, first + intervals) >= self.timing.warmup_intervals
        cost = self.elastic.usd[:, None] * counted
        upper = np.repeat(1.0 - self.elastic.least, intervals)
        columns = self.model.add_columns(cost.ravel(), upper).reshape(cost.shape)
        none = np.full((1, intervals), -1)
        menu = self.elastic.menu
        return np.concatenate([columns, none])[menu], np.append(self.elastic.least, 1.0)[menu]

    def _widen(self, rows: np.ndarray, columns: np.ndarray, whole: np.ndarray) -> None:
        """Rows are wider by what is bought."""
        sold = columns >= 0
        self.model.add_entries(rows[sold], columns[sold], -whole[sold])

    def _work(self) -> None:
        """Columns of service: per unit, tunnel and substep of its window."""
        units = self.units
        rows = np.flatnonzero((units.start >= self.first) & (units.start < self.last))
        unit_rows = np.full(len(units.demand), -1)
        unit_rows[rows] = self.model.add_rows(units.gbit[rows])
        self._pieces()
        length = np.minimum(units.end, self.last - 1) - units.start
        for age in range(int(length[rows].max(initial=-1)) + 1):
            self._serve(rows[length[rows] >= age], age, unit_rows)

    def _pieces(self) -> None:
        """Dear pieces: at most their room by substep, together at most what is served in it."""
        pieces = self.pieces
        bent = np.flatnonzero((pieces.width > 0).any(1))
        offered = pieces.offered_gbit[bent, self.first : self.last]
        self.piece_rows = np.full((self.network.n_demands, self.substeps), -1)
        self.piece_rows[bent] = self.model.add_rows(np.zeros(offered.size)).reshape(offered.shape)
        counted = self.clock.counted[self.first : self.last]
        for piece in range(pieces.width.shape[1]):
            extra = pieces.extra[bent, piece][:, None] * counted
            room = pieces.width[bent, piece][:, None] * offered
            sold = room > 0
            columns = self.model.add_columns(-extra[sold], room[sold])
            self.model.add_entries(self.piece_rows[bent][sold], columns, 1.0)

    def _serve(self, rows: np.ndarray, age: int, unit_rows: np.ndarray) -> None:
        law, units, network = self.network.law, self.units, self.network
        demand, substep = units.demand[rows], units.start[rows] + age
        counted = self.clock.counted[substep]
        value = self.pieces.endless[demand] * counted
        piece_rows = self.piece_rows[demand, substep - self.first]
        waited = self.clock.waited_s[substep] - self.clock.waited_s[units.start[rows]]
        gain = value + self.refusal[rows] - law.late_usd_per_gbit_s[demand] * waited
        for tunnel in range(network.n_tunnels):
            here = np.flatnonzero(network.tunnels.exists[demand, tunnel])
            egress = network.tunnels.egress_usd_per_gbit[demand[here], tunnel] * counted[here]
            columns = self.model.add_columns(egress - gain[here] - TIE_BREAK * (age == 0))
            flat = demand[here] * network.n_tunnels + tunnel
            self.model.add_entries(unit_rows[rows[here]], columns, 1.0)
            bent = piece_rows[here] >= 0
            self.model.add_entries(piece_rows[here][bent], columns[bent], -1.0)
            for hop in range(self.pools.hops.shape[1]):
                pool = self.pools.hops[flat, hop]
                real = pool < len(self.pools.link)
                at = self.pool_rows[pool[real], substep[here][real] - self.first]
                self.model.add_entries(at, columns[real], 1.0)
            self.served.append((flat, substep[here] - self.first, columns))

    def _carried(self, values: np.ndarray) -> np.ndarray:
        """Planned work by demand, tunnel and substep of the chunk."""
        shape = self.network.tunnels.exists.shape
        carried = np.zeros((shape[0] * shape[1], self.substeps))
        for flat, substep, columns in self.served:
            np.add.at(carried, (flat, substep), values[columns])
        return carried.reshape(*shape, self.substeps)


TINY_GBIT = 1e-9
TIE_BREAK = 1e-12
"""Serving at once wins where waiting costs nothing."""
