"""Schema of the demands of an environment file: one section per traffic class."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from bwalloc.scenario.fields import NO_TEXT, Amount, NonNegative, Positive, Section, Share
from bwalloc.scenario.schema_requests import Season

Overhead = Annotated[float, Field(ge=1, le=2), NO_TEXT]


class EndsSection(Section):
    """What the demands of every class have in common.

    One of `from` and `to` may be a pattern such as `edge-*`: the section then stands for one
    demand per matching site but the other end, named `<section>/<site>`. What is asked for grows
    with that site's `scale`. `exclude` leaves sites out.
    """

    origin: str = Field(alias="from")
    to: str
    exclude: list[str] = Field(default_factory=list)
    tenant: str = "default"
    residency: list[str] = Field(default_factory=list)
    encryption: Literal["none", "macsec", "ipsec", "any"] = "none"
    floor_gbps: NonNegative = 0.0


class InferenceDemand(EndsSection):
    """Text of interactive requests: prompts `up`, streamed answers `down`."""

    traffic_class: Literal["inference"] = Field(alias="class")
    direction: Literal["up", "down"]
    service: str | None = None
    mean_gbps: Amount | None = None
    mean_context_tokens: Positive | None = None
    mean_generated_tokens: Positive | None = None
    bytes_per_generated_token: Positive = 250.0
    overhead: Overhead = 1.05


class KvTransferDemand(EndsSection):
    """KV caches of a service's requests."""

    traffic_class: Literal["kv_transfer"] = Field(alias="class")
    service: str | None = None
    mean_gbps: Amount | None = None
    mean_tokens: Positive | None = None
    token_cv: Annotated[float, Field(ge=0.01, le=20), NO_TEXT] = 0.96
    bytes_per_token: Positive = 70_272.0
    threshold_tokens: NonNegative = 0.0
    overhead: Overhead = 1.05


class VideoUplinkDemand(EndsSection):
    """Cameras of a site."""

    traffic_class: Literal["video_uplink"] = Field(alias="class")
    cameras: Amount = 150.0
    wanted_mbps: Positive = 4.0
    cv: Annotated[float, Field(ge=0, le=3), NO_TEXT] = 0.15
    tau_s: Positive = 10.0
    event_duty: Share = 0.2
    event_mean_s: Positive = 60.0
    event_factor: Positive = 2.0
    ladder_top_mbps: Positive = 8.0
    overhead: Overhead = 1.0


class BackgroundDemand(EndsSection):
    """Best effort. `mean_gbps` is the mean of a site of scale 1."""

    traffic_class: Literal["background"] = Field(alias="class")
    mean_gbps: Amount
    cv: Annotated[float, Field(ge=0, le=3), NO_TEXT] = 0.22
    acf_1h: Annotated[float, Field(gt=0, lt=1), NO_TEXT] = 0.92
    season: Season = "flat"


class BulkIngestDemand(EndsSection):
    """Transfers with deadlines. With `mean_gbps`, sizes are scaled to that mean."""

    traffic_class: Literal["bulk_ingest"] = Field(alias="class")
    mean_gbps: Amount | None = None
    jobs_per_day: Amount = 6.0
    median_gb: Positive = 200.0
    sigma: Annotated[float, Field(gt=0, le=4), NO_TEXT] = 1.8
    cap_gb: Positive = 50_000.0
    season: Season = "office"
    night_share: Share = 0.3
    slack_low: Annotated[float, Field(ge=1), NO_TEXT] = 1.5
    slack_high: Annotated[float, Field(ge=1), NO_TEXT] = 12.0
    ideal_gbps: Positive = 10.0
    overhead: Overhead = 1.05


DemandSection: TypeAlias = Annotated[
    InferenceDemand | KvTransferDemand | VideoUplinkDemand | BackgroundDemand | BulkIngestDemand,
    Field(discriminator="traffic_class"),
]
