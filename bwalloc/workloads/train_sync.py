"""Training sync: rounds in which the sites of a geo-distributed job exchange their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.workloads.columns import Column, as_column, check_column
from bwalloc.workloads.onoff import on_off
from bwalloc.workloads.training_jobs import counts_by_step, of_job, renewals_s, rows_by_job

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.workloads.clock import Clock

GBIT_PER_BILLION_BYTES = 8.0
CLOCK = (
    "round_s",
    "jitter_sigma",
    "straggler_share",
    "straggler_sigma",
    "active_share",
    "mean_run_s",
)
"""Numbers that the demands of a job must share."""


def sync_gbit(
    parameters_billion: float, bytes_per_parameter: float, sites: int, overhead: float = 1.05
) -> float:
    """Gbit on the wire that each site sends per round: 2 (M - 1) / M times the weights.

    So much in a ring all-reduce over M sites, and in a direct exchange of shards alike.

    >>> round(sync_gbit(10.0, 2.0, 2, overhead=1.0))  # 10 B parameters in bf16: 20 GB
    160

    Ref: Patarasuk & Yuan, J. Parallel Distrib. Comput. 69 (2009) 117-124.
    """
    share = 2.0 * (sites - 1) / sites
    return share * parameters_billion * bytes_per_parameter * GBIT_PER_BILLION_BYTES * overhead


@dataclass(frozen=True, slots=True)
class TrainSyncSpec:
    """Demands that carry the exchange of weights of training jobs.

    All demands of a job send at the same moment: when the slowest site has computed its steps.
    Rounds follow a clock of their own, whatever the network does.

    Attributes:
        demands: Name of each demand.
        gbit: Volume of each demand in a round, of `sync_gbit`.
        job: Job of each demand; demands of a job must share the numbers below.
        round_s: Median length of a round: 100 steps of 10 s, as a job under DiLoCo (Douillard et
            al., arXiv 2501.18512) may take; 1 step in plain data-parallel training (our choice).
        jitter_sigma: Log standard deviation of a round. Per-job CoV of mini-batch times of
            Alibaba PAI (CC-BY-4.0), median .09, over 100 steps and more: .05, our choice.
        straggler_share: Share of rounds with a straggler (our choice; the tenth of PAI's jobs).
        straggler_sigma: Log scale of how much longer these take (our choice; after PAI's tail).
        active_share: Share of time a job runs, in runs of `mean_run_s`.
        mean_run_s: Mean length of a run: 65 h, lognormal fit to Philly's 8-GPU jobs of an hour
            and more (Microsoft, CC-BY-4.0); drawn exponential.
    """

    demands: tuple[str, ...]
    gbit: Column
    job: tuple[str, ...] = ()
    round_s: Column = 1000.0
    jitter_sigma: Column = 0.05
    straggler_share: Column = 0.1
    straggler_sigma: Column = 0.3
    active_share: Column = 1.0
    mean_run_s: Column = 235_000.0

    def __post_init__(self) -> None:
        n = len(self.demands)
        object.__setattr__(self, "job", self.job or self.demands)
        check_column("gbit", self.gbit, n)
        check_column("round_s", self.round_s, n, 1e-3)
        for name in ("jitter_sigma", "straggler_sigma"):
            check_column(name, getattr(self, name), n, 0.0, 3.0)
        for name in ("straggler_share", "active_share"):
            check_column(name, getattr(self, name), n, 0.0, 1.0)
        check_column("mean_run_s", self.mean_run_s, n, 1e-3)
        for job, rows in rows_by_job(self.job).items():
            for name in CLOCK:
                of_job(name, getattr(self, name), job, rows, n)


def draw(
    rng: np.random.Generator, spec: TrainSyncSpec, clock: Clock
) -> Float[np.ndarray, "steps demands"]:
    """Gbit that arrive in each step: the whole volume of a round in the step in which it starts.

    Args:
        rng: Parent of one child per job, in turn parent of those for rounds and for runs.
        spec: Demands.
        clock: Steps to draw.
    """
    n, jobs = len(spec.demands), rows_by_job(spec.job)
    volume, gbit = as_column(spec.gbit, n), np.zeros((clock.steps, n), np.float32)
    for child, (job, rows) in zip(rng.spawn(len(jobs)), jobs.items(), strict=True):
        law = {name: of_job(name, getattr(spec, name), job, rows, n) for name in CLOCK}
        gbit[:, rows] = np.outer(_rounds(child, law, clock), volume[rows])
    return gbit


def _rounds(
    rng: np.random.Generator, law: dict[str, float], clock: Clock
) -> Float[np.ndarray, " steps"]:
    """How many rounds of one job start in each step."""
    rounds, runs = rng.spawn(2)

    def lengths(rng: np.random.Generator, count: int) -> Any:
        logs = law["jitter_sigma"] * rng.standard_normal(count)
        tail = law["straggler_sigma"] * np.abs(rng.standard_normal(count))
        logs += np.where(rng.random(count) < law["straggler_share"], tail, 0.0)
        return law["round_s"] * np.exp(logs)

    times_s, _ = renewals_s(rounds, clock.duration_s, law["round_s"], lengths)
    starts = counts_by_step(times_s, clock)
    if law["active_share"] < 1.0:
        starts *= on_off(runs, clock, law["active_share"], law["mean_run_s"], 1)[:, 0]
    return starts
