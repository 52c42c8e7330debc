"""A workload: everything that worlds of a scenario are drawn from, and where it enters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, Int

    from bwalloc.workloads.background import BackgroundSpec
    from bwalloc.workloads.bulk_ingest import BulkIngestSpec
    from bwalloc.workloads.checkpoint import CheckpointSpec, RestoreSpec
    from bwalloc.workloads.data_feed import DataFeedSpec
    from bwalloc.workloads.inference import InferenceSpec
    from bwalloc.workloads.kv_transfer import KvTransferSpec
    from bwalloc.workloads.matrices import MatrixSeries
    from bwalloc.workloads.model_push import ColdStartSpec, ModelPushSpec
    from bwalloc.workloads.rates import RateSeries
    from bwalloc.workloads.requests import RequestSpec
    from bwalloc.workloads.traces import RequestTrace
    from bwalloc.workloads.train_sync import TrainSyncSpec
    from bwalloc.workloads.video_uplink import VideoUplinkSpec

Spec = TypeVar("Spec")


@dataclass(frozen=True, slots=True)
class Part(Generic[Spec]):
    """Demands of one class that share a spec.

    Attributes:
        spec: The law of their traffic, one column per demand.
        rows: Row of each column in `Network.demands`.
        stream: Column of `RequestSpec.services` that each demand follows (-1: none).
    """

    spec: Spec
    rows: Int[np.ndarray, " columns"]
    stream: Int[np.ndarray, " columns"]


@dataclass(frozen=True, slots=True)
class Shift:
    """What one kind of episode changes, out of distribution or for the variety of training."""

    name: str
    surge_scale: float | None = None
    surges_per_day: float | None = None
    capacity_factor: float = 1.0
    demand_factor: float = 1.0
    burst: str | None = None
    absent_class: str | None = None
    day_level_sd: float | None = None
    burst_stretch: float | None = None
    code_slow_sd: float | None = None
    order_delay_factor: float = 1.0
    price_factor: float = 1.0
    failure_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Traces:
    """Traces by class; that of `inference` drives `kv_transfer` too unless it has its own.

    `requests` are the rates of all services, `background` matrices; `pairs` say which of their
    pairs each demand follows, -1 where it follows none.
    """

    inference: RequestTrace | None = None
    kv_transfer: RequestTrace | None = None
    requests: RateSeries | None = None
    background: MatrixSeries | None = None
    pairs: Int[np.ndarray, " demands"] | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """The classes of a scenario, each as parts of equal law.

    Attributes:
        requests: Services whose requests drive `inference` and `kv_transfer`; None without any.
        shifts: Shifts of the `ood` split; episode `seed` gets `shifts[seed % len(shifts)]`.
        entropy: First 64 bits of the digest of the file without overrides. Overrides leave it as
            it is, so worlds before and after an override differ by what was overridden only.
        stream_scale: How much larger than a mean site the site of each service is.
        traces: Requests to replay instead of drawing them.
        variety: Shifts of the `train` split, in turn as those of `ood`; none by default.
        restore, cold_start: Demands of `checkpoint` and of `model_push` that follow other laws.
    """

    requests: RequestSpec | None
    inference: tuple[Part[InferenceSpec], ...]
    kv_transfer: tuple[Part[KvTransferSpec], ...]
    video_uplink: tuple[Part[VideoUplinkSpec], ...]
    background: tuple[Part[BackgroundSpec], ...]
    bulk_ingest: tuple[Part[BulkIngestSpec], ...]
    shifts: tuple[Shift, ...]
    entropy: int
    stream_scale: Float[np.ndarray, " services"]
    traces: Traces
    variety: tuple[Shift, ...] = ()
    train_sync: tuple[Part[TrainSyncSpec], ...] = ()
    checkpoint: tuple[Part[CheckpointSpec], ...] = ()
    restore: tuple[Part[RestoreSpec], ...] = ()
    data_feed: tuple[Part[DataFeedSpec], ...] = ()
    model_push: tuple[Part[ModelPushSpec], ...] = ()
    cold_start: tuple[Part[ColdStartSpec], ...] = ()
