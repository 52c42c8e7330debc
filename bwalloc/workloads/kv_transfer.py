"""KV transfer: caches of prompts that one site has read and another continues from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.workloads.columns import Column, as_column, check_column
from bwalloc.workloads.counts import poisson_counts, summed_sizes
from bwalloc.workloads.sizes import gamma_beyond

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.workloads.clock import Clock

BYTES_PER_TOKEN = {
    "deepseek-v3-mla": 70_272.0,
    "llama-3-8b": 131_072.0,
    "llama-3-70b": 327_680.0,
    "llama-3.1-405b": 516_096.0,
}
"""BF16 cache per token, from public model configurations: 2 x layers x KV heads x head size x 2
bytes, or layers x 576 x 2 with multi-head latent attention. FP8 halves them."""


@dataclass(frozen=True, slots=True)
class KvTransferSpec:
    """Demands that carry the KV caches of a service.

    Attributes:
        demands: Name of each demand.
        scale: Requests of the demand per request of its service; see `scale_for_gbps`.
        mean_tokens: Mean prompt. 1,155 (CV .96): Azure LLM inference trace 2023, conversation
            (CC-BY-4.0); its code trace has 2,048 with the same CV.
        token_cv: Coefficient of variation of a prompt.
        bytes_per_token: Cache per token, of `BYTES_PER_TOKEN`.
        threshold_tokens: Shorter prompts are read where they are needed and move no cache.
            19,400 pays across data centres (PrfaaS); 0 moves all.
        overhead: On-wire bytes per payload byte (our choice).
    """

    demands: tuple[str, ...]
    scale: Column = 0.8
    mean_tokens: Column = 1155.0
    token_cv: float = 0.96
    bytes_per_token: Column = BYTES_PER_TOKEN["deepseek-v3-mla"]
    threshold_tokens: float = 0.0
    overhead: float = 1.05

    def __post_init__(self) -> None:
        n = len(self.demands)
        for name in ("scale", "bytes_per_token", "threshold_tokens"):
            check_column(name, getattr(self, name), n)
        check_column("mean_tokens", self.mean_tokens, n, 1.0)
        check_column("token_cv", self.token_cv, n, 0.01, 20.0)
        check_column("overhead", self.overhead, n, 1.0, 2.0)


def draw(
    rng: np.random.Generator,
    spec: KvTransferSpec,
    clock: Clock,
    intensity: Float[np.ndarray, "steps demands"],
) -> Float[np.ndarray, "steps demands"]:
    """Gbit that arrive in each step.

    Args:
        rng: Parent of the children for counts and sizes.
        spec: Demands.
        clock: Steps to draw.
        intensity: Requests per second of the service of each demand.
    """
    counting, sizes = rng.spawn(2)
    n = len(spec.demands)
    mean, cv, share = as_column(spec.mean_tokens, n), spec.token_cv, np.ones(n, np.float32)
    if spec.threshold_tokens > 0.0:
        share, mean, cv = gamma_beyond(mean, cv, spec.threshold_tokens)
    per_step = as_column(spec.scale, n) * share * np.float32(clock.step_s)
    requests = poisson_counts(counting, intensity * per_step)
    tokens = summed_sizes(sizes, requests, mean, cv)
    if spec.threshold_tokens > 0.0:
        tokens += requests * np.float32(spec.threshold_tokens)
    tokens *= _gbit_per_token(spec)
    return tokens


def wire_gbit(
    spec: KvTransferSpec, tokens: Float[np.ndarray, "steps demands"]
) -> Float[np.ndarray, "steps demands"]:
    """Gbit on the wire of the caches of `tokens` tokens."""
    return tokens * _gbit_per_token(spec)


def scale_for_gbps(
    gbps: Column,
    rate_rps: Column,
    mean_tokens: Column = 1155.0,
    bytes_per_token: Column = BYTES_PER_TOKEN["deepseek-v3-mla"],
    overhead: float = 1.05,
) -> Float[np.ndarray, " demands"]:
    """The `scale` at which caches of a service of `rate_rps` add up to a mean of `gbps`.

    >>> round(float(scale_for_gbps(3.0, 5.53)), 3)
    0.796
    """
    gbit_per_token = np.asarray(bytes_per_token, np.float64) * 8e-9 * overhead
    per_second = np.asarray(rate_rps, np.float64) * np.asarray(mean_tokens, np.float64)
    return np.asarray(gbps, np.float64) / (per_second * gbit_per_token)


def _gbit_per_token(spec: KvTransferSpec) -> Float[np.ndarray, " demands"]:
    columns = as_column(spec.bytes_per_token, len(spec.demands))
    return columns * np.float32(8e-9 * spec.overhead)
