"""`stochastic-lp`: a two-stage program over what may arrive, solved before it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.lp.outlook import MEMORY, learn_outlook
from bwalloc.allocate.lp.pair_lp import PIECES, PairLp
from bwalloc.allocate.lp.pair_worth import pairs_of
from bwalloc.allocate.lp.stall_worth import stall_worth
from bwalloc.allocate.rules.reactive import FLOOR_GBPS
from bwalloc.observe import Window

if TYPE_CHECKING:
    from bwalloc.allocate.rule import Context
    from bwalloc.network import Network
    from bwalloc.observe import Readings


class StochasticLp:
    """Rates first, loads second: the rates that earn most on average over the scenarios.

    Work within its deadline counts where it can be served: a scenario is a mean load over
    `1 substep + smoothing * (deadline - 1 substep)`, and the first of them hold the backlog too.
    Work that may wait beyond the interval counts whole at the rate that keeps its deadlines, and
    `patience` times its value above. What the optimum leaves unused goes by its own rates.
    """

    def __init__(self, context: Context) -> None:
        """Learn the outlook from the record, and rank what the demands pay."""
        network = self.network = context.network
        stall = stall_worth(network)
        deadline = network.demands.deadline_s.astype(np.float64)
        in_groups = stall.usd_per_gbit > 0
        soon = np.minimum(deadline, network.interval_s / stall.hurry)
        deadline = np.where(in_groups, soon, deadline)
        self.deadline_s, self.waits = deadline, deadline > network.interval_s
        self.decoder = Decoder(network)
        self.margin = context.by_class("margin", 1.0).astype(np.float64)
        self.pairs = pairs_of(
            network, context.constant("patience", 0.5), stall.usd_per_gbit, self.waits
        )
        substep_s = network.interval_s / context.history.log.substeps
        averaged = substep_s + context.constant("smoothing", 2.0) * (deadline - substep_s)
        self.outlook = learn_outlook(
            context.history,
            network.interval_s,
            np.minimum(averaged, network.interval_s),
            context.constant("alpha", 0.1),
        )
        self.programmes: list[PairLp] = []
        self.history = Window(MEMORY)

    def reset(self, batch: int) -> None:
        """Forget the window; each episode has a programme, and so a warm start, of its own."""
        self.programmes = [PairLp(self.network, self.pairs.first) for _ in range(batch)]
        self.history = Window(MEMORY)

    def decide(self, readings: Readings) -> np.ndarray:
        """Solve, share the rates of pairs out, and let `decode` hand out the rest."""
        self.history.push(readings)
        work = self.pairs.work(self._load(readings))
        curves = self.pairs.curves(work, PIECES)
        by_tunnel = np.stack(
            [
                programme.solve(
                    curves.width_gbps[:, :, b],
                    curves.slope_usd_per_gbit[:, :, b],
                    readings.capacity_gbps[:, b],
                )
                for b, programme in enumerate(self.programmes)
            ],
            2,
        )
        want = self.pairs.guarantees(by_tunnel.sum(1), work).astype(np.float32)
        split = by_tunnel[self.pairs.pair].astype(np.float32)
        weight = want + FLOOR_GBPS
        ask = Ask(want, weight, split, weight)
        return self.decoder(ask, readings.capacity_gbps)

    def _load(self, readings: Readings) -> np.ndarray:
        """Load that counts whole, and load that may wait, (2, demands, B, scenarios)."""
        arriving = self.outlook.scenarios(self.history, readings) * self.margin
        arriving = np.moveaxis(arriving, 0, 2)
        queued = readings.queued_gbit.astype(np.float64)
        backlog = queued.sum(1)[:, :, None]
        deadline = self.deadline_s[:, None, None]
        scenario = np.arange(arriving.shape[2])
        every = np.maximum(np.round(self.network.interval_s / deadline), 1)
        first = (scenario % every == 0) & ~self.waits[:, None, None]
        now = arriving + np.where(first, backlog / deadline, 0.0)
        due = _due_gbps(self.network, queued)[:, :, None]
        rest = np.maximum(backlog / self.network.interval_s - due, 0.0)
        waits = self.waits[:, None, None]
        return np.stack([np.where(waits, due, now), np.where(waits, arriving + rest, 0.0)])


def _due_gbps(network: Network, queued_gbit: np.ndarray) -> np.ndarray:
    """The least constant rate that keeps all deadlines of what is queued, (demands, B).

    Slots are taken to divide the deadline evenly. Ref: Liu & Layland, J. ACM 20 (1973): earliest
    deadline first keeps all deadlines if the work due by each fits.
    """
    slots = queued_gbit.shape[1]
    ends = network.demands.deadline_s[:, None] * (np.arange(slots) + 1) / slots
    return (np.cumsum(queued_gbit, 1) / ends[:, :, None]).max(1, initial=0.0)
