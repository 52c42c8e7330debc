"""Inference: the text of interactive LLM requests. Tiny volumes, worth much per gigabit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.workloads.columns import Column, as_column, check_column, check_words
from bwalloc.workloads.counts import poisson_counts, summed_sizes

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.workloads.clock import Clock

GBIT_PER_BYTE = 8e-9
DIRECTIONS = ("up", "down")


@dataclass(frozen=True, slots=True)
class InferenceSpec:
    """Demands that carry prompts up or streamed answers down.

    Attributes:
        demands: Name of each demand.
        direction: `up` (prompts) or `down` (answers, the default) of each demand.
        scale: Requests of the demand per request of its service.
        mean_context_tokens: Mean prompt. 1,155 (CV .96): Azure LLM inference trace 2023,
            conversation (CC-BY-4.0); its code trace has 2,048.
        mean_generated_tokens: Mean answer; same source, 211 (CV .77). Code has 28.
        context_cv: Coefficient of variation of a prompt.
        generated_cv: Coefficient of variation of an answer.
        bytes_per_request: HTTP envelope of a prompt (our choice).
        bytes_per_context_token: Bytes of text per prompt token (about 4 in English).
        bytes_per_generated_token: Bytes of one server-sent event, a token each (our choice).
        overhead: On-wire bytes per payload byte: Ethernet, IP, TCP and TLS (our choice).
    """

    demands: tuple[str, ...]
    direction: tuple[str, ...] = ()
    scale: Column = 1.0
    mean_context_tokens: Column = 1155.0
    mean_generated_tokens: Column = 211.0
    context_cv: float = 0.96
    generated_cv: float = 0.77
    bytes_per_request: float = 600.0
    bytes_per_context_token: float = 4.0
    bytes_per_generated_token: float = 250.0
    overhead: float = 1.05

    def __post_init__(self) -> None:
        n = len(self.demands)
        object.__setattr__(self, "direction", self.direction or ("down",) * n)
        check_words("direction", self.direction, n, DIRECTIONS)
        for name in ("scale", "mean_context_tokens", "mean_generated_tokens", "bytes_per_request"):
            check_column(name, getattr(self, name), n)
        for name in ("context_cv", "generated_cv"):
            check_column(name, getattr(self, name), n, 0.01, 20.0)
        check_column("overhead", self.overhead, n, 1.0, 2.0)


def draw(
    rng: np.random.Generator,
    spec: InferenceSpec,
    clock: Clock,
    intensity: Float[np.ndarray, "steps demands"],
) -> Float[np.ndarray, "steps demands"]:
    """Gbit that arrive in each step.

    Args:
        rng: Parent of the children for counts, prompt sizes and answer sizes.
        spec: Demands.
        clock: Steps to draw.
        intensity: Requests per second of the service of each demand.
    """
    counting, prompts, answers = rng.spawn(3)
    n = len(spec.demands)
    requests = poisson_counts(
        counting, intensity * (as_column(spec.scale, n) * np.float32(clock.step_s))
    )
    tokens = np.empty_like(requests)
    up = np.array(spec.direction) == "up"
    context = as_column(spec.mean_context_tokens, n)
    generated = as_column(spec.mean_generated_tokens, n)
    for columns, sizes, mean, cv in (
        (up, prompts, context, spec.context_cv),
        (~up, answers, generated, spec.generated_cv),
    ):
        if columns.all():
            tokens = summed_sizes(sizes, requests, mean, cv)
        elif columns.any():
            tokens[:, columns] = summed_sizes(sizes, requests[:, columns], mean[columns], cv)
    return wire_gbit(spec, requests, tokens, tokens)


def wire_gbit(
    spec: InferenceSpec,
    requests: Float[np.ndarray, "steps demands"],
    context_tokens: Float[np.ndarray, "steps demands"],
    generated_tokens: Float[np.ndarray, "steps demands"],
) -> Float[np.ndarray, "steps demands"]:
    """Gbit on the wire of requests and tokens; `up` reads the prompts, `down` the answers."""
    up = np.array(spec.direction) == "up"
    gbit_per_byte = np.float32(GBIT_PER_BYTE * spec.overhead)
    per_request = np.float32(spec.bytes_per_request) * up * gbit_per_byte
    per_context = np.float32(spec.bytes_per_context_token) * up * gbit_per_byte
    per_generated = np.float32(spec.bytes_per_generated_token) * ~up * gbit_per_byte
    if not up.any():
        return generated_tokens * per_generated
    gbit = requests * per_request + context_tokens * per_context
    return gbit if up.all() else gbit + generated_tokens * per_generated
