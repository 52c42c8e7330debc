"""Rates fixed in advance: by the mean, by the peak (legacy), or by the hour of day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.decode import Ask
from bwalloc.allocate.rule import Context, wide_split

if TYPE_CHECKING:
    from bwalloc.observe import Readings, Window


class Static:
    """Every demand holds its train mean times a factor; spare capacity goes by mean too."""

    window = 1

    def __init__(self, context: Context) -> None:
        """Fix the rates."""
        self.network = context.network
        self.want = _column(context.history.mean_gbps) * context.constant("factor", 1.0)

    def ask(self, window: Window, readings: Readings) -> Ask:
        """The same every interval."""
        del window
        return _fixed(self, readings, self.want, spare=self.want)


class StaticPeak:
    """Legacy: provisioned once, every demand at its highest interval mean on train, never lent."""

    window = 1

    def __init__(self, context: Context) -> None:
        """Fix the rates."""
        self.network = context.network
        self.want = _column(context.history.peak_gbps)

    def ask(self, window: Window, readings: Readings) -> Ask:
        """The same every interval; scarce links are shared in proportion to the peaks."""
        del window
        return _fixed(self, readings, self.want, spare=self.want)


class Schedule:
    """Every demand holds its train mean of this hour of day, times a factor."""

    window = 1

    def __init__(self, context: Context) -> None:
        """Keep the hourly record."""
        self.network = context.network
        self.hourly = context.history.hourly_gbps.astype(np.float32)
        self.factor = context.constant("factor", 1.2)

    def ask(self, window: Window, readings: Readings) -> Ask:
        """The rates of the hour that begins."""
        del window
        hour = (np.asarray(readings.hour_of_week) % 24).astype(int)
        want = self.hourly[hour].T * np.float32(self.factor)
        return _fixed(self, readings, want, spare=want)


def _fixed(
    rule: Static | StaticPeak | Schedule, readings: Readings, want: np.ndarray, spare: np.ndarray
) -> Ask:
    batch = readings.offered_gbps.shape[1]
    want = np.broadcast_to(want, (want.shape[0], batch)).astype(np.float32)
    spare = np.broadcast_to(spare, want.shape).astype(np.float32)
    split = wide_split(rule.network, readings.capacity_gbps)
    return Ask(want, np.maximum(want, np.float32(1e-3)), split, spare)


def _column(values: np.ndarray) -> np.ndarray:
    return values[:, None].astype(np.float32)
