"""What arrives: random processes, request intensities, traffic classes and replayed traces.

Each class is a module with a spec and a `draw`; `inference` and `kv_transfer` follow the requests
of a service, the others follow laws of their own.
"""

from bwalloc.workloads import (
    background,
    bulk_ingest,
    inference,
    kv_transfer,
    presets,
    video_uplink,
)
from bwalloc.workloads.background import BackgroundSpec
from bwalloc.workloads.bulk_ingest import BulkIngestSpec, Jobs
from bwalloc.workloads.classes import (
    ECONOMICS,
    TRAFFIC_CLASSES,
    Elasticity,
    TrafficClass,
    traffic_class,
)
from bwalloc.workloads.clock import Clock
from bwalloc.workloads.columns import Column
from bwalloc.workloads.inference import InferenceSpec
from bwalloc.workloads.kv_transfer import BYTES_PER_TOKEN, KvTransferSpec, scale_for_gbps
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
from bwalloc.workloads.video_uplink import VideoUplinkSpec

__all__ = [
    "AZURE_COLUMNS",
    "BURSTS",
    "BYTES_PER_TOKEN",
    "ECONOMICS",
    "SEASONS",
    "SEGMENTS",
    "TRAFFIC_CLASSES",
    "BackgroundSpec",
    "BulkIngestSpec",
    "Clock",
    "Column",
    "Elasticity",
    "InferenceSpec",
    "InputStatistics",
    "Jobs",
    "KvTransferSpec",
    "ReplayedRequests",
    "RequestSpec",
    "RequestTrace",
    "TrafficClass",
    "VideoUplinkSpec",
    "background",
    "bulk_ingest",
    "draw_intensity",
    "inference",
    "inference_arrivals",
    "input_statistics",
    "kv_transfer",
    "kv_transfer_arrivals",
    "presets",
    "read_request_trace",
    "replay_requests",
    "scale_for_gbps",
    "traffic_class",
    "video_uplink",
]
