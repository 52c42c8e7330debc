"""From the services and demands of an environment file to a `Workload`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from bwalloc.scenario.workload import Part, Shift, Traces, Workload
from bwalloc.workloads import bulk_ingest, inference, kv_transfer
from bwalloc.workloads.background import BackgroundSpec
from bwalloc.workloads.bulk_ingest import BulkIngestSpec
from bwalloc.workloads.inference import InferenceSpec
from bwalloc.workloads.kv_transfer import KvTransferSpec
from bwalloc.workloads.requests import RequestSpec
from bwalloc.workloads.video_uplink import VideoUplinkSpec

if TYPE_CHECKING:
    from bwalloc.network import Topology
    from bwalloc.scenario.expand import DemandRow, Stream
    from bwalloc.scenario.schema import EnvFile

TOKENS = {"chat": (1155.0, 211.0), "code": (2048.0, 28.0), "poisson": (1155.0, 211.0)}
"""Mean prompt and answer in tokens: Azure LLM inference traces 2023 (CC-BY-4.0)."""

Spec = TypeVar("Spec")


@dataclass(frozen=True, slots=True)
class Column:
    """One demand on its way into a spec: its row, its site's scale and zone, and its stream."""

    row: int
    demand: DemandRow
    stream: int
    of_stream: Stream | None
    scale: float
    utc_offset_h: float


def build_workload(
    env: EnvFile,
    topology: Topology,
    rows: Sequence[DemandRow],
    streams: Sequence[Stream],
    stream_of: Sequence[int],
    entropy: int,
) -> Workload:
    """The parts of every class; demands of equal law share a part."""
    columns = _columns(env, topology, rows, streams, stream_of)
    return Workload(
        requests=_requests(env, topology, streams) if streams else None,
        inference=_parts(columns, "inference", _inference),
        kv_transfer=_parts(columns, "kv_transfer", _kv_transfer),
        video_uplink=_parts(columns, "video_uplink", _video_uplink),
        background=_parts(columns, "background", _background),
        bulk_ingest=_parts(columns, "bulk_ingest", _bulk_ingest),
        shifts=tuple(Shift(**shift.model_dump(exclude={"source"})) for shift in env.ood),
        entropy=entropy,
        stream_scale=np.array([site_scale(env, stream.site) for stream in streams], float),
        traces=Traces(),
    )


def _columns(
    env: EnvFile,
    topology: Topology,
    rows: Sequence[DemandRow],
    streams: Sequence[Stream],
    stream_of: Sequence[int],
) -> list[Column]:
    zone = dict(zip(topology.sites.name, topology.sites.utc_offset_h, strict=True))
    return [
        Column(
            row=row,
            demand=demand,
            stream=stream,
            of_stream=streams[stream] if stream >= 0 else None,
            scale=site_scale(env, demand.site),
            utc_offset_h=float(zone[demand.site]),
        )
        for row, (demand, stream) in enumerate(zip(rows, stream_of, strict=True))
    ]


def site_scale(env: EnvFile, site: str) -> float:
    """How much larger than a mean site a site is."""
    about = env.network.sites.get(site)
    return about.scale if about else 1.0


def _requests(env: EnvFile, topology: Topology, streams: Sequence[Stream]) -> RequestSpec:
    zone = dict(zip(topology.sites.name, topology.sites.utc_offset_h, strict=True))
    law = env.requests.model_dump(exclude={"source"})
    return RequestSpec(
        services=tuple(stream.name for stream in streams),
        rate_rps=np.array([s.section.rate_rps * site_scale(env, s.site) for s in streams]),
        burst=tuple(stream.section.burst for stream in streams),
        season=tuple(stream.section.season for stream in streams),
        utc_offset_h=np.array([zone[stream.site] for stream in streams]),
        surges_per_day=env.surge.per_day,
        surge_scale=env.surge.scale,
        **law,
    )


def _parts(
    columns: Sequence[Column],
    traffic_class: str,
    build: Callable[[list[Column], tuple[str, ...], dict[str, Any]], Spec],
) -> tuple[Part[Spec], ...]:
    """One part per distinct set of the numbers that a spec holds once for all its demands."""
    alike: dict[tuple[Any, ...], list[Column]] = {}
    for column in columns:
        if column.demand.section.traffic_class == traffic_class:
            alike.setdefault(tuple(_shared(column).items()), []).append(column)
    return tuple(
        Part(
            spec=build(group, tuple(column.demand.name for column in group), dict(shared)),
            rows=np.array([column.row for column in group], np.int64),
            stream=np.array([column.stream for column in group], np.int64),
        )
        for shared, group in alike.items()
    )


SHARED = (
    "token_cv",
    "threshold_tokens",
    "bytes_per_generated_token",
    "cv",
    "tau_s",
    "event_duty",
    "event_mean_s",
    "event_factor",
    "ladder_top_mbps",
    "acf_1h",
    "median_gb",
    "sigma",
    "cap_gb",
    "night_share",
    "slack_low",
    "slack_high",
    "overhead",
)


