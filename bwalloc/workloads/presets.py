"""Presets: laws of requests that were held against a published trace."""

from __future__ import annotations

from bwalloc.workloads.requests import RequestSpec


def azure_conv(services: int = 1) -> RequestSpec:
    """One hour of a chat service: dispersion of the Azure conversation trace at 1 to 300 s.

    Azure LLM inference trace 2023 (CC-BY-4.0; Patel et al., Splitwise, ISCA 2024); calibrated here.
    """
    return _hour("azure-conv", services, 5.53, "chat")


def azure_code(services: int = 1) -> RequestSpec:
    """One hour of a coding service: dispersion of the Azure code trace; same source."""
    return _hour("azure-code", services, 2.57, "code")


def plain_poisson(services: int = 1) -> RequestSpec:
    """A control without burstiness, at the rate of `azure_conv`; no real service is like this."""
    return _hour("poisson", services, 5.53, "poisson")


def b2b_llm(services: int = 1) -> RequestSpec:
    """Weeks of a business LLM service: the 10-minute rates of ServeGen m-large.

    Peaks, quantiles and jumps over 14 days are those of the trace, which leaves no room for the
    minutes-long level of `azure_conv`: what it adds is inside the within-day drift already.
    ServeGen (Alibaba, Apache-2.0; Xiang et al., NSDI 2026); calibrated here.
    """
    return RequestSpec(
        services=_names("b2b-llm", services),
        season=("b2b",) * services,
        chat_slow_sd=0.0,
    )


def consumer_llm(services: int = 1) -> RequestSpec:
    """Weeks of a consumer LLM service: the 10-minute rates of ServeGen m-small; same source."""
    return RequestSpec(
        services=_names("consumer-llm", services),
        season=("consumer",) * services,
        day_level_sd=0.15,
        within_day_sd=0.17,
        within_day_tau_s=0.65 * 3600.0,
        chat_slow_sd=0.0,
        surges_per_day=0.7,
    )


def _hour(name: str, services: int, rate_rps: float, burst: str) -> RequestSpec:
    """Services without season, day level, drift or surges, as within one hour."""
    return RequestSpec(
        services=_names(name, services),
        rate_rps=rate_rps,
        burst=(burst,) * services,
        day_level_sd=0.0,
        within_day_sd=0.0,
        surges_per_day=0.0,
    )


def _names(name: str, services: int) -> tuple[str, ...]:
    return tuple(f"{name}-{i}" for i in range(services))
