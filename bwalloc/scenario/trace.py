"""Request traces that are replayed instead of the drawn requests of a scenario."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.errors import ScenarioError
from bwalloc.scenario.workload import Traces
from bwalloc.workloads import traffic_class as known_class
from bwalloc.workloads.replay import (
    inference_arrivals,
    input_statistics,
    kv_transfer_arrivals,
    replay_requests,
)
from bwalloc.workloads.traces import read_request_trace

if TYPE_CHECKING:
    from bwalloc.scenario.scenario import Scenario
    from bwalloc.scenario.workload import Part, Workload
    from bwalloc.workloads.clock import Clock
    from bwalloc.workloads.inference import InferenceSpec
    from bwalloc.workloads.kv_transfer import KvTransferSpec
    from bwalloc.workloads.traces import RequestTrace

TRACEABLE = ("inference", "kv_transfer")
"""Classes that follow requests, and so can follow those of a trace."""


def with_trace(
    scenario: Scenario,
    traffic_class: str,
    path: str | Path,
    columns: Mapping[str, str] | None = None,
) -> Scenario:
    """The scenario with requests replayed from a file, one unit per site times the site's scale.

    A trace of `inference` drives `kv_transfer` too, unless that has a trace of its own. Each site
    plays the segment of its split from an offset of its own.

    Args:
        scenario: Scenario to change; it is left as it is.
        traffic_class: `inference` or `kv_transfer`.
        path: CSV or JSON lines, plain or gzipped.
        columns: Names of the columns `time`, `context` and `generated`, if not those of Azure.

    Raises:
        UnknownNameError: If there is no such class.
        ScenarioError: If the class follows no requests, or the scenario has none of it.
        TraceError: If the file is missing, malformed, truncated or empty.
    """
    known_class(traffic_class)
    if traffic_class not in TRACEABLE:
        msg = f"'{traffic_class}' cannot follow a trace of requests; {' and '.join(TRACEABLE)} can."
        raise ScenarioError(msg)
    workload = scenario.workload
    if traffic_class not in scenario.network.demands.classes:
        classes = ", ".join(scenario.network.demands.classes)
        msg = f"{scenario.slug}: has no demand of class '{traffic_class}', only {classes}."
        raise ScenarioError(msg)
    trace = read_request_trace(path, columns)
    traces = replace(workload.traces, **{traffic_class: trace})
    digest = hashlib.sha256(f"{scenario.digest}{traffic_class}{trace.sha256}".encode()).hexdigest()
    return replace(scenario, workload=replace(workload, traces=traces), digest=digest)


def trace_of(traces: Traces, traffic_class: str) -> RequestTrace | None:
    """The trace that a class follows; None if its requests are drawn."""
    if traffic_class == "kv_transfer" and traces.kv_transfer is not None:
        return traces.kv_transfer
    return traces.inference


def replay(
    workload: Workload,
    traffic_class: str,
    part: Part[Any],
    clock: Clock,
    split: str,
    offsets_seed: int,
) -> np.ndarray:
    """Gbit per step and demand of a part; equal seeds play every class from equal offsets."""
    trace = trace_of(workload.traces, traffic_class)
    assert trace is not None
    rng = np.random.default_rng(offsets_seed)
    if traffic_class == "inference":
        played = replay_requests(trace, split, rng, clock, workload.stream_scale)
        return inference_arrivals(part.spec, played.take(part.stream))
    least = part.spec.threshold_tokens
    played = replay_requests(trace, split, rng, clock, workload.stream_scale, least)
    return kv_transfer_arrivals(part.spec, played.take(part.stream))


def trace_statistics(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """By replayed class: digest and rows of its trace, mean load, and dispersion at 10 s."""
    workload = scenario.workload
    found: dict[str, dict[str, Any]] = {}
    for name, parts in (("inference", workload.inference), ("kv_transfer", workload.kv_transfer)):
        trace = trace_of(workload.traces, name)
        if trace is None or not parts:
            continue
        each = [input_statistics(trace, _at_scale(workload, part)) for part in parts]
        total = sum(statistics["mean_gbps"] for statistics in each)
        found[name] = {**each[0], "mean_gbps": total}
    return found


def _at_scale(workload: Workload, part: Part[Any]) -> InferenceSpec | KvTransferSpec:
    """The spec of a part, its sites' scales included."""
    return replace(part.spec, scale=part.spec.scale * workload.stream_scale[part.stream])