def _shared(column: Column) -> dict[str, Any]:
    section = column.demand.section
    return {name: getattr(section, name) for name in SHARED if hasattr(section, name)}


def _each(columns: Sequence[Column], value: Callable[[Column], float]) -> np.ndarray:
    return np.array([value(column) for column in columns], float)


def _tokens(column: Column, index: int, said: float | None) -> float:
    """Mean prompt (0) or answer (1): what the section says, else that of its service's kind."""
    if said is not None or column.of_stream is None:
        return said or TOKENS["chat"][index]
    return TOKENS[column.of_stream.section.burst][index]


def _rate_rps(column: Column) -> float:
    return column.of_stream.section.rate_rps * column.scale if column.of_stream else 1.0


def _inference(
    columns: list[Column], names: tuple[str, ...], shared: dict[str, Any]
) -> InferenceSpec:
    def said(column: Column, key: str) -> float | None:
        return getattr(column.demand.section, key)

    context = _each(columns, lambda c: _tokens(c, 0, said(c, "mean_context_tokens")))
    generated = _each(columns, lambda c: _tokens(c, 1, said(c, "mean_generated_tokens")))
    direction = tuple(str(getattr(c.demand.section, "direction")) for c in columns)  # noqa: B009
    unit = InferenceSpec(names, direction, 1.0, context, generated, **shared)
    one = np.ones((1, len(columns)), np.float32)
    per_request = inference.wire_gbit(unit, one, one * context, one * generated)[0]
    scale = [
        (said(c, "mean_gbps") or 0.0) * c.scale / (_rate_rps(c) * gbit) or 1.0
        for c, gbit in zip(columns, per_request, strict=True)
    ]
    return InferenceSpec(names, direction, np.array(scale), context, generated, **shared)


def _kv_transfer(
    columns: list[Column], names: tuple[str, ...], shared: dict[str, Any]
) -> KvTransferSpec:
    def said(column: Column, key: str) -> Any:
        return getattr(column.demand.section, key)

    tokens = _each(columns, lambda c: _tokens(c, 0, said(c, "mean_tokens")))
    per_token = _each(columns, lambda c: said(c, "bytes_per_token"))
    wanted = _each(columns, lambda c: (said(c, "mean_gbps") or 0.0) * c.scale)
    rate = _each(columns, _rate_rps)
    scale = kv_transfer.scale_for_gbps(wanted, rate, tokens, per_token, shared["overhead"])
    scale = np.where(wanted > 0, scale, 1.0)
    return KvTransferSpec(names, scale, tokens, bytes_per_token=per_token, **shared)


def _video_uplink(
    columns: list[Column], names: tuple[str, ...], shared: dict[str, Any]
) -> VideoUplinkSpec:
    cameras = _each(columns, lambda c: getattr(c.demand.section, "cameras") * c.scale)  # noqa: B009
    mbps = _each(columns, lambda c: getattr(c.demand.section, "wanted_mbps"))  # noqa: B009
    return VideoUplinkSpec(names, cameras, mbps, **shared)


def _background(
    columns: list[Column], names: tuple[str, ...], shared: dict[str, Any]
) -> BackgroundSpec:
    gbps = _each(columns, lambda c: getattr(c.demand.section, "mean_gbps") * c.scale)  # noqa: B009
    return BackgroundSpec(names, gbps, season=_seasons(columns), **_zone(columns), **shared)


def _bulk_ingest(
    columns: list[Column], names: tuple[str, ...], shared: dict[str, Any]
) -> BulkIngestSpec:
    def of(column: Column, key: str) -> Any:
        return getattr(column.demand.section, key)

    kept = {key: value for key, value in shared.items() if key != "cv"}
    law: dict[str, Any] = {
        "jobs_per_day": _each(columns, lambda c: of(c, "jobs_per_day")),
        "ideal_gbps": _each(columns, lambda c: of(c, "ideal_gbps")),
        "season": _seasons(columns),
        **_zone(columns),
        **kept,
    }
    unit = bulk_ingest.mean_gbps(BulkIngestSpec(names, **law))
    wanted = _each(columns, lambda c: of(c, "mean_gbps") or 0.0)
    scale = np.where(wanted > 0, wanted / unit, 1.0) * _each(columns, lambda c: c.scale)
    return BulkIngestSpec(names, size_scale=scale, **law)


def _seasons(columns: list[Column]) -> tuple[str, ...]:
    return tuple(str(getattr(c.demand.section, "season")) for c in columns)  # noqa: B009


def _zone(columns: list[Column]) -> dict[str, Any]:
    return {"utc_offset_h": _each(columns, lambda c: c.utc_offset_h)}
