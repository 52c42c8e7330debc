"""What a setting earns: mean and 95 % interval over seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

T95 = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)
"""Student's t at 97.5 %, 1 to 10 degrees of freedom."""
Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over seeds and the ends of its 95 % interval; one seed has no interval."""

    mean: float
    lo: float | None
    hi: float | None


def mean_over_seeds(values: Sequence[float]) -> Mean:
    """Mean and interval of Student: of a handful of seeds, a bootstrap would be too narrow.

    Raises:
        ValueError: there is no seed.
    """
    if not values:
        msg = "Expected the gain of at least one seed."
        raise ValueError(msg)
    mean = float(np.mean(values))
    if len(values) == 1:
        return Mean(mean, None, None)
    half = student(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Mean(mean, mean - half, mean + half)


def student(freedom: int) -> float:
    """97.5 % quantile of Student's t.

    Ref: Abramowitz & Stegun, Handbook of Mathematical Functions (1964), 26.7.5.
    """
    if freedom <= len(T95):
        return T95[freedom - 1]
    z, n = Z95, freedom
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3
