"""Floors: where to put the rates that were promised, so that all of them fit while they can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.rule import wide_split

if TYPE_CHECKING:
    from bwalloc.network import Network

MET = 1e-4
"""Missing share of a floor that counts as met: six rounds of float32 leave as much."""
SOLVE_S = 0.25
"""Longest time for the linear programme."""


class FloorPlan:
    """Rates by tunnel that give every demand its floor; made anew only when capacities change."""

    def __init__(self, network: Network, floors_gbps: np.ndarray) -> None:
        """Hold the floors, (demands,)."""
        self.network = network
        self.floors_gbps = floors_gbps
        self.decoder = Decoder(network, keeps_floors=False)
        self._made: tuple[np.ndarray, np.ndarray, bool] | None = None

    def __call__(self, room_gbps: np.ndarray) -> tuple[np.ndarray, bool]:
        """Rates (demands, tunnels) within `room_gbps` (links,), and whether every floor is met.

        Floors that cannot all be met are shared out like scarce capacity, in proportion.
        """
        made = self._made
        if made is None or not np.array_equal(made[0], room_gbps):
            made = (room_gbps.copy(), *self._plan(room_gbps))
            self._made = made
        return made[1], made[2]

    def _plan(self, room_gbps: np.ndarray) -> tuple[np.ndarray, bool]:
        shared = self._shared(room_gbps)
        if (shared.sum(1) >= self.floors_gbps * (1 - MET)).all():
            return shared, True
        solved = self._solved(room_gbps)
        return (shared, False) if solved is None else (solved, True)

    def _shared(self, room_gbps: np.ndarray) -> np.ndarray:
        """What `decode` makes of the floors: quick, and fair where they do not fit."""
        want = self.floors_gbps.astype(np.float32)[:, None]
        room = room_gbps.astype(np.float32)[:, None]
        ask = Ask(want, want + np.float32(1e-6), wide_split(self.network, room), want * 0)
        return self.decoder(ask, room)[:, :, 0].astype(np.float64)

    def _solved(self, room_gbps: np.ndarray) -> np.ndarray | None:
        """The exact answer of a linear programme, or None: they do not fit (or time ran out)."""
        import highspy  # takes 0.3 s to import

        from bwalloc.allocate.lp.highs import quiet_solver
        from bwalloc.allocate.plan.model import Model

        network, model = self.network, Model()
        is_floored = (self.floors_gbps > 0)[:, None] & network.tunnels.exists
        flat = np.flatnonzero(is_floored)
        columns = model.add_columns(np.full(len(flat), -1.0))
        demands = model.add_rows(self.floors_gbps)
        model.add_entries(demands[flat // network.n_tunnels], columns, 1.0)
        links = model.add_rows(room_gbps)
        crossing, places = np.nonzero(network.flat_hops[flat] < network.n_links)
        crossed = network.flat_hops[flat[crossing], places]
        model.add_entries(links[crossed], columns[crossing], 1.0)
        solver = quiet_solver()
        solver.setOptionValue("time_limit", SOLVE_S)
        solver.passModel(model.lp())
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        rates = np.zeros(is_floored.size)
        rates[flat] = np.maximum(np.array(solver.getSolution().col_value), 0.0)
        rates = rates.reshape(is_floored.shape)
        return rates if (rates.sum(1) >= self.floors_gbps * (1 - MET)).all() else None
