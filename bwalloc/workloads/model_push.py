"""Model push: releases of weights to many sites, and weights that a growing service waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.workloads.bulk_ingest import Jobs
from bwalloc.workloads.columns import Column, as_column, check_column, check_words
from bwalloc.workloads.seasons import SEASONS, season_factors
from bwalloc.workloads.training_jobs import of_job, rows_by_job

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bwalloc.workloads.clock import Clock

RELEASE = ("releases_per_day", "due_low_s", "due_high_s")
"""Numbers that the demands of a release must share."""


@dataclass(frozen=True, slots=True)
class ModelPushSpec:
    """Demands that carry a release to one site each, all at the same moment.

    Attributes:
        demands: Name of each demand.
        gbit: Volume of a release: 16 GB for 8 B parameters in bf16, 140 GB for 70 B.
        model: Model of each demand, whose demands must share the numbers below.
        releases_per_day: Mean releases (our choice).
        season: Season of the releases (our choice: `office`); that of a model's first demand.
        utc_offset_h: Local time less UTC; that of a model's first demand.
        due_low_s: Least time to roll a release out (our choice).
        due_high_s: Largest time to roll a release out (our choice).
    """

    demands: tuple[str, ...]
    gbit: Column
    model: tuple[str, ...] = ()
    releases_per_day: Column = 0.3
    season: tuple[str, ...] = ()
    utc_offset_h: Column = 0.0
    due_low_s: Column = 600.0
    due_high_s: Column = 3600.0

    def __post_init__(self) -> None:
        n = len(self.demands)
        object.__setattr__(self, "model", self.model or self.demands)
        object.__setattr__(self, "season", self.season or ("office",) * n)
        check_words("season", self.season, n, SEASONS)
        check_column("gbit", self.gbit, n)
        check_column("releases_per_day", self.releases_per_day, n, 0.0, 1e4)
        check_column("utc_offset_h", self.utc_offset_h, n, -14.0, 14.0)
        check_column("due_low_s", self.due_low_s, n, 1e-3)
        check_column("due_high_s", self.due_high_s, n, float(np.max(self.due_low_s)))
        for model, rows in rows_by_job(self.model).items():
            for name in RELEASE:
                of_job(name, getattr(self, name), model, rows, n)


@dataclass(frozen=True, slots=True)
class ColdStartSpec:
    """Demands that carry the weights for one more replica when a service of their site grows.

    Attributes:
        demands: Name of each demand.
        gbit: Volume of the weights.
        rate_rps: Mean requests per second of the service of each demand.
        scale_up_at: Rate over its mean at which a replica is added (our choice).
        window_s: Time over which an autoscaler measures the rate (our choice).
        cooldown_s: Least time from one replica to the next (our choice).
        due_s: Time until a cold start is of no use any more (our choice: a minute).
    """

    demands: tuple[str, ...]
    gbit: Column
    rate_rps: Column
    scale_up_at: Column = 1.5
    window_s: float = 300.0
    cooldown_s: float = 900.0
    due_s: Column = 60.0

    def __post_init__(self) -> None:
        n = len(self.demands)
        for name in ("gbit", "rate_rps"):
            check_column(name, getattr(self, name), n)
        check_column("scale_up_at", self.scale_up_at, n, 1.0)
        for name in ("window_s", "cooldown_s", "due_s"):
            check_column(name, getattr(self, name), n, 1e-3)


def draw(rng: np.random.Generator, spec: ModelPushSpec, clock: Clock) -> Jobs:
    """The releases that arrive, each with its deadline.

    Args:
        rng: Parent of one child per model.
        spec: Demands.
        clock: Steps to draw.
    """
    n, models = len(spec.demands), rows_by_job(spec.model)
    steps: list[np.ndarray] = []
    demands: list[np.ndarray] = []
    dues: list[np.ndarray] = []
    factors = clock.between_knots(season_factors(spec.season, spec.utc_offset_h, clock.knots()))
    for child, (model, rows) in zip(rng.spawn(len(models)), models.items(), strict=True):
        law = {name: of_job(name, getattr(spec, name), model, rows, n) for name in RELEASE}
        per_step = law["releases_per_day"] * clock.step_s / 86_400.0
        counts = child.poisson(factors[:, rows[0]] * per_step)
        step = np.repeat(np.arange(clock.steps), counts)
        low, high = np.log(law["due_low_s"]), np.log(law["due_high_s"])
        steps.append(np.repeat(step, len(rows)))
        demands.append(np.tile(rows, len(step)))
        dues.append(np.repeat(np.exp(child.uniform(low, high, len(step))), len(rows)))
    demand = np.concatenate(demands)
    gbit, due_s = as_column(spec.gbit, n)[demand], np.concatenate(dues).astype(np.float32)
    return Jobs(np.concatenate(steps), demand, gbit, due_s)


def mean_gbps(spec: ModelPushSpec) -> Float[np.ndarray, " demands"]:
    """Mean rate that the releases of each demand need together."""
    n = len(spec.demands)
    per_s = as_column(spec.releases_per_day, n) / np.float32(86_400.0)
    return as_column(spec.gbit, n) * per_s


def cold_starts(
    spec: ColdStartSpec, clock: Clock, intensity: Float[np.ndarray, "steps demands"]
) -> Jobs:
    """The weights that growing services ask for: one push each time a rate rises past the mark.

    Args:
        spec: Demands.
        clock: Steps of `intensity`.
        intensity: Requests per second of the service of each demand.
    """
    n = len(spec.demands)
    mark = as_column(spec.rate_rps, n) * as_column(spec.scale_up_at, n)
    above = _trailing_mean(intensity, max(1, round(spec.window_s / clock.step_s))) > mark
    step, demand = np.nonzero(above[1:] & ~above[:-1])
    kept = _spaced(step, demand, spec.cooldown_s / clock.step_s)
    step, demand = step[kept] + 1, demand[kept]
    return Jobs(step, demand, as_column(spec.gbit, n)[demand], as_column(spec.due_s, n)[demand])


def _trailing_mean(
    values: Float[np.ndarray, "steps demands"], window: int
) -> Float[np.ndarray, "steps demands"]:
    """Mean of the last `window` steps, of fewer at the start."""
    sums = np.cumsum(values, axis=0, dtype=np.float64)
    sums[window:] -= sums[:-window].copy()
    counts = np.minimum(np.arange(1, len(values) + 1), window)
    return (sums / counts[:, None]).astype(np.float32)


def _spaced(
    step: Int[np.ndarray, " events"], demand: Int[np.ndarray, " events"], least: float
) -> Int[np.ndarray, " kept"]:
    """Events of each demand, without those that follow another sooner than `least` steps."""
    last: dict[int, int] = {}
    kept: list[int] = []
    for event, (at, row) in enumerate(zip(step.tolist(), demand.tolist(), strict=True)):
        if at - last.get(row, -(1 << 62)) >= least:
            last[row] = at
            kept.append(event)
    return np.array(kept, np.intp)
