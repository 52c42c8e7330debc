"""The linear programme of traffic engineering: the splits with the least largest utilisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import highspy
import numpy as np

from bwalloc.allocate.lp.highs import quiet_solver
from bwalloc.errors import SolverError

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.bench.te.network import SplitNetwork


class SplitProgramme:
    """Minimise the weighted mean, over scenarios, of the utilisation of the fullest link.

    One scenario is the classical problem (Fortz & Thorup, INFOCOM 2000, in path form); several are
    a sample average over loads that may come (Shapiro et al., Lectures on Stochastic Programming).
    Variables: share of demand per tunnel, then the MLU of each scenario.

    Many splits are equally good for the same loads. The simplex method, from the last basis,
    answers with a corner of them: most demands on one tunnel. The interior point method without
    crossover stops near their centre, which serves loads that were not asked about far better.
    """

    def __init__(self, network: SplitNetwork, scenarios: int = 1, *, centred: bool = False) -> None:
        """Prepare the rows; `solve` sets the loads.

        Args:
            network: what is routed on.
            scenarios: how many loads are weighed.
            centred: interior point without crossover instead of simplex.
        """
        self.network, self.scenarios = network, scenarios
        self.tunnels = np.flatnonzero(network.exists.ravel())
        self.demand_of = self.tunnels // network.exists.shape[1]
        hops = network.hops.reshape(-1, network.hops.shape[2])[self.tunnels]
        self.column, place = np.nonzero(hops < network.n_links)
        self.link = hops[self.column, place]
        self.solver = quiet_solver()
        self.is_centred = centred
        if centred:
            self.solver.setOptionValue("solver", "ipm")
            self.solver.setOptionValue("run_crossover", "off")
        self.is_passed = False

    def solve(
        self,
        load_gbps: Float[np.ndarray, "scenarios demands"],
        weights: Float[np.ndarray, " scenarios"] | None = None,
    ) -> tuple[Float[np.ndarray, "demands tunnels 1"], float]:
        """The best splits for these loads, and the weighted mean of their MLU.

        Raises:
            SolverError: HiGHS did not reach optimality.
        """
        weights = np.full(self.scenarios, 1 / self.scenarios) if weights is None else weights
        self._pass(np.asarray(load_gbps, np.float64), np.asarray(weights, np.float64))
        self.solver.run()
        status = self.solver.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            msg = f"HiGHS stopped with {status} on the splits of {self.network.n_demands} demands."
            raise SolverError(msg)
        value = np.array(self.solver.getSolution().col_value)[: len(self.tunnels)].clip(0)
        splits = np.zeros(self.network.exists.shape)
        splits.ravel()[self.tunnels] = value
        splits /= splits.sum(1, keepdims=True)
        return splits[..., None].astype(np.float32), self.solver.getObjectiveValue()

    def _pass(self, load_gbps: np.ndarray, weights: np.ndarray) -> None:
        """Hand the model over, keeping the basis of the last one."""
        basis = self.solver.getBasis() if self.is_passed and not self.is_centred else None
        lp, n, count = highspy.HighsLp(), self.network.n_demands, self.scenarios
        links, shares = self.network.n_links, len(self.tunnels)
        lp.num_col_, lp.num_row_ = shares + count, n + count * links
        lp.col_cost_ = np.concatenate([np.zeros(shares), weights])
        lp.col_lower_ = np.zeros(lp.num_col_)
        lp.col_upper_ = np.full(lp.num_col_, np.inf)
        lp.row_lower_ = np.concatenate([np.ones(n), np.full(count * links, -np.inf)])
        lp.row_upper_ = np.concatenate([np.ones(n), np.zeros(count * links)])
        row, column, value = self._entries(load_gbps)
        order = np.lexsort((row, column))
        counts = np.bincount(column, minlength=lp.num_col_)
        matrix: Any = lp.a_matrix_
        matrix.format_ = highspy.MatrixFormat.kColwise
        matrix.start_ = np.concatenate([[0], np.cumsum(counts)])
        matrix.index_, matrix.value_ = row[order], value[order]
        self.solver.passModel(lp)
        if basis is not None:
            self.solver.setBasis(basis)
        self.is_passed = True

    def _entries(self, load_gbps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Shares of a demand add up to 1; load over capacity <= MLU, per scenario and link."""
        n, links, shares = self.network.n_demands, self.network.n_links, len(self.tunnels)
        rows, columns = [self.demand_of], [np.arange(shares)]
        values = [np.ones(shares)]
        for number, load in enumerate(load_gbps):
            first = n + number * links
            rows += [first + self.link, first + np.arange(links)]
            columns += [self.column, np.full(links, shares + number)]
            used = load[self.demand_of[self.column]] / self.network.capacity_gbps[self.link]
            values += [used, np.full(links, -1.0)]
        return np.concatenate(rows), np.concatenate(columns), np.concatenate(values)
