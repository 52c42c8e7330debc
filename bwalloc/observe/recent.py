"""The mean load of the last intervals, of a batch of episodes that may begin at any time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bwalloc.observe.readings import Readings


@dataclass(frozen=True, slots=True)
class Recent:
    """What each demand offered in the last intervals, oldest first; 0 where none was seen yet.

    Attributes:
        rows: Gbit/s, float64 (demands, B) each, as many as are remembered.
        seen: how many of them were seen, int (B,).
    """

    rows: tuple[np.ndarray, ...]
    seen: np.ndarray

    @classmethod
    def nothing(cls, length: int, demands: int, batch: int) -> Recent:
        """Nothing seen yet."""
        return cls((np.zeros((demands, batch)),) * length, np.zeros(batch, np.int64))

    def pushed(self, readings: Readings) -> Recent:
        """With one more interval; a first one in which nothing was offered is none."""
        offered = np.array(readings.offered_gbps, np.float64)
        counts = (self.seen > 0) | offered.any(0)
        seen = np.minimum(self.seen + counts, len(self.rows))
        return Recent((*self.rows[1:], offered), seen)

    def mean(self, instead: np.ndarray) -> np.ndarray:
        """Mean of what was seen, Gbit/s (demands, B); `instead` where there is nothing."""
        total = sum(self.rows) / np.maximum(self.seen, 1)
        return np.where(self.seen > 0, total, instead)

    def without(self, columns: np.ndarray) -> Recent:
        """Nothing seen in these columns."""
        keep = np.ones(len(self.seen), np.int64)
        keep[columns] = 0
        return Recent(tuple(row * keep for row in self.rows), self.seen * keep)

    def carried(self, rows: np.ndarray, readings: Readings) -> Recent:
        """For other demands: of `rows` here, -1 for a new one, whose reading stands for all."""
        is_new = rows < 0
        moved = [row[rows] for row in self.rows]
        for place, row in enumerate(moved):
            is_seen = place >= len(moved) - self.seen
            row[is_new] = readings.offered_gbps[is_new] * is_seen
        return Recent(tuple(moved), self.seen)
