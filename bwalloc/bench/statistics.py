"""Means over episodes with 95 % bootstrap intervals; paired wherever two things are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
LEVELS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and the ends of its 95 % interval."""

    mean: float
    lo: float
    hi: float


def mean_interval(values: np.ndarray) -> Interval:
    """Arithmetic mean over episodes; percentile bootstrap (Efron & Tibshirani 1993, ch. 13)."""
    values = np.asarray(values, np.float64)
    return _interval(float(values.mean()), values[_resampled(len(values))].mean(1))


def paired_gain(values: np.ndarray, others: np.ndarray) -> Interval:
    """Mean of what `values` has over `others` in the same episodes."""
    return mean_interval(np.asarray(values) - np.asarray(others))


def regret(bound: np.ndarray, values: np.ndarray, legacy: np.ndarray) -> Interval:
    """(bound - values) / (bound - legacy) as a ratio of means, resampled together.

    0 is the bound, 1 is legacy provisioning.
    """
    short, whole = np.asarray(bound) - values, np.asarray(bound) - legacy
    rows = _resampled(len(short))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = short[rows].mean(1) / whole[rows].mean(1)
        mean = short.mean() / whole.mean()
    return _interval(float(mean), spread)


def left(values: np.ndarray, clairvoyant: np.ndarray) -> float:
    """(clairvoyant - values) / |clairvoyant|: the share of the money that foresight would add."""
    return float((clairvoyant.mean() - values.mean()) / abs(clairvoyant.mean()))


def _resampled(episodes: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, episodes, (RESAMPLES, episodes))


def _interval(mean: float, spread: np.ndarray) -> Interval:
    low, high = np.quantile(spread, LEVELS)
    return Interval(mean, float(low), float(high))
