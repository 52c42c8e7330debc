"""The moving window of recent intervals, with its order statistics kept up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bwalloc.observe.readings import Readings


class Window:
    """The last `length` intervals of what each demand offered, of a batch of episodes.

    It starts filled with the first reading it gets. Each column is worked on alone, so that a
    batch gives the numbers of its episodes played one by one.
    """

    def __init__(self, length: int) -> None:
        """Start empty; the first push decides the shape."""
        self.length = length
        self.pushes = 0
        self._rows = np.zeros((length, 0, 0), np.float32)
        self._ordered = self._rows

    @property
    def offered_gbps(self) -> np.ndarray:
        """Interval means, (length, demands, B), in no order."""
        return self._rows

    def push(self, readings: Readings) -> None:
        """Put the newest interval in the place of the oldest."""
        newest = readings.offered_gbps
        if not self.pushes:
            self._rows = np.repeat(newest[None], self.length, 0)
            self._ordered = self._rows.copy()
        else:
            place = self.pushes % self.length
            self._ordered = _exchanged(self._ordered, self._rows[place], newest)
            self._rows[place] = newest
        self.pushes += 1

    def restart(self, columns: np.ndarray, readings: Readings) -> None:
        """Forget what these columns offered; their newest reading stands for all before it."""
        for rows in (self._rows, self._ordered):
            rows[:, :, columns] = readings.offered_gbps[:, columns]

    def ewma(self, alpha: float) -> np.ndarray:
        """Exponentially weighted mean of the interval means, newest weighing most, (demands, B)."""
        ages = (self.pushes - 1 - np.arange(self.length)) % self.length
        weights = (1.0 - alpha) ** ages
        weights = (weights / weights.sum()).astype(np.float32)
        return (self._rows * weights[:, None, None]).sum(0)

    def quantile(self, level: float) -> np.ndarray:
        """Empirical quantile of the interval means, (demands, B)."""
        return self._ordered[round(level * (self.length - 1))]


def _exchanged(ordered: np.ndarray, gone: np.ndarray, new: np.ndarray) -> np.ndarray:
    """`ordered` (ascending along axis 0) with one value of each column exchanged for another."""
    kept = np.where(ordered[:-1] < gone, ordered[:-1], ordered[1:])
    result = np.empty_like(ordered)
    np.minimum(kept, new, out=result[:-1])
    result[-1] = new
    np.maximum(result[1:], kept, out=result[1:])
    return result
