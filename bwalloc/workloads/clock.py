"""The time axis of a workload: equal steps that start at some UTC hour of the week."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import WorkloadError

if TYPE_CHECKING:
    from jaxtyping import Float

KNOT_S = 60.0
"""Spacing in seconds at which processes slower than minutes are drawn."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Equal steps of time.

    Attributes:
        steps: Number of steps.
        step_s: Length of a step in seconds.
        start_h: UTC hour of the week (0 to 168) at which step 0 starts; hour 0 is Monday 00:00.
    """

    steps: int
    step_s: float = 1.0
    start_h: float = 0.0

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0.0 < self.step_s < math.inf:
            msg = f"Clock: got steps={self.steps}, step_s={self.step_s}; both must be positive."
            raise WorkloadError(msg)

    @property
    def duration_s(self) -> float:
        """Length of all steps together, in seconds."""
        return self.steps * self.step_s

    def times_s(self) -> Float[np.ndarray, " steps"]:
        """Start of each step, in seconds from the start of step 0."""
        return np.arange(self.steps) * self.step_s

    def local_hours(
        self, utc_offset_h: Float[np.ndarray, " columns"]
    ) -> Float[np.ndarray, "steps columns"]:
        """Local hour of the week (may leave 0 to 168) at the start of each step."""
        hours = self.start_h + self.times_s() / 3600.0
        return hours[:, None] + np.asarray(utc_offset_h, np.float64)[None, :]

    def knots(self) -> Clock:
        """A coarser clock of about one step per `KNOT_S` that covers this one, ends included."""
        steps = self.steps_per_knot()
        return Clock(-(-self.steps // steps) + 1, steps * self.step_s, self.start_h)

    def steps_per_knot(self) -> int:
        """Steps of this clock per step of `knots()`; 1 where steps are long already."""
        return max(1, round(KNOT_S / self.step_s))

    def between_knots(
        self, values: Float[np.ndarray, "knots columns"]
    ) -> Float[np.ndarray, "steps columns"]:
        """Straight lines between `values` at the knots of this clock, at the start of each step."""
        steps = self.steps_per_knot()
        part = (np.arange(steps, dtype=np.float32) / np.float32(steps))[None, :, None]
        rise = values[1:, None, :] - values[:-1, None, :]
        lines = rise * part + values[:-1, None, :]
        return lines.reshape(-1, values.shape[1])[: self.steps]
