"""Schema of the demands of an environment file: one section per traffic class."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from bwalloc.scenario.fields import (
    LATER,
    NO_TEXT,
    Amount,
    Count,
    Names,
    NonNegative,
    Positive,
    Section,
    Share,
)
from bwalloc.scenario.schema_requests import Season

Overhead = Annotated[float, Field(ge=1, le=2), NO_TEXT]


class EndsSection(Section):
    """What the demands of every class have in common.

    One of `from` and `to` may be a pattern such as `edge-*`, or a list of names and patterns: the
    section then stands for one demand per matching site but the other end, named
    `<section>/<site>`. What is asked for grows with that site's `scale`. `exclude` leaves sites
    out.
    """

    origin: Names = Field(alias="from")
    to: Names
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
    event_duty_night: Annotated[Share | None, LATER] = None
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


class TrainSyncDemand(EndsSection):
    """The rounds of a training job: GPUs wait until the weights are exchanged.

    With both ends a pattern, `ring` stands for one demand from each site to the next, in the order
    of the sites, `all_to_all` for one per pair. Demands of a group follow one clock, as do those
    of a section in no group. The volume is that of the model, whatever the scale of a site;
    `mean_gbps` sets it to that mean instead, times the scale.
    """

    traffic_class: Literal["train_sync"] = Field(alias="class")
    collective: Literal["ring", "all_to_all"] = "ring"
    mean_gbps: Amount | None = None
    parameters_billion: Amount = 10.0
    bytes_per_parameter: Positive = 1.0
    steps_per_round: Count = 100
    step_s: Positive = 10.0
    jitter_sigma: Annotated[float, Field(ge=0, le=3), NO_TEXT] = 0.05
    straggler_share: Share = 0.1
    straggler_sigma: Annotated[float, Field(ge=0, le=3), NO_TEXT] = 0.3
    active_share: Share = 1.0
    mean_run_s: Positive = 235_000.0
    overhead: Overhead = 1.05


class CheckpointDemand(EndsSection):
    """Checkpoints of a training job: copies, each due when the next is taken, or restores.

    Demands of a group follow one clock and fail as one job, as do those of a section in no group.
    The volume is that of the model, whatever the scale of a site; `mean_gbps` sets it to that mean
    instead, times the scale.
    """

    traffic_class: Literal["checkpoint"] = Field(alias="class")
    direction: Literal["save", "restore"] = "save"
    mean_gbps: Amount | None = None
    parameters_billion: Amount = 70.0
    every_s: Positive = 1800.0
    jitter: Annotated[float, Field(ge=0, le=0.9), NO_TEXT] = 0.05
    remote_every: Count = 4
    preemptions_per_day: NonNegative = 0.0
    gpus: Amount = 512.0
    gpu_mttf_h: Positive = 50_000.0
    failure_factor: Positive = 1.0
    overhead: Overhead = 1.05


class DataFeedDemand(EndsSection):
    """Samples for the GPUs of a site, more of them at a larger site."""

    traffic_class: Literal["data_feed"] = Field(alias="class")
    workload: Literal["resnet50", "cosmoflow", "unet3d"] = "resnet50"
    gpu: Literal["h100", "a100"] = "h100"
    gpus: Amount = 8.0
    gpu_hour_usd: Positive = 2.5
    mean_gbps: Amount | None = None
    miss_share: Annotated[float, Field(gt=0, le=1), NO_TEXT] = 0.25
    epoch_s: NonNegative = 3600.0
    active_share: Annotated[float, Field(gt=0, le=1), NO_TEXT] = 0.8
    mean_run_s: Positive = 46_800.0
    cv: Annotated[float, Field(ge=0, le=3), NO_TEXT] = 0.09
    tau_s: Positive = 30.0
    overhead: Overhead = 1.05


class ModelPushDemand(EndsSection):
    """Weights for inference: releases, to all sites of a section at once, or cold starts.

    A cold start follows a surge of the service of its site, and is due after `due_s`. `mean_gbps`
    sets the volume of releases to that mean.
    """

    traffic_class: Literal["model_push"] = Field(alias="class")
    event: Literal["release", "cold_start"] = "release"
    mean_gbps: Amount | None = None
    model_gb: Amount = 16.0
    releases_per_day: NonNegative = 0.3
    season: Season = "office"
    due_low_s: Positive = 600.0
    due_high_s: Positive = 3600.0
    service: str | None = None
    scale_up_at: Annotated[float, Field(ge=1), NO_TEXT] = 1.5
    window_s: Positive = 300.0
    cooldown_s: Positive = 900.0
    due_s: Positive = 60.0
    overhead: Overhead = 1.05

    @model_validator(mode="after")
    def _has_a_volume(self) -> Self:
        if self.event == "cold_start" and self.mean_gbps is not None:
            msg = "model_gb instead of mean_gbps: cold starts come when their service surges"
            raise ValueError(msg)
        return self


DemandSection: TypeAlias = Annotated[
    InferenceDemand
    | KvTransferDemand
    | VideoUplinkDemand
    | BackgroundDemand
    | BulkIngestDemand
    | TrainSyncDemand
    | CheckpointDemand
    | DataFeedDemand
    | ModelPushDemand,
    Field(discriminator="traffic_class"),
]
