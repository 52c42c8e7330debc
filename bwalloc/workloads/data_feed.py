"""Data feed: samples that GPUs read from far away while they train; what is late idles them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.workloads.columns import Column, as_column, check_column
from bwalloc.workloads.onoff import on_off
from bwalloc.workloads.ou import log_ou, mean_one

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from bwalloc.workloads.clock import Clock

READ_GBPS = {
    "resnet50": {"h100": 1.64, "a100": 0.84},
    "cosmoflow": {"h100": 6.46, "a100": 4.11},
    "unet3d": {"h100": 25.4, "a100": 12.9},
}
"""What one GPU reads by workload and kind: batch x record size / compute time (MLPerf Storage,
`mlcommons/storage`, Apache-2.0). LLM pre-training reads less than 0.01."""
ENDLESS_S = 1e15
"""Age of a run that never began."""


@dataclass(frozen=True, slots=True)
class DataFeedSpec:
    """Demands that feed the GPUs of one training job each.

    Attributes:
        demands: Name of each demand.
        gpus: GPUs that read.
        read_gbps: What one of them reads, of `READ_GBPS`.
        miss_share: Share of reads that no local cache holds, after the first epoch (our choice;
            5 to 100 % is plausible).
        epoch_s: Length of the first epoch of a run, in which nothing is cached (our choice).
        active_share: Share of time a job runs (our choice); at 1 it runs all the time, and its
            first epoch is long past.
        mean_run_s: Mean length of a run: 13 h, lognormal fit to Philly's 1-GPU jobs of an hour
            and more (Microsoft, CC-BY-4.0); drawn exponential.
        cv: Coefficient of variation of the rate. CoV of mini-batch times of Alibaba PAI
            (CC-BY-4.0): median .09.
        tau_s: Correlation time of that variation (our choice).
        overhead: On-wire bytes per payload byte (our choice).
    """

    demands: tuple[str, ...]
    gpus: Column = 8.0
    read_gbps: Column = READ_GBPS["resnet50"]["h100"]
    miss_share: Column = 0.25
    epoch_s: Column = 3600.0
    active_share: float = 0.8
    mean_run_s: float = 46_800.0
    cv: float = 0.09
    tau_s: float = 30.0
    overhead: float = 1.05

    def __post_init__(self) -> None:
        n = len(self.demands)
        check_column("gpus", self.gpus, n)
        check_column("read_gbps", self.read_gbps, n)
        for name in ("miss_share", "active_share"):
            check_column(name, getattr(self, name), n, 0.0, 1.0)
        check_column("epoch_s", self.epoch_s, n)
        for name in ("mean_run_s", "tau_s"):
            check_column(name, getattr(self, name), n, 1e-3)
        check_column("cv", self.cv, n, 0.0, 3.0)
        check_column("overhead", self.overhead, n, 1.0, 2.0)


def draw(
    rng: np.random.Generator, spec: DataFeedSpec, clock: Clock
) -> Float[np.ndarray, "steps demands"]:
    """Gbit that arrive in each step.

    Args:
        rng: Parent of the children for variation, runs, and the age of runs at the start.
        spec: Demands.
        clock: Steps to draw.
    """
    variation, runs, age = rng.spawn(3)
    n = len(spec.demands)
    sd = float(np.sqrt(np.log(1.0 + spec.cv**2)))
    gbit = mean_one(log_ou(variation, clock, sd, spec.tau_s, n), sd)
    gbit *= as_column(spec.gpus, n) * as_column(spec.read_gbps, n)
    gbit *= np.float32(clock.step_s * spec.overhead)
    is_running = on_off(runs, clock, spec.active_share, spec.mean_run_s, n)
    age_s = age.exponential(_mean_age_s(spec), n).astype(np.float32)
    is_first = _run_age_s(is_running, age_s, clock) < as_column(spec.epoch_s, n)
    gbit *= np.where(is_first, np.float32(1.0), as_column(spec.miss_share, n))
    gbit *= is_running
    return gbit


def remote_share(spec: DataFeedSpec) -> Float[np.ndarray, " demands"]:
    """Share of what running GPUs read that crosses the network, in the mean."""
    n = len(spec.demands)
    miss, epoch = as_column(spec.miss_share, n), as_column(spec.epoch_s, n)
    first = 1.0 - np.exp(-epoch / np.float32(_mean_age_s(spec)))
    return miss + (1.0 - miss) * first


def _mean_age_s(spec: DataFeedSpec) -> float:
    """Mean time since the start of a run that is going on."""
    return spec.mean_run_s if spec.active_share < 1.0 else ENDLESS_S


def mean_gbps(spec: DataFeedSpec) -> Float[np.ndarray, " demands"]:
    """Mean rate of each demand on the wire."""
    n = len(spec.demands)
    reads = as_column(spec.gpus, n) * as_column(spec.read_gbps, n)
    return reads * remote_share(spec) * np.float32(spec.active_share * spec.overhead)


def _run_age_s(
    is_running: Bool[np.ndarray, "steps demands"],
    first_age_s: Float[np.ndarray, " demands"],
    clock: Clock,
) -> Float[np.ndarray, "steps demands"]:
    """How long ago the last run began; `first_age_s` for those that run at the start."""
    times_s = np.arange(clock.steps, dtype=np.float32)[:, None] * np.float32(clock.step_s)
    starts_s = np.empty(is_running.shape, np.float32)
    starts_s[0] = -first_age_s
    starts_s[1:] = np.where(is_running[1:] & ~is_running[:-1], times_s[1:], -np.inf)
    np.maximum.accumulate(starts_s, axis=0, out=starts_s)
    return times_s - starts_s
