"""The moving window of recent intervals, with its mean and its order statistics."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.observe.twin import window_twin_of

if TYPE_CHECKING:
    from bwalloc.observe.readings import Readings


class Window:
    """The last `length` intervals of what each demand offered, of a batch of episodes.

    Order statistics are kept up to date, or, with numba, found when asked for. It starts filled
    with the first reading it gets. Each column is worked on alone, so that a batch gives the
    numbers of its episodes played one by one.
    """

    def __init__(self, length: int, *, compiled: bool | None = None) -> None:
        """Start empty; the first push decides the shape. `compiled` as in `Observer`."""
        self.length, self.compiled = length, compiled
        self.pushes = 0
        self._rows = np.zeros((length, 0, 0), np.float32)
        self._ordered: np.ndarray | None = self._rows

    @property
    def offered_gbps(self) -> np.ndarray:
        """Interval means, (length, demands, B), in no order."""
        return self._rows

    def push(self, readings: Readings) -> None:
        """Put the newest interval in the place of the oldest."""
        newest = readings.offered_gbps
        if not self.pushes:
            self._rows = np.repeat(np.asarray(newest, np.float32)[None], self.length, 0)
            self._ordered = None if window_twin_of(self.compiled) else self._rows.copy()
        else:
            place = self.pushes % self.length
            if self._ordered is not None:
                self._ordered = _exchanged(self._ordered, self._rows[place], newest)
            self._rows[place] = newest
        self.pushes += 1

    def restart(self, columns: np.ndarray, readings: Readings) -> None:
        """Forget what these columns offered; their newest reading stands for all before it."""
        for rows in (self._rows, self._ordered):
            if rows is not None:
                rows[:, :, columns] = readings.offered_gbps[:, columns]

    def carried(self, rows: np.ndarray, readings: Readings) -> Window:
        """A copy for other demands: of `rows` here, -1 for a new one, whose reading stands for all.

        Args:
            rows: by demand of the copy, (demands,).
            readings: of those demands.
        """
        made = Window(self.length, compiled=self.compiled)
        made.pushes, is_new = self.pushes, rows < 0
        made._rows = self._rows.take(rows, 1)
        made._ordered = None if self._ordered is None else self._ordered.take(rows, 1)
        for kept in (made._rows, made._ordered):
            if kept is not None:
                kept[:, is_new] = readings.offered_gbps[is_new]
        return made

    def ewma(self, alpha: float) -> np.ndarray:
        """Exponentially weighted mean of the interval means, newest weighing most, (demands, B)."""
        ages = (self.pushes - 1 - np.arange(self.length)) % self.length
        weights = _weights(alpha, self.length)[ages]
        if self._ordered is None:
            total = np.empty(self._rows.shape[1:], np.float32)
            window_twin_of(True).weighted(self._flat(), weights, total.reshape(-1))
            return total
        return (self._rows * weights[:, None, None]).sum(0)

    def quantile(self, level: float) -> np.ndarray:
        """Empirical quantile of the interval means, (demands, B)."""
        rank = round(level * (self.length - 1))
        if self._ordered is None:
            found = np.empty(self._rows.shape[1:], np.float32)
            window_twin_of(True).ranked(self._flat(), rank, found.reshape(-1))
            return found
        return self._ordered[rank]

    def _flat(self) -> np.ndarray:
        return self._rows.reshape(self.length, -1)


@lru_cache(maxsize=64)
def _weights(alpha: float, length: int) -> np.ndarray:
    """Weight by age, newest first."""
    weights = (1.0 - alpha) ** np.arange(length)
    return (weights / weights.sum()).astype(np.float32)


def _exchanged(ordered: np.ndarray, gone: np.ndarray, new: np.ndarray) -> np.ndarray:
    """`ordered` (ascending along axis 0) with one value of each column exchanged for another."""
    kept = np.where(ordered[:-1] < gone, ordered[:-1], ordered[1:])
    result = np.empty_like(ordered)
    np.minimum(kept, new, out=result[:-1])
    result[-1] = new
    np.maximum(result[1:], kept, out=result[1:])
    return result
