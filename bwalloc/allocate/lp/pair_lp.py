"""The LP that shares the links among pairs of sites by what rates are worth to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import highspy
import numpy as np

from bwalloc.allocate.lp.highs import quiet_solver
from bwalloc.allocate.plan.model import Model
from bwalloc.errors import SolverError

if TYPE_CHECKING:
    from bwalloc.network import Network

PIECES = 32
"""Pieces of a curve that the LP is given."""


class PairLp:
    """Maximise the worth of the rates of pairs; HiGHS keeps the last basis.

    Variables: a rate per pair and tunnel, and the part of each piece of its curve that they cover.
    """

    def __init__(self, network: Network, first: np.ndarray) -> None:
        """Build the model; curves and capacities are set before each solve.

        Args:
            network: whose tunnels and links.
            first: a demand of each pair, (pairs,).
        """
        tunnels = network.tunnels
        self.shape = (len(first), network.n_tunnels)
        self.pair, self.tunnel = np.nonzero(tunnels.exists[first])
        valued = network.law.value_usd_per_gbit
        self.scale = 1.0 / float(np.median(valued[valued > 0])) if (valued > 0).any() else 1.0
        egress = tunnels.egress_usd_per_gbit[first][self.pair, self.tunnel]
        model = Model()
        self.rates = model.add_columns(egress * self.scale + TIE_BREAK)
        self.parts = model.add_columns(np.zeros(self.shape[0] * PIECES), 0.0)
        covered = model.add_rows(np.zeros(self.shape[0]))
        model.add_entries(np.repeat(covered, PIECES), self.parts, 1.0)
        model.add_entries(covered[self.pair], self.rates, -1.0)
        self.links = model.add_rows(np.zeros(network.n_links))
        hops = tunnels.hops[first][self.pair, self.tunnel]
        rate, place = np.nonzero(hops < network.n_links)
        model.add_entries(self.links[hops[rate, place]], self.rates[rate], 1.0)
        self.solver = quiet_solver()
        self.solver.passModel(model.lp())

    def solve(
        self, width_gbps: np.ndarray, slope_usd_per_gbit: np.ndarray, capacity_gbps: np.ndarray
    ) -> np.ndarray:
        """The best rates, Gbit/s (pairs, tunnels).

        Args:
            width_gbps: of the pieces of the curves, (pieces, pairs).
            slope_usd_per_gbit: of the same pieces, falling.
            capacity_gbps: of each link, (links,).

        Raises:
            SolverError: HiGHS did not reach optimality.
        """
        if not self.rates.size:
            return np.zeros(self.shape)
        count, nothing = self.parts.size, np.zeros(self.parts.size)
        self.solver.changeColsBounds(count, self.parts, nothing, width_gbps.T.ravel())
        cost = -self.scale * slope_usd_per_gbit.T.ravel()
        change_costs: Any = self.solver.changeColsCost
        change_costs(count, self.parts, cost)
        change_rows: Any = self.solver.changeRowsBounds  # pyright: ignore[reportAttributeAccessIssue]
        room = capacity_gbps.astype(np.float64)
        change_rows(room.size, self.links, np.full(room.size, -np.inf), room)
        self.solver.run()
        if self.solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            msg = f"HiGHS stopped with {self.solver.getModelStatus()} on {self.shape[0]} pairs."
            raise SolverError(msg)
        rates = np.zeros(self.shape)
        rates[self.pair, self.tunnel] = self.solver.getSolution().col_value[: self.rates.size]
        return np.maximum(rates, 0.0)


TIE_BREAK = 1e-6
"""Scaled cost of a rate that serves nothing."""
