"""The LP of the coming intervals: which rates earn most if the given load arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import highspy
import numpy as np

from bwalloc.allocate.lp.highs import quiet_solver
from bwalloc.allocate.lp.stall_worth import stall_worth
from bwalloc.errors import SolverError

if TYPE_CHECKING:
    from bwalloc.network import Network

Entries = tuple[np.ndarray, np.ndarray, np.ndarray]


class ValueLp:
    """Maximise the value of served load over `horizon` intervals; HiGHS keeps the last basis.

    Variables per interval: a rate per tunnel, the served rate per piece of the value law, and the
    backlog handed on by demands whose deadline is longer than an interval. Ref: the path form of
    multi-commodity flow; Ahuja, Magnanti & Orlin, Network Flows (1993), ch. 17.
    """

    def __init__(self, network: Network, horizon: int) -> None:
        """Build the model; loads and capacities are set before each solve."""
        self.network, self.horizon = network, horizon
        self.law, self.stall = network.law, stall_worth(network)
        self.exists = np.flatnonzero(network.tunnels.exists.ravel())
        self.demand_of = self.exists // network.n_tunnels
        self.pieces = np.argwhere(self.law.value_usd_per_gbit > 0)
        self.waits = np.flatnonzero(network.demands.deadline_s > network.interval_s)
        self.width = len(self.exists) + len(self.pieces) + len(self.waits)
        self.height = 2 * network.n_demands + network.n_links
        self.model = self._model()

    def solve(
        self, load_gbps: np.ndarray, backlog_gbit: np.ndarray, capacity: np.ndarray
    ) -> np.ndarray:
        """Rates of the first interval, (demands, tunnels).

        Args:
            load_gbps: expected load, (horizon, demands).
            backlog_gbit: work already queued, (demands,).
            capacity: of each link, (links,).

        Raises:
            SolverError: HiGHS did not reach optimality.
        """
        n, links = self.network.n_demands, self.network.n_links
        offered = load_gbps.copy()
        offered[0] += backlog_gbit / self.network.interval_s * self.stall.hurry
        rows = np.arange(self.horizon)[:, None] * self.height
        balance = (rows + n + np.arange(n)).ravel()
        bound = (rows + 2 * n + np.arange(links)).ravel()
        room = np.tile(capacity.astype(np.float64), self.horizon)
        self._set_rows(balance, np.full(balance.size, -np.inf), offered.ravel())
        self._set_rows(bound, np.full(bound.size, -np.inf), room)
        columns = np.arange(self.horizon)[:, None] * self.width + len(self.exists)
        columns = (columns + np.arange(len(self.pieces))).ravel()
        share = self.law.piece_share[self.pieces[:, 0], self.pieces[:, 1]]
        upper = (offered[:, self.pieces[:, 0]] * share).ravel()
        self.model.changeColsBounds(columns.size, columns, np.zeros(columns.size), upper)
        self.model.run()
        if self.model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            msg = f"HiGHS stopped with {self.model.getModelStatus()} on the LP of {n} demands."
            raise SolverError(msg)
        rates = np.zeros(self.network.tunnels.exists.size)
        solution = np.asarray(self.model.getSolution().col_value[: len(self.exists)])
        rates[self.exists] = np.maximum(solution, 0.0)  # bounds hold to the tolerance of HiGHS only
        return rates.reshape(self.network.tunnels.exists.shape)

    def _set_rows(self, rows: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
        change: Any = self.model.changeRowsBounds  # pyright: ignore[reportAttributeAccessIssue]
        change(rows.size, rows, lower, upper)

    def _model(self) -> highspy.Highs:
        entries = [self._entries(step) for step in range(self.horizon)]
        row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
        order = np.lexsort((row, column))
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self.width * self.horizon, self.height * self.horizon
        lp.col_cost_ = np.tile(self._cost(), self.horizon)
        lp.col_lower_, lp.col_upper_ = np.zeros(lp.num_col_), np.full(lp.num_col_, np.inf)
        lp.row_lower_, lp.row_upper_ = self._row_bounds()
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        counts = np.bincount(column, minlength=lp.num_col_)
        lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(counts)])
        lp.a_matrix_.index_, lp.a_matrix_.value_ = row[order], value[order]
        lp.sense_ = highspy.ObjSense.kMaximize
        model = quiet_solver()
        model.passModel(lp)
        return model

    def _cost(self) -> np.ndarray:
        values = self.law.value_usd_per_gbit[self.pieces[:, 0], self.pieces[:, 1]]
        values = values + self.stall.usd_per_gbit[self.pieces[:, 0]]
        egress = self.network.tunnels.egress_usd_per_gbit.ravel()[self.exists]
        waiting = self.law.late_usd_per_gbit_s[self.waits] * self.network.interval_s
        waiting = waiting + self.stall.usd_per_gbit[self.waits]
        return np.concatenate([-egress, values, -waiting - 1e-9])

    def _row_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        n, links = self.network.n_demands, self.network.n_links
        lower = np.concatenate([np.zeros(n), np.full(n + links, -np.inf)])
        upper = np.concatenate([np.zeros(n), np.full(n + links, np.inf)])
        return np.tile(lower, self.horizon), np.tile(upper, self.horizon)

    def _entries(self, step: int) -> Entries:
        """Rows: served pieces = tunnel rates; served + handed on <= load + handed over; links."""
        n, top, left = self.network.n_demands, step * self.height, step * self.width
        tunnels = left + np.arange(len(self.exists))
        pieces = left + len(self.exists) + np.arange(len(self.pieces))
        waits = left + len(self.exists) + len(self.pieces) + np.arange(len(self.waits))
        hops = self.network.flat_hops[self.exists]
        tunnel, place = np.nonzero(hops < self.network.n_links)
        parts = [
            (top + self.demand_of, tunnels, 1.0),
            (top + self.pieces[:, 0], pieces, -1.0),
            (top + n + self.demand_of, tunnels, 1.0),
            (top + n + self.waits, waits, 1.0),
            (top + 2 * n + hops[tunnel, place], tunnels[tunnel], 1.0),
        ]
        if step:
            parts.append((top + n + self.waits, waits - self.width, -1.0))
        row, column = (np.concatenate([part[axis] for part in parts]) for axis in (0, 1))
        return row, column, np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
