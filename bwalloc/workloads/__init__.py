"""What arrives: random processes, request intensities, traffic classes and replayed traces.

Each class is a module with a spec and a `draw`; `inference`, `kv_transfer` and the cold starts of
`model_push` follow the requests of a service, the others follow laws of their own.
"""

from bwalloc.workloads import (
    background,
    bulk_ingest,
    checkpoint,
    data_feed,
    inference,
    kv_transfer,
    model_push,
    presets,
    train_sync,
    video_uplink,
)
from bwalloc.workloads.background import BackgroundSpec
from bwalloc.workloads.bulk_ingest import BulkIngestSpec, Jobs
from bwalloc.workloads.checkpoint import CheckpointSpec, RestoreSpec
from bwalloc.workloads.classes import (
    ECONOMICS,
    TRAFFIC_CLASSES,
    VARIETIES,
    Elasticity,
    TrafficClass,
    traffic_class,
)
from bwalloc.workloads.clock import Clock
from bwalloc.workloads.columns import Column
from bwalloc.workloads.data_feed import DataFeedSpec
from bwalloc.workloads.inference import InferenceSpec
from bwalloc.workloads.kv_transfer import BYTES_PER_TOKEN, KvTransferSpec, scale_for_gbps
from bwalloc.workloads.matrices import MatrixSeries, replay_matrices
from bwalloc.workloads.matrix_files import read_matrices
from bwalloc.workloads.model_push import ColdStartSpec, ModelPushSpec
from bwalloc.workloads.rates import RATE_COLUMNS, RateSeries, read_rates, replay_intensity
from bwalloc.workloads.replay import (
    SEGMENTS,
    InputStatistics,
    ReplayedRequests,
    inference_arrivals,
    input_statistics,
    kv_transfer_arrivals,
    replay_requests,
)
from bwalloc.workloads.requests import BURSTS, RequestSpec, draw_intensity
from bwalloc.workloads.seasons import SEASONS
from bwalloc.workloads.traces import AZURE_COLUMNS, RequestTrace, read_request_trace
from bwalloc.workloads.train_sync import TrainSyncSpec
from bwalloc.workloads.video_uplink import VideoUplinkSpec

__all__ = [
    "AZURE_COLUMNS",
    "BURSTS",
    "BYTES_PER_TOKEN",
    "ECONOMICS",
    "RATE_COLUMNS",
    "SEASONS",
    "SEGMENTS",
    "TRAFFIC_CLASSES",
    "VARIETIES",
    "BackgroundSpec",
    "BulkIngestSpec",
    "CheckpointSpec",
    "Clock",
    "ColdStartSpec",
    "Column",
    "DataFeedSpec",
    "Elasticity",
    "InferenceSpec",
    "InputStatistics",
    "Jobs",
    "KvTransferSpec",
    "MatrixSeries",
    "ModelPushSpec",
    "RateSeries",
    "ReplayedRequests",
    "RequestSpec",
    "RequestTrace",
    "RestoreSpec",
    "TrafficClass",
    "TrainSyncSpec",
    "VideoUplinkSpec",
    "background",
    "bulk_ingest",
    "checkpoint",
    "data_feed",
    "draw_intensity",
    "inference",
    "inference_arrivals",
    "input_statistics",
    "kv_transfer",
    "kv_transfer_arrivals",
    "model_push",
    "presets",
    "read_matrices",
    "read_rates",
    "read_request_trace",
    "replay_intensity",
    "replay_matrices",
    "replay_requests",
    "scale_for_gbps",
    "traffic_class",
    "train_sync",
    "video_uplink",
]
