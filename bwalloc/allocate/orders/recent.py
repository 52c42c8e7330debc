"""What order laws remember: the loads of the last minutes, beside those of the usual day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.observe import Recent

if TYPE_CHECKING:
    from bwalloc.allocate.rule import Context
    from bwalloc.observe import Readings

LOOK_BACK_S = 900.0


class RecentLoads:
    """Loads of the last `LOOK_BACK_S`, and the hourly record of the train split."""

    def __init__(self, context: Context) -> None:
        """Keep the record."""
        self.hourly = context.history.hourly_gbps
        self.length = max(1, round(LOOK_BACK_S / context.network.interval_s))
        self.reset()

    def reset(self) -> None:
        """Forget the last intervals."""
        self.recent: Recent | None = None

    def push(self, readings: Readings) -> None:
        """Take in an interval."""
        if self.recent is None:
            self.recent = Recent.nothing(self.length, *readings.offered_gbps.shape)
        self.recent = self.recent.pushed(readings)

    def mean_gbps(self, usual: np.ndarray) -> np.ndarray:
        """Mean of what was seen; `usual` where nothing was, (demands, B)."""
        return usual if self.recent is None else self.recent.mean(usual)


def usual_gbps(hourly_gbps: np.ndarray, hour: np.ndarray) -> np.ndarray:
    """The hourly record (24, demands) between the middles of its hours, (demands, *hour)."""
    place = hour - 0.5
    low, part = np.floor(place).astype(int), place - np.floor(place)
    rows = np.moveaxis(hourly_gbps, 1, 0)
    return rows[:, low % 24] * (1.0 - part) + rows[:, (low + 1) % 24] * part
