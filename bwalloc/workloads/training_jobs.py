"""Training jobs: demands that follow one clock, and renewals of that clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import WorkloadError
from bwalloc.workloads.columns import Column, as_column

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bwalloc.workloads.clock import Clock

Lengths = Callable[[np.random.Generator, int], np.ndarray]
"""Draws so many lengths in seconds."""


def rows_by_job(jobs: Sequence[str]) -> dict[str, Int[np.ndarray, " members"]]:
    """Rows of the demands of each job, in the order in which jobs first appear."""
    names = np.array(jobs)
    return {job: np.flatnonzero(names == job) for job in dict.fromkeys(jobs)}


def of_job(
    name: str, values: Column, job: str, rows: Int[np.ndarray, " members"], columns: int
) -> float:
    """The number that all demands of a job share.

    Raises:
        WorkloadError: If they do not share it.
    """
    mine = as_column(values, columns)[rows]
    if (mine != mine[0]).any():
        listed = ", ".join(f"{value:g}" for value in np.unique(mine))
        msg = f"{name}: got {listed} for the demands of job '{job}', which follow one clock. "
        raise WorkloadError(msg + "Give them the same number, or groups of their own.")
    return float(mine[0])


def renewals_s(
    rng: np.random.Generator, duration_s: float, mean_s: float, lengths: Lengths
) -> tuple[Float[np.ndarray, " events"], Float[np.ndarray, " events"]]:
    """Events whose distances are `lengths`: their times before `duration_s`, and what follows each.

    The first event lies evenly within the first length, so an episode starts at no special time.

    Args:
        rng: Source of one uniform, then of the lengths.
        duration_s: End of the episode.
        mean_s: About the mean of `lengths`.
        lengths: Draws lengths; all positive.
    """
    phase, count = rng.random(), math.ceil(1.25 * duration_s / mean_s) + 8
    drawn = lengths(rng, count)
    while drawn.sum() < duration_s + 2.0 * drawn[0] + drawn[-1]:
        drawn = np.concatenate([drawn, lengths(rng, count)])
    ends = np.cumsum(drawn) - (1.0 - phase) * drawn[0]
    inside = int(np.searchsorted(ends, duration_s))
    return ends[:inside], drawn[1 : inside + 1]


def poisson_times_s(
    rng: np.random.Generator, duration_s: float, per_s: float
) -> Float[np.ndarray, " events"]:
    """Times of the events of a Poisson process, in order."""
    return np.sort(rng.uniform(0.0, duration_s, rng.poisson(per_s * duration_s)))


def counts_by_step(
    times_s: Float[np.ndarray, " events"], clock: Clock
) -> Float[np.ndarray, " steps"]:
    """How many events lie in each step, float32."""
    step = np.minimum((times_s / clock.step_s).astype(np.intp), clock.steps - 1)
    return np.bincount(step, minlength=clock.steps).astype(np.float32)
