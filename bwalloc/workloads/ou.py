"""Log-OU processes: Gaussian logarithms that forget exponentially (Ornstein-Uhlenbeck)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.workloads.columns import Column, as_column

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.workloads.clock import Clock

BLOCK = 64
"""Steps filtered by one matrix product; any value gives the same numbers."""


def log_ou(
    rng: np.random.Generator, clock: Clock, sd: Column, tau_s: float, columns: int
) -> Float[np.ndarray, "steps columns"]:
    """Zero-mean Gaussian log process with standard deviation `sd` and correlation time `tau_s`.

    It starts stationary. A step holds the mean of the process over the step, so `sd` shrinks where
    steps are not short against `tau_s`.

    Args:
        rng: Source of one float32 normal per cell.
        clock: Steps to draw.
        sd: Standard deviation of the process, for all columns or for each.
        tau_s: Correlation time in seconds.
        columns: Number of independent processes.
    """
    decay = math.exp(-clock.step_s / tau_s)
    whole = np.empty((-(-clock.steps // BLOCK) * BLOCK, columns), np.float32)
    normals = rng.standard_normal(out=whole[: clock.steps], dtype=np.float32)
    normals[1:] *= math.sqrt(1.0 - decay * decay)
    whole[clock.steps :] = 0.0
    paths = decaying_sum(whole, decay)[: clock.steps]
    paths *= as_column(sd, columns) * np.float32(_sd_of_step_mean(clock.step_s / tau_s))
    return paths


def mean_one(
    logs: Float[np.ndarray, "steps columns"], sd: Column
) -> Float[np.ndarray, "steps columns"]:
    """exp(`logs`) scaled to a mean of one, for Gaussian `logs` of standard deviation `sd`."""
    half = 0.5 * np.square(np.asarray(sd, np.float32))
    factors = logs - half
    return np.exp(factors, out=factors)


def decaying_sum(
    values: Float[np.ndarray, "steps columns"], decay: float
) -> Float[np.ndarray, "steps columns"]:
    """The recursion y[t] = decay * y[t-1] + values[t], as products with a Toeplitz triangle.

    >>> decaying_sum(np.ones((3, 1), np.float32), 0.5)[:, 0].tolist()
    [1.0, 1.5, 1.75]
    """
    steps, columns = values.shape
    blocks = -(-steps // BLOCK)
    padded = values
    if blocks * BLOCK != steps:
        padded = np.zeros((blocks * BLOCK, columns), np.float32)
        padded[:steps] = values
    triangle, powers, last = _powers(decay)
    sums = np.matmul(triangle, padded.reshape(blocks, BLOCK, columns))
    if blocks > 1:
        ends = decaying_sum(sums[:-1, -1], last)
        sums[1:] += powers * ends[:, None, :]
    return sums.reshape(-1, columns)[:steps]


@lru_cache(maxsize=256)
def _powers(
    decay: float,
) -> tuple[Float[np.ndarray, "block block"], Float[np.ndarray, "block 1"], float]:
    """The triangle of powers of `decay`, its powers 1 to `BLOCK`, and the last one."""
    powers = decay ** np.arange(BLOCK + 1)
    lags = np.arange(BLOCK)[:, None] - np.arange(BLOCK)[None, :]
    triangle = np.where(lags >= 0, powers[np.maximum(lags, 0)], 0.0).astype(np.float32)
    return triangle, powers[1:, None].astype(np.float32), float(powers[-1])


def _sd_of_step_mean(ratio: float) -> float:
    """Standard deviation of the mean of a unit OU over a step of `ratio` correlation times."""
    if ratio < 1e-3:
        return 1.0
    return math.sqrt(2.0 / ratio * (1.0 - (1.0 - math.exp(-ratio)) / ratio))
