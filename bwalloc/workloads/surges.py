"""Surges: rare stretches of ten minutes or more in which a service is asked for much more.

The law is calibrated to the 10-minute rates of ServeGen (Alibaba, Apache-2.0; Xiang et al.,
NSDI 2026): one surge every day or two, x1.3 and more, at most x3, lasting 10 to 20 minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.workloads.clock import Clock

BIN_S = 600.0
LONGEST_BINS = 6
LEAST_FACTOR, MEAN_EXTRA, LARGEST_FACTOR = 1.3, 0.5, 3.0


def multiply_by_surges(
    rng: np.random.Generator,
    rates: Float[np.ndarray, "steps columns"],
    clock: Clock,
    per_day: float,
    scale: float,
) -> None:
    """Multiply `rates` in place by the surges of each column.

    A surge lasts 1 + Poisson(0.5) bins of 10 minutes (at most an hour) and multiplies by
    1.3 + Exp(0.5), at most 3. What is drawn depends neither on `scale` nor on `rates`.

    Args:
        rng: Source of number, start, length and height of the surges.
        rates: Rates to multiply.
        clock: Steps of `rates`.
        per_day: Mean surges per day and column.
        scale: Factor on the excess of a surge over one: 2 turns a x3 surge into x5.
    """
    steps, columns = rates.shape
    lead_s = BIN_S * LONGEST_BINS
    window_s = clock.duration_s + lead_s
    counts = rng.poisson(per_day * window_s / 86_400.0, columns)
    total = int(counts.sum())
    starts_s = rng.uniform(-lead_s, clock.duration_s, total)
    bins = np.minimum(1 + rng.poisson(0.5, total), LONGEST_BINS)
    heights = np.minimum(LEAST_FACTOR + rng.exponential(MEAN_EXTRA, total), LARGEST_FACTOR)
    first = np.ceil(starts_s / clock.step_s).astype(int)
    last = np.ceil((starts_s + bins * BIN_S) / clock.step_s).astype(int)
    for i, column in enumerate(np.repeat(np.arange(columns), counts)):
        begin, end = max(0, int(first[i])), min(steps, int(last[i]))
        if begin < end:
            rates[begin:end, column] *= np.float32(1.0 + scale * (heights[i] - 1.0))
