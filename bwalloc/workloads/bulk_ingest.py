"""Bulk ingest: data sets and backups, few and huge, each due at a time of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import WorkloadError
from bwalloc.workloads.columns import Column, as_column, check_column, check_words
from bwalloc.workloads.ou import log_ou, mean_one
from bwalloc.workloads.seasons import SEASONS, season_factors

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bwalloc.workloads.clock import Clock

GBIT_PER_GB = 8.0


@dataclass(frozen=True, slots=True)
class BulkIngestSpec:
    """Demands that carry transfers with deadlines.

    Attributes:
        demands: Name of each demand.
        jobs_per_day: Mean transfers per day (our choice).
        median_gb: Median size of a transfer at `size_scale` 1 (our choice).
        sigma: Log standard deviation of sizes (our choice).
        cap_gb: Largest size at `size_scale` 1 (our choice).
        size_scale: Factor on all sizes; fits transfers to small networks and short episodes.
        season: Season of the transfers that people start. Shape `office`: job submissions of
            Helios Venus (SenseTime, CC-BY-4.0); calibrated here.
        night_share: Share of transfers started in the window 22:00 to 06:00 (our choice).
        utc_offset_h: Local time less UTC.
        hourly_cv: Coefficient of variation of the hourly rate; Venus, 1.06.
        hourly_acf: Its correlation with an hour before; Venus, .59.
        slack_low: Least deadline, in ideal transfer times (our choice).
        slack_high: Largest deadline, in ideal transfer times (our choice).
        ideal_gbps: Rate of the ideal transfer (our choice).
        overhead: On-wire bytes per payload byte (our choice).
    """

    demands: tuple[str, ...]
    jobs_per_day: Column = 6.0
    median_gb: float = 200.0
    sigma: float = 1.8
    cap_gb: float = 50_000.0
    size_scale: Column = 1.0
    season: tuple[str, ...] = ()
    night_share: float = 0.3
    utc_offset_h: Column = 0.0
    hourly_cv: float = 1.06
    hourly_acf: float = 0.59
    slack_low: float = 1.5
    slack_high: float = 12.0
    ideal_gbps: Column = 10.0
    overhead: float = 1.05

    def __post_init__(self) -> None:
        n = len(self.demands)
        object.__setattr__(self, "season", self.season or ("office",) * n)
        check_words("season", self.season, n, SEASONS)
        for name in ("jobs_per_day", "size_scale", "sigma", "hourly_cv"):
            check_column(name, getattr(self, name), n)
        for name in ("median_gb", "cap_gb", "ideal_gbps", "slack_low"):
            check_column(name, getattr(self, name), n, 1e-6)
        check_column("night_share", self.night_share, n, 0.0, 1.0)
        check_column("hourly_acf", self.hourly_acf, n, 1e-6, 1.0 - 1e-6)
        check_column("slack_high", self.slack_high, n, self.slack_low)
        check_column("utc_offset_h", self.utc_offset_h, n, -14.0, 14.0)
        check_column("overhead", self.overhead, n, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Jobs:
    """Transfers, by step of arrival.

    Attributes:
        step: Step in which the transfer arrives.
        demand: Row of its demand.
        gbit: Size on the wire.
        due_s: Seconds from arrival to the deadline.
    """

    step: Int[np.ndarray, " jobs"]
    demand: Int[np.ndarray, " jobs"]
    gbit: Float[np.ndarray, " jobs"]
    due_s: Float[np.ndarray, " jobs"]

    def arrivals_gbit(self, steps: int, demands: int) -> Float[np.ndarray, "steps demands"]:
        """Gbit that arrive in each step, as other classes have it."""
        gbit = np.zeros((steps, demands), np.float32)
        np.add.at(gbit, (self.step, self.demand), self.gbit)
        return gbit


def draw(rng: np.random.Generator, spec: BulkIngestSpec, clock: Clock) -> Jobs:
    """The transfers that arrive.

    Args:
        rng: Parent of the children for the level, the counts, the sizes and the slack.
        spec: Demands.
        clock: Steps to draw.
    """
    level, counting, sizing, slack = rng.spawn(4)
    n = len(spec.demands)
    mean = _jobs_per_s(level, spec, clock) * clock.step_s
    counts = counting.poisson(mean)
    steps, demands = np.nonzero(counts)
    repeats = counts[steps, demands]
    step, demand = np.repeat(steps, repeats), np.repeat(demands, repeats)
    gb = np.minimum(
        spec.median_gb * np.exp(spec.sigma * sizing.standard_normal(step.size)), spec.cap_gb
    )
    gbit = gb * as_column(spec.size_scale, n)[demand] * GBIT_PER_GB * spec.overhead
    ideal_s = gbit / as_column(spec.ideal_gbps, n)[demand]
    due_s = ideal_s * slack.uniform(spec.slack_low, spec.slack_high, step.size)
    return Jobs(step, demand, gbit.astype(np.float32), due_s.astype(np.float32))


def mean_gbps(spec: BulkIngestSpec) -> Float[np.ndarray, " demands"]:
    """Mean rate that all transfers need together, the cap on sizes included."""
    if spec.sigma <= 0.0:
        msg = f"sigma: got {spec.sigma:g}, must be positive for a mean of lognormal sizes."
        raise WorkloadError(msg)
    cut = math.log(spec.cap_gb / spec.median_gb) / spec.sigma
    below = spec.median_gb * math.exp(spec.sigma**2 / 2.0) * _normal_cdf(cut - spec.sigma)
    gb = below + spec.cap_gb * (1.0 - _normal_cdf(cut))
    n = len(spec.demands)
    gbit_per_day = as_column(spec.jobs_per_day, n) * as_column(spec.size_scale, n)
    return gbit_per_day * np.float32(gb * GBIT_PER_GB * spec.overhead / 86_400.0)


def _jobs_per_s(
    rng: np.random.Generator, spec: BulkIngestSpec, clock: Clock
) -> Float[np.ndarray, "steps demands"]:
    """Expected transfers per second: a season, a night window, and a level that drifts."""
    n, knots = len(spec.demands), clock.knots()
    sd = math.sqrt(math.log(1.0 + spec.hourly_cv**2))
    tau_s = -3600.0 / math.log(spec.hourly_acf)
    rates = mean_one(log_ou(rng, knots, sd, tau_s, n), sd)
    by_day = season_factors(spec.season, spec.utc_offset_h, knots)
    by_night = season_factors(("night",) * n, spec.utc_offset_h, knots)
    rates *= (1.0 - spec.night_share) * by_day + spec.night_share * by_night
    rates *= as_column(spec.jobs_per_day, n) / np.float32(86_400.0)
    return clock.between_knots(rates)


def _normal_cdf(x: float) -> float:
    return 0.5 * (1.0 + math.erf(x / math.sqrt(2.0)))
