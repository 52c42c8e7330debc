"""From the services and demands of an environment file to a `Workload`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from bwalloc.errors import ScenarioError, WorkloadError
from bwalloc.scenario.build_demands import group_of
from bwalloc.scenario.build_specs import (
    Column,
    background_spec,
    bulk_ingest_spec,
    checkpoint_spec,
    cold_start_spec,
    data_feed_spec,
    inference_spec,
    kv_transfer_spec,
    model_push_spec,
    restore_spec,
    train_sync_spec,
    video_uplink_spec,
)
from bwalloc.scenario.economics import variety_of
from bwalloc.scenario.workload import Part, Shift, Traces, Workload
from bwalloc.workloads.requests import RequestSpec

if TYPE_CHECKING:
    from bwalloc.network import Topology
    from bwalloc.scenario.expand import DemandRow, Stream
    from bwalloc.scenario.schema import EnvFile


Spec = TypeVar("Spec")


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
        inference=_parts(columns, "inference", inference_spec),
        kv_transfer=_parts(columns, "kv_transfer", kv_transfer_spec),
        video_uplink=_parts(columns, "video_uplink", video_uplink_spec),
        background=_parts(columns, "background", background_spec),
        bulk_ingest=_parts(columns, "bulk_ingest", bulk_ingest_spec),
        shifts=tuple(Shift(**shift.model_dump(exclude={"source"})) for shift in env.ood),
        entropy=entropy,
        stream_scale=np.array([site_scale(env, stream.site) for stream in streams], float),
        traces=Traces(),
        train_sync=_parts(columns, "train_sync", train_sync_spec, ()),
        checkpoint=_parts(columns, "checkpoint", checkpoint_spec, ()),
        restore=_parts(columns, "checkpoint/restore", restore_spec, ()),
        data_feed=_parts(columns, "data_feed", data_feed_spec, FED),
        model_push=_parts(columns, "model_push", model_push_spec, ()),
        cold_start=_parts(columns, "model_push/cold_start", cold_start_spec, SCALED),
    )


def _columns(
    env: EnvFile,
    topology: Topology,
    rows: Sequence[DemandRow],
    streams: Sequence[Stream],
    stream_of: Sequence[int],
) -> list[Column]:
    zone = _offsets(topology)
    return [
        Column(
            row=row,
            demand=demand,
            stream=stream,
            of_stream=streams[stream] if stream >= 0 else None,
            scale=site_scale(env, demand.site),
            utc_offset_h=zone[demand.site],
            job=_job_of(env, demand.name),
        )
        for row, (demand, stream) in enumerate(zip(rows, stream_of, strict=True))
    ]


def _job_of(env: EnvFile, name: str) -> str:
    """The job that a demand belongs to: its group, or else its section."""
    return group_of(env, name) or name.split("/")[0]


def _offsets(topology: Topology) -> dict[str, float]:
    return dict(zip(topology.sites.name, topology.sites.utc_offset_h.tolist(), strict=True))


def site_scale(env: EnvFile, site: str) -> float:
    """How much larger than a mean site a site is."""
    about = env.network.sites.get(site)
    return about.scale if about else 1.0


def _requests(env: EnvFile, topology: Topology, streams: Sequence[Stream]) -> RequestSpec:
    zone = _offsets(topology)
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
    shared: Sequence[str] | None = None,
) -> tuple[Part[Spec], ...]:
    """One part per distinct set of the numbers that a spec holds once for all its demands.

    Those are the `shared` keys of a section; without any, the class is one part.
    """
    alike: dict[tuple[Any, ...], list[Column]] = {}
    for column in columns:
        if variety_of(column.demand.section) == traffic_class:
            keys = SHARED if shared is None else shared
            alike.setdefault(tuple(_shared(column, keys).items()), []).append(column)
    return tuple(
        Part(
            spec=_built(build, group, dict(numbers)),
            rows=np.array([column.row for column in group], np.int64),
            stream=np.array([column.stream for column in group], np.int64),
        )
        for numbers, group in alike.items()
    )


def _built(
    build: Callable[[list[Column], tuple[str, ...], dict[str, Any]], Spec],
    columns: list[Column],
    shared: dict[str, Any],
) -> Spec:
    names = tuple(column.demand.name for column in columns)
    try:
        return build(columns, names, shared)
    except WorkloadError as error:
        sections = dict.fromkeys(f"demands.{name.split('/')[0]}" for name in names)
        msg = f"{', '.join(sections)}: {error}"
        raise ScenarioError(msg) from None


SHARED = (
    "token_cv",
    "threshold_tokens",
    "bytes_per_generated_token",
    "cv",
    "tau_s",
    "event_duty",
    "event_duty_night",
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


FED = ("active_share", "mean_run_s", "cv", "tau_s", "overhead")
SCALED = ("window_s", "cooldown_s")


def _shared(column: Column, keys: Sequence[str]) -> dict[str, Any]:
    section = column.demand.section
    return {name: getattr(section, name) for name in keys if hasattr(section, name)}
