"""Schema of the services of an environment file, and of how their requests vary."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bwalloc.scenario.fields import NO_TEXT, Amount, Names, NonNegative, Positive, Section

Burst = Literal["chat", "code", "poisson"]
Season = Literal["flat", "m-large", "m-small", "mm-image", "office", "b2b", "consumer", "night"]
Deviation = Annotated[float, Field(ge=0, le=3, allow_inf_nan=False), NO_TEXT]


class ServiceSection(Section):
    """One AI service per site that matches `sites`; its requests grow with the site's scale."""

    sites: Names
    burst: Burst = "chat"
    season: Season = "flat"
    rate_rps: Amount
    gpu_hour_usd: Positive = 2.5


class RequestSection(Section):
    """How request rates vary: log standard deviations and correlation times of the factors."""

    day_level_sd: Deviation = 0.25
    within_day_sd: Deviation = 0.25
    within_day_tau_s: Positive = 2880.0
    chat_slow_sd: Deviation = 0.25
    chat_fast_sd: Deviation = 0.15
    code_slow_sd: Deviation = 0.4
    slow_tau_s: Positive = 600.0
    fast_tau_s: Positive = 30.0
    churn: Annotated[float, Field(ge=0, le=1), NO_TEXT] = 0.0


class SurgeSection(Section):
    """Surges of the request rates; `scale` multiplies how far a surge rises above one."""

    per_day: Annotated[float, Field(ge=0, le=100), NO_TEXT] = 0.5
    scale: NonNegative = 1.0
