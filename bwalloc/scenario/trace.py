"""Measurements that are replayed in place of what a scenario draws."""

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
from bwalloc.workloads.columns import as_column
from bwalloc.workloads.matrices import MatrixSeries, replay_matrices
from bwalloc.workloads.matrix_files import read_matrices
from bwalloc.workloads.rates import RateSeries, read_rates
from bwalloc.workloads.replay import (
    inference_arrivals,
    input_statistics,
    kv_transfer_arrivals,
    replay_requests,
)
from bwalloc.workloads.traces import read_request_trace

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.scenario.scenario import Scenario
    from bwalloc.scenario.workload import Part, Workload
    from bwalloc.workloads.background import BackgroundSpec
    from bwalloc.workloads.clock import Clock
    from bwalloc.workloads.inference import InferenceSpec
    from bwalloc.workloads.kv_transfer import KvTransferSpec
    from bwalloc.workloads.traces import RequestTrace

TRACEABLE = ("inference", "kv_transfer", "background", "requests")
"""What can follow measurements: two classes rows of requests, background traffic matrices, and the
services whose requests drive classes the rates of a service."""


def with_trace(
    scenario: Scenario,
    traffic_class: str,
    path: str | Path,
    columns: Mapping[str, str] | None = None,
) -> Scenario:
    """The scenario with measurements replayed from a file in place of what it draws.

    `inference` or `kv_transfer` replay requests, one unit per site times the site's scale; a trace
    of `inference` drives `kv_transfer` too, unless that has a trace of its own. `requests` replay
    the rates of a service in bins of minutes (`PATH#MODEL` where the file holds several), and
    `background` traffic matrices (`PATH#SECONDS` where they do not say when they were measured);
    both change shapes over time and leave means as they are. What is played is the segment of the
    split, from an offset drawn for the episode.

    Args:
        scenario: Scenario to change; it is left as it is.
        traffic_class: One of `TRACEABLE`.
        path: CSV or JSON lines, plain or gzipped; for matrices `.npz`, or SNDlib's XML.
        columns: Names of the columns `time`, `context` and `generated`, if not those of Azure; of
            `time`, `rate` and `model` for rates, if not those of ServeGen.

    Raises:
        UnknownNameError: If there is no such class.
        ScenarioError: If the class follows no measurements, or the scenario has none of it.
        TraceError: If the file is missing, malformed, truncated or empty.
    """
    _check_traceable(scenario, traffic_class)
    workload = scenario.workload
    if traffic_class in ("requests", "background"):
        file, said = _parted(path)
        if traffic_class == "requests":
            trace: Any = read_rates(file, said, columns)
            traces = replace(workload.traces, requests=trace)
        else:
            trace = read_matrices(file, _seconds(path, said))
            traces = replace(
                workload.traces, background=trace, pairs=_pairs(scenario.network, trace)
            )
    else:
        trace = read_request_trace(path, columns)
        traces = replace(workload.traces, **{traffic_class: trace})
    text = f"{scenario.digest}{traffic_class}{trace.sha256}{_said_of(trace)}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return replace(scenario, workload=replace(workload, traces=traces), digest=digest)


def _check_traceable(scenario: Scenario, name: str) -> None:
    if name == "requests":
        if scenario.workload.requests is None:
            msg = f"{scenario.slug}: has no service, so nothing follows the rates of one."
            raise ScenarioError(msg)
        return
    known_class(name)
    if name not in TRACEABLE:
        msg = f"'{name}' cannot follow a trace; {', '.join(TRACEABLE[:-1])} and requests can."
        raise ScenarioError(msg)
    if name not in scenario.network.demands.classes:
        classes = ", ".join(scenario.network.demands.classes)
        msg = f"{scenario.slug}: has no demand of class '{name}', only {classes}."
        raise ScenarioError(msg)


def _parted(path: str | Path) -> tuple[str, str]:
    """A path and what is said after its last `#`, unless that is part of the file's name."""
    text = str(path)
    file, mark, said = text.rpartition("#")
    return (file, said) if mark and not Path(text).exists() else (text, "")


def _seconds(path: str | Path, said: str) -> float | None:
    if not said:
        return None
    try:
        return float(said)
    except ValueError:
        msg = f"{path}: got '{said}' after the #, must be the seconds between matrices, as #300."
        raise ScenarioError(msg) from None


def _said_of(trace: Any) -> str:
    """What of a series its file does not fix: which model, or how far apart its matrices are."""
    if isinstance(trace, RateSeries):
        return trace.model
    return f"{trace.t_s[1]:g}" if isinstance(trace, MatrixSeries) else ""


def _pairs(network: Network, series: MatrixSeries) -> np.ndarray:
    """Which pair of a series each background demand follows; -1 for all others."""
    demands, sites = network.demands, network.sites.name
    rows = demands.rows_of("background")
    ends = [(sites[demands.source[row]], sites[demands.target[row]]) for row in rows]
    pairs = np.full(network.n_demands, -1, np.int64)
    pairs[rows] = series.pairs_of(ends)
    return pairs


def replay_background(
    workload: Workload, part: Part[BackgroundSpec], clock: Clock, split: str, offset_seed: int
) -> np.ndarray:
    """Gbit per step and demand of a part; equal seeds play all parts from one moment."""
    traces = workload.traces
    assert traces.background is not None
    assert traces.pairs is not None
    rng, pairs = np.random.default_rng(offset_seed), traces.pairs[part.rows]
    gbit = replay_matrices(traces.background, pairs, split, rng, clock)
    gbit *= as_column(part.spec.mean_gbps, len(pairs)) * np.float32(clock.step_s)
    return gbit


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
    """By replayed class: digest, rows, mean load, and dispersion at 10 s, where it has them."""
    workload = scenario.workload
    found: dict[str, dict[str, Any]] = {}
    for name, parts in (("inference", workload.inference), ("kv_transfer", workload.kv_transfer)):
        trace = trace_of(workload.traces, name)
        if trace is None or not parts:
            continue
        each = [input_statistics(trace, _at_scale(workload, part)) for part in parts]
        total = sum(statistics["mean_gbps"] for statistics in each)
        found[name] = {**each[0], "mean_gbps": total}
    return found | _series_statistics(workload)


def _series_statistics(workload: Workload) -> dict[str, dict[str, Any]]:
    """Digest and rows of rates and matrices, and the mean load that these are scaled to."""
    traces, found = workload.traces, dict[str, dict[str, Any]]()
    if traces.requests is not None:
        found["requests"] = {"sha256": traces.requests.sha256, "rows": traces.requests.rows}
    if traces.background is not None:
        parts = [as_column(p.spec.mean_gbps, len(p.rows)) for p in workload.background]
        found["background"] = {
            "sha256": traces.background.sha256,
            "rows": traces.background.rows,
            "mean_gbps": float(sum(part.sum() for part in parts)),
        }
    return found


def _at_scale(workload: Workload, part: Part[Any]) -> InferenceSpec | KvTransferSpec:
    """The spec of a part, its sites' scales included."""
    return replace(part.spec, scale=part.spec.scale * workload.stream_scale[part.stream])
