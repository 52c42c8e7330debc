"""From the demands of an environment file to the specs of their classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.workloads import (
    bulk_ingest,
    checkpoint,
    data_feed,
    inference,
    kv_transfer,
    model_push,
    train_sync,
)
from bwalloc.workloads.background import BackgroundSpec
from bwalloc.workloads.bulk_ingest import GBIT_PER_GB, BulkIngestSpec
from bwalloc.workloads.checkpoint import CheckpointSpec, RestoreSpec
from bwalloc.workloads.data_feed import DataFeedSpec
from bwalloc.workloads.inference import InferenceSpec
from bwalloc.workloads.kv_transfer import KvTransferSpec
from bwalloc.workloads.model_push import ColdStartSpec, ModelPushSpec
from bwalloc.workloads.train_sync import TrainSyncSpec
from bwalloc.workloads.video_uplink import VideoUplinkSpec

if TYPE_CHECKING:
    from bwalloc.scenario.expand import DemandRow, Stream

TOKENS = {"chat": (1155.0, 211.0), "code": (2048.0, 28.0), "poisson": (1155.0, 211.0)}
"""Mean prompt and answer in tokens: Azure LLM inference traces 2023 (CC-BY-4.0)."""


@dataclass(frozen=True, slots=True)
class Column:
    """One demand on its way into a spec: its row, its site's scale and zone, stream and job."""

    row: int
    demand: DemandRow
    stream: int
    of_stream: Stream | None
    scale: float
    utc_offset_h: float
    job: str


def _said(column: Column, key: str) -> Any:
    return getattr(column.demand.section, key)


def _tokens(column: Column, index: int, said: float | None) -> float:
    """Mean prompt (0) or answer (1): what the section says, else that of its service's kind."""
    if said is not None or column.of_stream is None:
        return said or TOKENS["chat"][index]
    return TOKENS[column.of_stream.section.burst][index]


def _rate_rps(column: Column) -> float:
    return column.of_stream.section.rate_rps * column.scale if column.of_stream else 1.0


def _each(columns: Sequence[Column], value: Callable[[Column], float]) -> np.ndarray:
    return np.array([value(column) for column in columns], float)


def inference_spec(
    columns: list[Column], names: tuple[str, ...], shared: dict[str, Any]
) -> InferenceSpec:
    """Prompts and answers of services; `mean_gbps` fits their scale."""
    context = _each(columns, lambda c: _tokens(c, 0, _said(c, "mean_context_tokens")))
    generated = _each(columns, lambda c: _tokens(c, 1, _said(c, "mean_generated_tokens")))
    direction = tuple(str(_said(c, "direction")) for c in columns)
    unit = InferenceSpec(names, direction, 1.0, context, generated, **shared)
    one = np.ones((1, len(columns)), np.float32)
    (per_request,) = inference.wire_gbit(unit, one, one * context, one * generated)
    scale = [
        (_said(c, "mean_gbps") or 0.0) * c.scale / (_rate_rps(c) * gbit) or 1.0
        for c, gbit in zip(columns, per_request, strict=True)
    ]
    return InferenceSpec(names, direction, np.array(scale), context, generated, **shared)


def kv_transfer_spec(
    columns: list[Column], names: tuple[str, ...], shared: dict[str, Any]
) -> KvTransferSpec:
    """KV caches of services; `mean_gbps` fits their scale."""
    tokens = _each(columns, lambda c: _tokens(c, 0, _said(c, "mean_tokens")))
    per_token = _each(columns, lambda c: _said(c, "bytes_per_token"))
    wanted = _each(columns, lambda c: (_said(c, "mean_gbps") or 0.0) * c.scale)
    scale = kv_transfer.scale_for_gbps(
        wanted, _each(columns, _rate_rps), tokens, per_token, shared["overhead"]
    )
    scale = np.where(wanted > 0, scale, 1.0)
    return KvTransferSpec(names, scale, tokens, bytes_per_token=per_token, **shared)


def video_uplink_spec(
    columns: list[Column], names: tuple[str, ...], shared: dict[str, Any]
) -> VideoUplinkSpec:
    """Cameras, more of them at a larger site."""
    cameras = _each(columns, lambda c: _said(c, "cameras") * c.scale)
    mbps = _each(columns, lambda c: _said(c, "wanted_mbps"))
    return VideoUplinkSpec(names, cameras, mbps, utc_offset_h=_zone(columns), **shared)


def background_spec(
    columns: list[Column], names: tuple[str, ...], shared: dict[str, Any]
) -> BackgroundSpec:
    """Background, more of it at a larger site."""
    gbps = _each(columns, lambda c: _said(c, "mean_gbps") * c.scale)
    return BackgroundSpec(
        names, gbps, season=_seasons(columns), utc_offset_h=_zone(columns), **shared
    )


def bulk_ingest_spec(
    columns: list[Column], names: tuple[str, ...], shared: dict[str, Any]
) -> BulkIngestSpec:
    """Transfers; `mean_gbps` fits their sizes."""
    kept = {key: value for key, value in shared.items() if key != "cv"}
    law: dict[str, Any] = {
        "jobs_per_day": _each(columns, lambda c: _said(c, "jobs_per_day")),
        "ideal_gbps": _each(columns, lambda c: _said(c, "ideal_gbps")),
        "season": _seasons(columns),
        "utc_offset_h": _zone(columns),
        **kept,
    }
    unit = bulk_ingest.mean_gbps(BulkIngestSpec(names, **law))
    wanted = _each(columns, lambda c: _said(c, "mean_gbps") or 0.0)
    scale = np.where(wanted > 0, wanted / unit, 1.0) * _each(columns, lambda c: c.scale)
    return BulkIngestSpec(names, size_scale=scale, **law)


