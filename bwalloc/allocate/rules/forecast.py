"""Predict, then decode: `forecast`, its constant correction, and pooled guarantees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.decode import Ask
from bwalloc.allocate.rule import Context, backlog_gbps, wide_split
from bwalloc.allocate.rules.reactive import FLOOR_GBPS
from bwalloc.arrays import Array, like

if TYPE_CHECKING:
    from bwalloc.observe import Readings, Window


class Forecast:
    """A quantile forecast per demand, scaled by a margin per class, weighted by value.

    level = (1 - mix) * EWMA + mix * quantile of the window, `floor` times its mean at least;
    want = margin * level + backlog; weight = value ** value_exponent;
    spare weight = want * value ** spare_exponent.
    """

    window = 30

    def __init__(self, context: Context) -> None:
        """Read the tuned constants."""
        self.network = context.network
        self.alpha = context.constant("alpha", 0.3)
        self.quantile = context.constant("quantile", 0.9)
        self.floor = np.float32(context.constant("floor", 0.0))
        self.mix = context.by_class("mix", 0.5)
        self.margin = context.by_class("margin", 1.2)
        value = context.value_usd_per_gbit / context.value_usd_per_gbit.mean()
        self.weight = value ** np.float32(context.constant("value_exponent", 0.5))
        self.spare = value ** np.float32(context.constant("spare_exponent", 0.0))
        self._split_for: tuple[Array, Array] | None = None

    def ask(self, window: Window, readings: Readings) -> Ask:
        """The forecast of the coming interval."""
        return self.ask_for(self.level_gbps(window), readings)

    def level_gbps(self, window: Window) -> np.ndarray:
        """The level expected, before margin and backlog, (demands, B)."""
        level = (1 - self.mix) * window.ewma(self.alpha) + self.mix * window.quantile(self.quantile)
        return np.maximum(level, self.floor * window.ewma(0.0)) if self.floor > 0 else level

    def ask_for(self, level_gbps: Array, readings: Readings) -> Ask:
        """What to ask at a level; runs on NumPy and on torch, through which gradients flow."""
        margin, weight, spare = (
            like(part, level_gbps) for part in (self.margin, self.weight, self.spare)
        )
        want = margin * level_gbps + backlog_gbps(self.network, readings) + FLOOR_GBPS
        return Ask(want, weight + 0 * want, self._split(readings.capacity_gbps), want * spare)

    def _split(self, capacity_gbps: Array) -> Array:
        """`wide_split`, kept (on NumPy) while the capacities stay as they are."""
        if not isinstance(capacity_gbps, np.ndarray):
            return wide_split(self.network, capacity_gbps)
        if self._split_for is None or not np.array_equal(self._split_for[0], capacity_gbps):
            split = wide_split(self.network, capacity_gbps)
            self._split_for = capacity_gbps.copy(), split
        return self._split_for[1]


class Constant:
    """`forecast` with one constant action per class: no telemetry enters the correction.

    It tells how much of a learned policy's gain is a good constant.
    """

    window = Forecast.window

    def __init__(self, context: Context, forecast: Context) -> None:
        """Read the action; `forecast` holds the constants of the allocator it corrects."""
        self.base = Forecast(forecast)
        self.reserve = np.exp(context.by_class("reserve", 0.0))
        self.weight = np.exp(context.by_class("weight", 0.0))
        self.spare = np.exp(context.by_class("spare", 0.0))

    def ask(self, window: Window, readings: Readings) -> Ask:
        """The forecast's ask, each column scaled by its constant."""
        base = self.base.ask(window, readings)
        return Ask(
            base.want_gbps * self.reserve,
            base.weight * self.weight,
            base.split,
            base.spare_weight * self.spare,
        )


class Guarantee:
    """Guarantees per borrowing group, lent inside it hop by hop.

    Demands between one pair of sites borrow from each other on work-conserving links and inside
    their meters, so the quantile is taken of their sum (statistical multiplexing) and shared by
    mean and value.
    """

    window = 30

    def __init__(self, context: Context) -> None:
        """Group the demands by pair of sites."""
        self.network = context.network
        demands = context.network.demands
        pairs = list(zip(demands.source.tolist(), demands.target.tolist(), strict=True))
        index = {pair: row for row, pair in enumerate(dict.fromkeys(pairs))}
        self.group = np.array([index[pair] for pair in pairs])
        self.belongs = (self.group[:, None] == np.arange(len(index))).astype(np.float32)
        self.alpha = context.constant("alpha", 0.3)
        self.quantile = context.constant("quantile", 0.9)
        self.mix = np.float32(context.constant("mix", 0.5))
        self.margin = context.by_class("margin", 1.2)
        value = context.value_usd_per_gbit / context.value_usd_per_gbit.mean()
        self.weight = value ** np.float32(context.constant("value_exponent", 0.5))
        self.spare = value ** np.float32(context.constant("spare_exponent", 0.0))

    def ask(self, window: Window, readings: Readings) -> Ask:
        """The pooled forecast, shared inside each group by mean times margin."""
        mean = window.ewma(self.alpha) * self.margin + FLOOR_GBPS
        past = np.stack([(self.belongs.T @ (row * self.margin)) for row in window.offered_gbps])
        high = np.sort(past, axis=0)[round(self.quantile * (len(past) - 1))]
        pooled = self.belongs.T @ mean
        target = (1 - self.mix) * pooled + self.mix * np.maximum(high, pooled)
        want = mean * (target / pooled)[self.group] + backlog_gbps(self.network, readings)
        split = wide_split(self.network, readings.capacity_gbps)
        return Ask(want, want * self.weight, split, want * self.spare)
