"""Means over episodes with 95 % bootstrap intervals; paired wherever two things are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 2000
LEVELS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and the ends of its 95 % interval."""

    mean: float
    lo: float
    hi: float


def mean_interval(values: ArrayLike, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Arithmetic mean over episodes; percentile bootstrap (Efron & Tibshirani 1993, ch. 13).

    Args:
        values: one number per episode.
        seed: of the resampling; the same seed draws the same episodes for every allocator.
        resamples: how many times the episodes are drawn again.

    Returns:
        The mean and its 95 % interval; one episode has an interval without width.

    Raises:
        ValueError: there is no episode.
    """
    values = _episodes(values)
    rows = _resampled(len(values), seed, resamples)
    return _interval(float(values.mean()), values[rows].mean(1))


def paired_gain(
    values: ArrayLike, others: ArrayLike, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Mean of what `values` has over `others` in the same episodes.

    Raises:
        ValueError: they differ in their number of episodes, or there is none.
    """
    values, others = _paired(values, others)
    return mean_interval(values - others, seed, resamples)


def regret(
    bound: ArrayLike,
    values: ArrayLike,
    legacy: ArrayLike,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval:
    """(bound - values) / (bound - legacy) as a ratio of means, resampled together.

    0 is the bound, 1 is legacy provisioning. Where legacy is the bound, it is not a number.

    Raises:
        ValueError: they differ in their number of episodes, or there is none.
    """
    bound, values, legacy = _paired(bound, values, legacy)
    short, whole = bound - values, bound - legacy
    rows = _resampled(len(short), seed, resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = short[rows].mean(1) / whole[rows].mean(1)
        mean = short.mean() / whole.mean()
    return _interval(float(mean), spread)


def left(values: ArrayLike, clairvoyant: ArrayLike) -> float:
    """(clairvoyant - values) / |clairvoyant|: the share of the money that foresight would add."""
    values, clairvoyant = _paired(values, clairvoyant)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((clairvoyant.mean() - values.mean()) / abs(clairvoyant.mean()))


def _episodes(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not len(array):
        msg = f"Expected one number per episode, got an array of shape {array.shape}."
        raise ValueError(msg)
    return array


def _paired(*columns: ArrayLike) -> list[np.ndarray]:
    arrays = [_episodes(column) for column in columns]
    if len({len(array) for array in arrays}) > 1:
        msg = f"Paired numbers need the same episodes, got {[len(array) for array in arrays]}."
        raise ValueError(msg)
    return arrays


def _resampled(episodes: int, seed: int, resamples: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, episodes, (resamples, episodes))


def _interval(mean: float, spread: np.ndarray) -> Interval:
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(spread, LEVELS)
    return Interval(mean, float(low), float(high))
