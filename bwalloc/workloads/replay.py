"""Replay: the requests of a trace, cut by split, in place of drawn ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np

from bwalloc.errors import TraceError, unknown_name
from bwalloc.workloads import inference, kv_transfer
from bwalloc.workloads.columns import Column, as_column
from bwalloc.workloads.inference import InferenceSpec

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.workloads.clock import Clock
    from bwalloc.workloads.kv_transfer import KvTransferSpec
    from bwalloc.workloads.traces import RequestTrace

SEGMENTS = {
    "train": (0.0, 0.7),
    "validation": (0.7, 0.8),
    "test": (0.8, 1.0),
    "ood": (0.8, 1.0),
}
"""Share of a trace's duration that each split plays (our choice, 70/10/20 in time order)."""

WINDOW_S = 10.0
"""Window of `idc_10s` in seconds."""


class ReplayedRequests(NamedTuple):
    """What a trace asks for in each step, by column.

    Attributes:
        requests: Number of requests, times the scale of the column.
        context_tokens: Tokens of their prompts together, times the same.
        generated_tokens: Tokens of their answers together, times the same.
    """

    requests: Float[np.ndarray, "steps columns"]
    context_tokens: Float[np.ndarray, "steps columns"]
    generated_tokens: Float[np.ndarray, "steps columns"]

    def take(self, columns: np.ndarray) -> ReplayedRequests:
        """The given columns, as for demands that follow services."""
        return ReplayedRequests(*(part[:, columns] for part in self))


class InputStatistics(TypedDict):
    """What a comparison prints about a trace it replayed."""

    sha256: str
    rows: int
    mean_gbps: float
    idc_10s: float


def replay_requests(
    trace: RequestTrace,
    split: str,
    rng: np.random.Generator,
    clock: Clock,
    scale: Column,
    least_context_tokens: float = 0.0,
) -> ReplayedRequests:
    """Play a split's segment of a trace in every column, each from its own offset, in a circle.

    Args:
        trace: Requests.
        split: Key of `SEGMENTS`.
        rng: Source of one uniform per column, so equal generators give equal offsets whatever
            the other arguments.
        clock: Steps to play.
        scale: Factor on the volumes of each column; its length is the number of columns.
        least_context_tokens: Shorter prompts are left out (`KvTransferSpec.threshold_tokens`).

    Raises:
        UnknownNameError: If there is no such split.
        TraceError: If the segment holds no request.
    """
    start_s, end_s = segment_of(split, trace.duration_s)
    length_s = end_s - start_s
    factors = as_column(scale, np.size(scale))
    offsets_s = rng.uniform(0.0, length_s, factors.size)
    rows = _rows_of(trace, start_s, end_s, split)
    rows = rows[trace.context_tokens[rows] >= least_context_tokens]
    edges_s = offsets_s + np.arange(clock.steps + 1)[:, None] * clock.step_s
    laps, part_s = np.divmod(edges_s, length_s)
    before = np.searchsorted(trace.t_s[rows] - start_s, part_s)
    columns = (np.ones(rows.size), trace.context_tokens[rows], trace.generated_tokens[rows])
    return ReplayedRequests(*(_by_step(each, laps, before, factors) for each in columns))


def inference_arrivals(
    spec: InferenceSpec, played: ReplayedRequests
) -> Float[np.ndarray, "steps demands"]:
    """Gbit of text that arrive in each step; the byte law and `scale` of `InferenceSpec`.

    Args:
        spec: Demands.
        played: Requests with one column per demand (`ReplayedRequests.take`).
    """
    return inference.wire_gbit(spec, *played) * as_column(spec.scale, len(spec.demands))


def kv_transfer_arrivals(
    spec: KvTransferSpec, played: ReplayedRequests
) -> Float[np.ndarray, "steps demands"]:
    """Gbit of KV caches that arrive in each step; the byte law and `scale` of `KvTransferSpec`.

    Args:
        spec: Demands.
        played: Requests with one column per demand (`ReplayedRequests.take`), played with
            `least_context_tokens=spec.threshold_tokens`.
    """
    tokens = played.context_tokens * as_column(spec.scale, len(spec.demands))
    return kv_transfer.wire_gbit(spec, tokens)


def input_statistics(trace: RequestTrace, spec: InferenceSpec | KvTransferSpec) -> InputStatistics:
    """What a trace is: its digest, its size, the load it makes, and how bursty it is.

    `mean_gbps` is the load of all demands of `spec` together, each fed by the whole trace.
    `idc_10s` is the variance over the mean of request counts in whole windows of 10 s: 1 for a
    Poisson process, about 4 for the Azure conversation trace, about 72 for the code trace.

    Raises:
        TraceError: If the trace is shorter than two windows.
    """
    windows = int(trace.duration_s // WINDOW_S)
    if windows < 2:
        msg = (
            f"{trace.title}: lasts {trace.duration_s:g} s, must be {2 * WINDOW_S:g} s or more. "
            "Use a longer trace."
        )
        raise TraceError(msg)
    counts = np.bincount((trace.t_s / WINDOW_S).astype(np.intp))[:windows]
    return InputStatistics(
        sha256=trace.sha256,
        rows=trace.rows,
        mean_gbps=_total_gbit(trace, spec) / trace.duration_s,
        idc_10s=float(counts.var() / counts.mean()),
    )


def _total_gbit(trace: RequestTrace, spec: InferenceSpec | KvTransferSpec) -> float:
    """Gbit of the whole trace, over all demands of `spec`."""
    least = 0.0 if isinstance(spec, InferenceSpec) else spec.threshold_tokens
    kept = trace.context_tokens >= least
    sums = (kept.sum(), trace.context_tokens[kept].sum(), trace.generated_tokens[kept].sum())
    played = ReplayedRequests(*(np.full((1, len(spec.demands)), each) for each in sums))
    if isinstance(spec, InferenceSpec):
        return float(inference_arrivals(spec, played).sum())
    return float(kv_transfer_arrivals(spec, played).sum())


def segment_of(split: str, duration_s: float) -> tuple[float, float]:
    """Start and end in seconds of the segment that a split plays.

    Raises:
        UnknownNameError: If there is no such split.
    """
    if split not in SEGMENTS:
        raise unknown_name(kind="split", name=split, known=SEGMENTS, remedy="Use one of them.")
    begin, end = SEGMENTS[split]
    return begin * duration_s, end * duration_s


def _rows_of(trace: RequestTrace, start_s: float, end_s: float, split: str) -> np.ndarray:
    """Rows within a segment; the last segment leaves out the request that ends the trace."""
    first, last = np.searchsorted(trace.t_s, (start_s, end_s))
    if first >= last:
        begin, end = (f"{share:.0%}" for share in SEGMENTS[split])
        msg = (
            f"{trace.title}: holds no request from {begin} to {end} of its time, the {split} split."
        )
        msg += " Use a longer trace, or another split."
        raise TraceError(msg)
    return np.arange(first, last)


def _by_step(
    values: Float[np.ndarray, " rows"],
    laps: Float[np.ndarray, "edges columns"],
    before: np.ndarray,
    factors: Float[np.ndarray, " columns"],
) -> Float[np.ndarray, "steps columns"]:
    """Sum of `values` between the edges of each step, the segment repeated lap by lap."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    reached = laps * total[-1] + total[before]
    return np.diff(reached, axis=0).astype(np.float32) * factors