def train_sync_spec(
    columns: list[Column], names: tuple[str, ...], _: dict[str, Any]
) -> TrainSyncSpec:
    """Rounds of training jobs; volumes follow the model and the sites of the job."""
    round_s = _each(columns, lambda c: _said(c, "steps_per_round") * _said(c, "step_s"))
    gbit = [
        mean * c.scale * length if (mean := _said(c, "mean_gbps")) else _round_gbit(c, columns)
        for c, length in zip(columns, round_s, strict=True)
    ]
    return TrainSyncSpec(
        names,
        np.array(gbit),
        job=_jobs(columns),
        round_s=round_s,
        **_law(columns, *train_sync.CLOCK[1:]),
    )


def _round_gbit(column: Column, columns: list[Column]) -> float:
    """What a demand carries in a round: all of its site's volume, or its share of an exchange."""
    mine = [c.demand for c in columns if c.job == column.job]
    sites = {site for demand in mine for site in (demand.source, demand.target)}
    gbit = train_sync.sync_gbit(
        _said(column, "parameters_billion"),
        _said(column, "bytes_per_parameter"),
        len(sites),
        _said(column, "overhead"),
    )
    if _said(column, "collective") == "ring":
        return gbit
    return gbit / sum(demand.source == column.demand.source for demand in mine)


def checkpoint_spec(
    columns: list[Column], names: tuple[str, ...], _: dict[str, Any]
) -> CheckpointSpec:
    """Copies of checkpoints; `mean_gbps` fits their volume."""
    law = _law(columns, "every_s", "jitter", "remote_every", "preemptions_per_day")
    unit = checkpoint.mean_gbps(CheckpointSpec(names, 1.0, _jobs(columns), **law))
    return CheckpointSpec(names, _checkpoint_gbit(columns, unit), _jobs(columns), **law)


def restore_spec(columns: list[Column], names: tuple[str, ...], _: dict[str, Any]) -> RestoreSpec:
    """Restores after failures; `mean_gbps` fits their volume."""
    law, jobs = _law(columns, "gpus", "gpu_mttf_h", "failure_factor"), _jobs(columns)
    members = np.array([jobs.count(job) for job in jobs])
    unit = checkpoint.failures_per_s(RestoreSpec(names, 1.0, jobs, **law)) / members
    return RestoreSpec(names, _checkpoint_gbit(columns, unit), jobs, **law)


def _checkpoint_gbit(columns: list[Column], per_s: np.ndarray) -> np.ndarray:
    """Volume of each checkpoint: of its model, or such that `per_s` of them make `mean_gbps`."""
    whole = [
        checkpoint.checkpoint_gbit(_said(c, "parameters_billion"), _said(c, "overhead"))
        for c in columns
    ]
    wanted = _each(columns, lambda c: (_said(c, "mean_gbps") or 0.0) * c.scale)
    return np.where(wanted > 0, wanted / np.maximum(per_s, 1e-12), whole)


def data_feed_spec(
    columns: list[Column], names: tuple[str, ...], shared: dict[str, Any]
) -> DataFeedSpec:
    """Reads of GPUs; `mean_gbps` fits their number."""
    gpus = _each(columns, lambda c: _said(c, "gpus") * c.scale)
    read = _each(columns, lambda c: data_feed.READ_GBPS[_said(c, "workload")][_said(c, "gpu")])
    law = {**_law(columns, "miss_share", "epoch_s"), **shared}
    unit = data_feed.mean_gbps(DataFeedSpec(names, 1.0, read, **law))
    wanted = _each(columns, lambda c: (_said(c, "mean_gbps") or 0.0) * c.scale)
    return DataFeedSpec(names, np.where(wanted > 0, wanted / unit, gpus), read, **law)


def model_push_spec(
    columns: list[Column], names: tuple[str, ...], _: dict[str, Any]
) -> ModelPushSpec:
    """Releases of weights; `mean_gbps` fits their volume."""
    models = tuple(c.demand.name.split("/")[0] for c in columns)
    law: dict[str, Any] = {
        **_law(columns, "releases_per_day", "due_low_s", "due_high_s"),
        "season": _seasons(columns),
        "utc_offset_h": _zone(columns),
    }
    unit = model_push.mean_gbps(ModelPushSpec(names, 1.0, models, **law))
    wanted = _each(columns, lambda c: (_said(c, "mean_gbps") or 0.0) * c.scale)
    gbit = np.where(wanted > 0, wanted / np.maximum(unit, 1e-12), _model_gbit(columns))
    return ModelPushSpec(names, gbit, models, **law)


def cold_start_spec(
    columns: list[Column], names: tuple[str, ...], shared: dict[str, Any]
) -> ColdStartSpec:
    """Weights for replicas of services that surge."""
    law = {**_law(columns, "scale_up_at", "due_s"), **shared}
    return ColdStartSpec(names, _model_gbit(columns), _each(columns, _rate_rps), **law)


def _model_gbit(columns: list[Column]) -> np.ndarray:
    return _each(columns, lambda c: _said(c, "model_gb") * GBIT_PER_GB * _said(c, "overhead"))


def _law(columns: list[Column], *keys: str) -> dict[str, Any]:
    """Numbers that demands may differ in, by key."""
    return {key: _each(columns, lambda c, key=key: _said(c, key)) for key in keys}


def _jobs(columns: list[Column]) -> tuple[str, ...]:
    return tuple(c.job for c in columns)


def _seasons(columns: list[Column]) -> tuple[str, ...]:
    return tuple(str(_said(c, "season")) for c in columns)


def _zone(columns: list[Column]) -> np.ndarray:
    return _each(columns, lambda c: c.utc_offset_h)
