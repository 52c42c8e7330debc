"""Requests: how many per second each service is asked for.

A *service* is one AI service at one site. Classes that derive from its requests (its text, its
KV caches) share its intensity, so they surge together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.workloads.churn import client_churn
from bwalloc.workloads.columns import Column, as_column, as_slice, check_column, check_words
from bwalloc.workloads.mmpp import mmpp
from bwalloc.workloads.ou import log_ou, mean_one
from bwalloc.workloads.seasons import SEASONS, season_factors
from bwalloc.workloads.surges import multiply_by_surges

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.workloads.clock import Clock

BURSTS = ("chat", "code", "poisson")
"""What happens within minutes: `chat` is a log-OU Cox process, `code` switches between silence,
work and bursts, `poisson` is a plain Poisson process (a control: real services are not)."""

PARTS = ("level", "slow", "within_day", "fast", "mmpp", "surges", "churn")
"""Random parts of an intensity. Each has a child generator of its own: changing one part leaves
the draws of the others as they are."""


@dataclass(frozen=True, slots=True)
class RequestSpec:
    """Services and the law of their requests.

    Rate = mean x season x day level x within-day level x minutes x (seconds or bursts) x surges,
    every factor of mean one but the surges.

    Attributes:
        services: Name of each service.
        rate_rps: Mean requests per second. 5.53 (conversation) and 2.57 (code) are one unit of
            the Azure LLM inference trace 2023 (CC-BY-4.0).
        burst: Kind of each service, of `BURSTS`. A `poisson` service follows its season only.
        season: Season of each service, of `bwalloc.workloads.seasons.SEASONS`.
        utc_offset_h: Local time less UTC.
        day_level_sd: Log level of a day. Day and within-day: ServeGen m-large (Apache-2.0).
        within_day_sd: Log level that drifts over `within_day_tau_s`.
        within_day_tau_s: Correlation time of the drift.
        chat_slow_sd: Log level over minutes of chat. Azure conversation trace; calibrated here.
        chat_fast_sd: Log level over seconds of chat; same source.
        code_slow_sd: Log level over minutes of code. Azure code trace; calibrated here.
        slow_tau_s: Correlation time over minutes.
        fast_tau_s: Correlation time over seconds.
        surges_per_day: Mean surges per day; ServeGen m-large.
        surge_scale: Factor on the excess of a surge; 2 in the out-of-distribution split.
        churn: Share of the rate that follows its clients as they come and go, 0 to 1. The day
            level already holds their mean effect, so more than 0 is for shifts.
        burst_stretch: How much longer the states of code last; above 1 for shifts.
    """

    services: tuple[str, ...]
    rate_rps: Column = 5.53
    burst: tuple[str, ...] = ()
    season: tuple[str, ...] = ()
    utc_offset_h: Column = 0.0
    day_level_sd: float = 0.25
    within_day_sd: float = 0.25
    within_day_tau_s: float = 2880.0
    chat_slow_sd: float = 0.25
    chat_fast_sd: float = 0.15
    code_slow_sd: float = 0.4
    slow_tau_s: float = 600.0
    fast_tau_s: float = 30.0
    surges_per_day: float = 0.5
    surge_scale: float = 1.0
    churn: float = 0.0
    burst_stretch: float = 1.0

    def __post_init__(self) -> None:
        n = len(self.services)
        object.__setattr__(self, "burst", self.burst or ("chat",) * n)
        object.__setattr__(self, "season", self.season or ("flat",) * n)
        check_words("burst", self.burst, n, BURSTS)
        check_words("season", self.season, n, SEASONS)
        check_column("rate_rps", self.rate_rps, n)
        check_column("utc_offset_h", self.utc_offset_h, n, -14.0, 14.0)
        check_column("churn", self.churn, n, 0.0, 1.0)
        for name in ("within_day_tau_s", "slow_tau_s", "fast_tau_s"):
            check_column(name, getattr(self, name), n, 1e-3)
        for name in ("day_level_sd", "within_day_sd", "chat_slow_sd", "chat_fast_sd"):
            check_column(name, getattr(self, name), n, 0.0, 3.0)
        check_column("code_slow_sd", self.code_slow_sd, n, 0.0, 3.0)
        check_column("surges_per_day", self.surges_per_day, n, 0.0, 100.0)
        check_column("surge_scale", self.surge_scale, n)
        check_column("burst_stretch", self.burst_stretch, n, 1.0, 1000.0)


def draw_intensity(
    rng: np.random.Generator, spec: RequestSpec, clock: Clock
) -> Float[np.ndarray, "steps services"]:
    """Requests per second that each service expects in each step.

    Args:
        rng: Parent of one child per entry of `PARTS`; nothing is drawn from itself.
        spec: Services and their law.
        clock: Steps to draw.
    """
    part: dict[str, np.random.Generator] = dict(zip(PARTS, rng.spawn(len(PARTS)), strict=True))
    burst = np.array(spec.burst)
    chat, code = np.flatnonzero(burst == "chat"), np.flatnonzero(burst == "code")
    steady = np.flatnonzero(burst == "poisson")
    n = len(spec.services)
    knots = clock.knots()
    rates = as_column(spec.rate_rps, n) * season_factors(spec.season, spec.utc_offset_h, knots)
    levels = _levels(part, spec, knots)
    levels[:, steady] = 1.0
    intensity = clock.between_knots(rates * levels)
    if chat.size and spec.chat_fast_sd:
        logs = log_ou(part["fast"], clock, spec.chat_fast_sd, spec.fast_tau_s, chat.size)
        intensity[:, as_slice(chat)] *= mean_one(logs, spec.chat_fast_sd)
    if code.size:
        intensity[:, as_slice(code)] *= mmpp(part["mmpp"], clock, code.size, spec.burst_stretch)
    if spec.surges_per_day:
        before = intensity[:, steady]
        multiply_by_surges(part["surges"], intensity, clock, spec.surges_per_day, spec.surge_scale)
        if steady.size:
            intensity[:, steady] = before
    return intensity


def _levels(
    part: dict[str, np.random.Generator], spec: RequestSpec, knots: Clock
) -> Float[np.ndarray, "knots services"]:
    """Mean-one product of the factors that move over minutes or longer."""
    n = len(spec.services)
    by_burst = {"chat": spec.chat_slow_sd, "code": spec.code_slow_sd, "poisson": 0.0}
    slow_sd = np.array([by_burst[burst] for burst in spec.burst], np.float32)
    logs = log_ou(part["slow"], knots, slow_sd, spec.slow_tau_s, n)
    logs += log_ou(part["within_day"], knots, spec.within_day_sd, spec.within_day_tau_s, n)
    logs += _day_levels(part["level"], spec, knots)
    total_sd = np.sqrt(slow_sd**2 + spec.within_day_sd**2 + spec.day_level_sd**2)
    levels = mean_one(logs, total_sd)
    if spec.churn:
        levels *= client_churn(part["churn"], knots, spec.churn, n)
    return levels


def _day_levels(
    rng: np.random.Generator, spec: RequestSpec, knots: Clock
) -> Float[np.ndarray, "knots services"]:
    """Zero-mean log level of the local day each knot lies in."""
    n = len(spec.services)
    hours = knots.local_hours(as_column(spec.utc_offset_h, n))
    days = np.floor(hours / 24.0).astype(np.intp)
    days -= days[0]
    levels = rng.standard_normal((int(knots.duration_s // 86_400.0) + 2, n), dtype=np.float32)
    return np.float32(spec.day_level_sd) * np.take_along_axis(levels, days, axis=0)
