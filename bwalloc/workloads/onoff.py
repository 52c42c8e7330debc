"""On/off processes: two states with exponential stays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool

    from bwalloc.workloads.clock import Clock


def on_off(
    rng: np.random.Generator, clock: Clock, duty: float, mean_on_s: float, columns: int
) -> Bool[np.ndarray, "steps columns"]:
    """Whether each of `columns` processes is on at the start of each step; stationary start.

    Args:
        rng: Source of one uniform per column and one exponential per stay.
        clock: Steps to draw.
        duty: Share of time on, 0 to 1.
        mean_on_s: Mean length of an on period in seconds.
        columns: Number of independent processes.
    """
    starts_on = rng.random(columns) < duty
    if duty <= 0.0 or duty >= 1.0:
        return np.broadcast_to(starts_on, (clock.steps, columns))
    mean_off_s = mean_on_s * (1.0 - duty) / duty
    pairs = clock.duration_s / (mean_on_s + mean_off_s)
    rows = 2 * math.ceil(pairs + 4.0 * math.sqrt(pairs) + 3.0)
    ends_s = np.zeros((0, columns))
    while ends_s.size == 0 or float(ends_s[-1].min()) < clock.duration_s:
        stays_s = rng.standard_exponential((rows, columns))
        stays_s[0::2] *= np.where(starts_on, mean_on_s, mean_off_s)
        stays_s[1::2] *= np.where(starts_on, mean_off_s, mean_on_s)
        stays_s[0] += ends_s[-1] if ends_s.size else 0.0
        ends_s = np.concatenate([ends_s, np.cumsum(stays_s, axis=0)])
    step = np.minimum(np.ceil(ends_s / clock.step_s), clock.steps).astype(np.intp)
    cells = (step * columns + np.arange(columns)).ravel()
    switches = np.bincount(cells, minlength=(clock.steps + 1) * columns)
    switched = np.cumsum(switches.reshape(-1, columns)[: clock.steps], axis=0)
    return (switched & 1).astype(bool) ^ starts_on
