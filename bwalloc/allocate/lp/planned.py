"""Rules that solve an LP for the expected load: `last-value-lp` and `mpc`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.lp.value_lp import ValueLp
from bwalloc.allocate.rule import Context
from bwalloc.allocate.rules.reactive import FLOOR_GBPS
from bwalloc.observe import Window

if TYPE_CHECKING:
    from bwalloc.observe import Readings


class _LpRule:
    """Solves one LP per episode and interval; what the optimum leaves unused goes by load."""

    def __init__(self, context: Context, horizon: int, window: int) -> None:
        self.network = context.network
        self.horizon = horizon
        self.programmes: list[ValueLp] = []
        self.decoder = Decoder(context.network)
        self.margin = context.by_class("margin", 1.0)
        self.length = window
        self.history = Window(window)

    def reset(self, batch: int) -> None:
        """Forget the window; each episode has a programme, and so a warm start, of its own."""
        self.programmes = [ValueLp(self.network, self.horizon) for _ in range(batch)]
        self.history = Window(self.length)

    def expected(self, readings: Readings) -> np.ndarray:
        """Expected load, (horizon, demands, B)."""
        raise NotImplementedError

    def decide(self, readings: Readings) -> np.ndarray:
        """Solve, then let `decode` hand out the rest in proportion to the load."""
        self.history.push(readings)
        load = self.expected(readings) * self.margin + FLOOR_GBPS
        queued = readings.queued_gbit.sum(1)
        columns = [
            self.programmes[b].solve(
                load[:, :, b].astype(np.float64), queued[:, b], readings.capacity_gbps[:, b]
            )
            for b in range(load.shape[2])
        ]
        rates = np.stack(columns, 2).astype(np.float32)
        want = rates.sum(1)
        return self.decoder(Ask(want, want + FLOOR_GBPS, rates, load[0]), readings.capacity_gbps)


class LastValueLp(_LpRule):
    """The LP optimum of the load that was just seen."""

    def __init__(self, context: Context) -> None:
        """A horizon of one interval."""
        super().__init__(context, horizon=1, window=1)

    def expected(self, readings: Readings) -> np.ndarray:
        """The last load once more."""
        return readings.offered_gbps[None]


class Mpc(_LpRule):
    """Model-predictive control: the LP over a horizon of forecasts, its first step used.

    The forecast is the recent mean, returning to the hour's train mean with the time constant
    measured on real services (0.8 h; ServeGen, NSDI'26, calibrated in the workloads room).
    Ref: Rawlings, Mayne & Diehl, Model Predictive Control (2017), ch. 1.
    """

    def __init__(self, context: Context) -> None:
        """Read horizon and smoothing."""
        super().__init__(context, horizon=int(context.constant("horizon", 3)), window=16)
        self.alpha = context.constant("alpha", 0.4)
        self.hourly = context.history.hourly_gbps.astype(np.float32)
        self.tau_h = context.constant("tau_h", 0.8)

    def expected(self, readings: Readings) -> np.ndarray:
        """Recent mean decaying to the hourly mean."""
        recent = self.history.ewma(self.alpha)
        usual = self.hourly[(np.asarray(readings.hour_of_week) % 24).astype(int)].T
        ahead = np.arange(self.horizon, dtype=np.float32) * self.network.interval_s / 3600.0
        keep = np.exp(-ahead / self.tau_h).astype(np.float32)[:, None, None]
        return usual + (recent - usual) * keep
