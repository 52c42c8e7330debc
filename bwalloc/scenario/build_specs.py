"""From the demands of an environment file to the specs of their classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.workloads import bulk_ingest, inference, kv_transfer
from bwalloc.workloads.background import BackgroundSpec
from bwalloc.workloads.bulk_ingest import BulkIngestSpec
from bwalloc.workloads.inference import InferenceSpec
from bwalloc.workloads.kv_transfer import KvTransferSpec
from bwalloc.workloads.video_uplink import VideoUplinkSpec

if TYPE_CHECKING:
    from bwalloc.scenario.expand import DemandRow, Stream

TOKENS = {"chat": (1155.0, 211.0), "code": (2048.0, 28.0), "poisson": (1155.0, 211.0)}
"""Mean prompt and answer in tokens: Azure LLM inference traces 2023 (CC-BY-4.0)."""


@dataclass(frozen=True, slots=True)
class Column:
    """One demand on its way into a spec: its row, its site's scale and zone, and its stream."""

    row: int
    demand: DemandRow
    stream: int
    of_stream: Stream | None
    scale: float
    utc_offset_h: float


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
    return VideoUplinkSpec(names, cameras, mbps, **shared)


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


def _seasons(columns: list[Column]) -> tuple[str, ...]:
    return tuple(str(_said(c, "season")) for c in columns)


def _zone(columns: list[Column]) -> np.ndarray:
    return _each(columns, lambda c: c.utc_offset_h)
