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
from bwalloc.workloads.requests import BURSTS, RequestSpec, draw_intensity
from bwalloc.workloads.seasons import SEASONS
from bwalloc.workloads.video_uplink import VideoUplinkSpec

__all__ = [
    "BURSTS",
    "BYTES_PER_TOKEN",
    "ECONOMICS",
    "SEASONS",
    "TRAFFIC_CLASSES",
    "BackgroundSpec",
    "BulkIngestSpec",
    "Clock",
    "Column",
    "Elasticity",
    "InferenceSpec",
    "Jobs",
    "KvTransferSpec",
    "RequestSpec",
    "TrafficClass",
    "VideoUplinkSpec",
    "background",
    "bulk_ingest",
    "draw_intensity",
    "inference",
    "kv_transfer",
    "presets",
    "scale_for_gbps",
    "traffic_class",
    "video_uplink",
]
