"""Checkpoints: states of training jobs that are copied elsewhere, and read back after failures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.workloads.bulk_ingest import GBIT_PER_GB, Jobs
from bwalloc.workloads.columns import Column, as_column, check_column
from bwalloc.workloads.training_jobs import of_job, poisson_times_s, renewals_s, rows_by_job

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.workloads.clock import Clock

GB_PER_BILLION_PARAMETERS = 13.0
"""Weights and optimiser state: 105 GB for 8 B, 912 GB for 70 B (MLPerf Storage v2.0, table 2)."""
CLOCK = ("every_s", "jitter", "remote_every", "preemptions_per_day")
FAILURES = ("gpus", "gpu_mttf_h", "failure_factor")
"""Numbers that the demands of a job must share."""


def checkpoint_gbit(parameters_billion: float, overhead: float = 1.05) -> float:
    """Gbit on the wire of the checkpoint of a model."""
    return parameters_billion * GB_PER_BILLION_PARAMETERS * GBIT_PER_GB * overhead


@dataclass(frozen=True, slots=True)
class CheckpointSpec:
    """Demands that copy checkpoints; each copy is due when the next checkpoint is taken.

    Attributes:
        demands: Name of each demand.
        gbit: Volume of a copy, of `checkpoint_gbit`.
        job: Job of each demand, whose demands copy at the same moment.
        every_s: Mean time between checkpoints; 15 to 30 min for 70 B (NVIDIA, nvCOMP, 2026).
        jitter: Largest deviation of a time between checkpoints from its mean (our choice).
        remote_every: Only each of so many checkpoints is copied; the rest stay local (our choice).
        preemptions_per_day: Copies besides, when a job has to leave its GPUs (our choice: none).
    """

    demands: tuple[str, ...]
    gbit: Column
    job: tuple[str, ...] = ()
    every_s: Column = 1800.0
    jitter: Column = 0.05
    remote_every: Column = 4
    preemptions_per_day: Column = 0.0

    def __post_init__(self) -> None:
        n = len(self.demands)
        object.__setattr__(self, "job", self.job or self.demands)
        check_column("gbit", self.gbit, n)
        check_column("every_s", self.every_s, n, 1e-3)
        check_column("jitter", self.jitter, n, 0.0, 0.9)
        check_column("remote_every", self.remote_every, n, 1.0)
        check_column("preemptions_per_day", self.preemptions_per_day, n, 0.0, 1e4)
        _check_jobs(self, self.job, CLOCK)


@dataclass(frozen=True, slots=True)
class RestoreSpec:
    """Demands that read checkpoints back: after a failure one site of a job, drawn evenly, does.

    Attributes:
        demands: Name of each demand.
        gbit: Volume of a checkpoint, of `checkpoint_gbit`.
        job: Job of each demand.
        gpus: GPUs of the job.
        gpu_mttf_h: Mean time to failure of one GPU: 50,000 h (MLPerf Storage v2.0).
        failure_factor: Failures for each that there would be: short episodes need more of them.
    """

    demands: tuple[str, ...]
    gbit: Column
    job: tuple[str, ...] = ()
    gpus: Column = 512.0
    gpu_mttf_h: Column = 50_000.0
    failure_factor: Column = 1.0

    def __post_init__(self) -> None:
        n = len(self.demands)
        object.__setattr__(self, "job", self.job or self.demands)
        check_column("gbit", self.gbit, n)
        for name in ("gpus", "failure_factor"):
            check_column(name, getattr(self, name), n)
        check_column("gpu_mttf_h", self.gpu_mttf_h, n, 1e-3)
        _check_jobs(self, self.job, FAILURES)


def draw(rng: np.random.Generator, spec: CheckpointSpec, clock: Clock) -> Jobs:
    """The copies that arrive, each with its deadline.

    Args:
        rng: Parent of one child per job, in turn parent of those for checkpoints and preemptions.
        spec: Demands.
        clock: Steps to draw.
    """
    n, jobs = len(spec.demands), rows_by_job(spec.job)
    volume, parts = as_column(spec.gbit, n), [_no_jobs()]
    for child, (job, rows) in zip(rng.spawn(len(jobs)), jobs.items(), strict=True):
        law = {name: of_job(name, getattr(spec, name), job, rows, n) for name in CLOCK}
        times_s, due_s = _copies(child, law, clock.duration_s)
        step = (times_s / clock.step_s).astype(np.int64)
        demand = np.tile(rows, len(step))
        each = len(rows)
        parts.append(Jobs(np.repeat(step, each), demand, volume[demand], np.repeat(due_s, each)))
    return _joined(parts)


def mean_gbps(spec: CheckpointSpec) -> Float[np.ndarray, " demands"]:
    """Mean rate that all copies of each demand need together."""
    n = len(spec.demands)
    regular = 1.0 / (as_column(spec.every_s, n) * as_column(spec.remote_every, n))
    besides = as_column(spec.preemptions_per_day, n) / np.float32(86_400.0)
    return as_column(spec.gbit, n) * (regular + besides)


def failures_per_s(spec: RestoreSpec) -> Float[np.ndarray, " demands"]:
    """Mean failures of the job of each demand."""
    n = len(spec.demands)
    per_h = as_column(spec.gpus, n) * as_column(spec.failure_factor, n)
    return per_h / (as_column(spec.gpu_mttf_h, n) * np.float32(3600.0))


def draw_restores(
    rng: np.random.Generator, spec: RestoreSpec, clock: Clock
) -> Float[np.ndarray, "steps demands"]:
    """Gbit that arrive in each step.

    Args:
        rng: Parent of one child per job.
        spec: Demands.
        clock: Steps to draw.
    """
    n, jobs = len(spec.demands), rows_by_job(spec.job)
    volume, gbit = as_column(spec.gbit, n), np.zeros((clock.steps, n), np.float32)
    per_s = failures_per_s(spec)
    for child, rows in zip(rng.spawn(len(jobs)), jobs.values(), strict=True):
        times_s = poisson_times_s(child, clock.duration_s, float(per_s[rows[0]]))
        step = np.minimum((times_s / clock.step_s).astype(np.intp), clock.steps - 1)
        failed = rows[child.integers(0, len(rows), len(step))]
        np.add.at(gbit, (step, failed), volume[failed])
    return gbit


def _copies(
    rng: np.random.Generator, law: dict[str, float], duration_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """When a job copies a checkpoint, and how long it is until its next checkpoint."""
    regular, besides = rng.spawn(2)
    every, skip = law["every_s"], int(law["remote_every"])

    def lengths(rng: np.random.Generator, count: int) -> Any:
        return every * rng.uniform(1.0 - law["jitter"], 1.0 + law["jitter"], count)

    times_s, due_s = renewals_s(regular, duration_s, every, lengths)
    first = int(regular.integers(0, skip))
    extra_s = poisson_times_s(besides, duration_s, law["preemptions_per_day"] / 86_400.0)
    times_s = np.concatenate([times_s[first::skip], extra_s])
    return times_s, np.concatenate([due_s[first::skip], np.full(len(extra_s), every)])


def _check_jobs(spec: Any, jobs: tuple[str, ...], names: tuple[str, ...]) -> None:
    for job, rows in rows_by_job(jobs).items():
        for name in names:
            of_job(name, getattr(spec, name), job, rows, len(jobs))


def _no_jobs() -> Jobs:
    nothing = np.zeros(0, np.float32)
    return Jobs(np.zeros(0, np.int64), np.zeros(0, np.int64), nothing, nothing)


def _joined(parts: list[Jobs]) -> Jobs:
    return Jobs(
        np.concatenate([part.step for part in parts]),
        np.concatenate([part.demand for part in parts]),
        np.concatenate([part.gbit for part in parts]),
        np.concatenate([part.due_s for part in parts]).astype(np.float32),
    )
