"""Schema of `[random]`: the law that the networks of an environment are drawn from."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

from bwalloc.scenario.fields import (
    LATER,
    NO_TEXT,
    Count,
    NonNegative,
    Positive,
    Section,
    Share,
)

Split = Literal["train", "validation", "test", "ood"]


def _rises(ends: tuple[Any, Any]) -> tuple[Any, Any]:
    if ends[0] > ends[1]:
        msg = "two numbers, the lower one first"
        raise ValueError(msg)
    return ends


CountRange: TypeAlias = Annotated[tuple[Count, Count], AfterValidator(_rises)]
"""Fewest and most, both included."""
Range: TypeAlias = Annotated[tuple[Positive, Positive], AfterValidator(_rises)]
"""Lowest and highest."""
ShareRange: TypeAlias = Annotated[tuple[Share, Share], AfterValidator(_rises)]
HourRange: TypeAlias = Annotated[
    tuple[
        Annotated[int, Field(ge=-12, le=14), NO_TEXT], Annotated[int, Field(ge=-12, le=14), NO_TEXT]
    ],
    AfterValidator(_rises),
]


class SizesSection(Section):
    """What observations and actions are padded to; no drawn network may be larger."""

    demands: Count = 100
    tunnels: Count = 3
    links: Count = 96


class SpansSection(Section):
    """Spans of one role: the span groups they are drawn from, and how wide they are.

    `groups` are weights by name of `network.span_groups`. The capacity of a span is the expected
    load of its busier direction, times a factor drawn log-uniformly from `headroom`.
    """

    groups: Annotated[dict[str, Positive], Field(min_length=1)]
    headroom: Range


class SpanRolesSection(Section):
    """Spans by role: edge site to hub, hub to hub, hub to cloud."""

    access: SpansSection
    metro: SpansSection
    cloud: SpansSection


class PresenceSection(Section):
    """Which networks and sites have a demand of `demands`, and how much of it.

    A network has it with `probability`; then a share of its edge sites drawn from `sites`, at
    least one; and all of it is multiplied by a factor drawn log-uniformly from `factor`. If the
    prototype has a floor, a share of these sites drawn from `floors` is promised it, times the
    factor and the size of the site.
    """

    probability: Share = 1.0
    sites: ShareRange = (1.0, 1.0)
    factor: Range = (1.0, 1.0)
    floors: Annotated[ShareRange, LATER] = (1.0, 1.0)


class JobSection(PresenceSection):
    """Which networks and sites have a training job, the GPUs of a group of `groups`.

    All prototypes that the pattern `demands` names are then at the same sites, two at least, each
    times the same factor, and so are the GPUs of the group.
    """

    demands: str


class SaleSection(Section):
    """How many of the spans of an offer are sold, at least one, and the factor of its prices."""

    spans: ShareRange = (1.0, 1.0)
    price: Range = (1.0, 1.0)


class RandomSection(Section):
    """Networks are drawn from this law; everything else in the file holds for all of them.

    Edge sites lie in a disc, hubs in the middle of the edge sites they serve (k-means), an edge
    site has a span to each of its nearest hubs, hubs are joined by a Gabriel graph, and each cloud
    has on-ramps at some hubs. `services` and `demands` of the file are prototypes: every edge site
    draws one service, and each demand from or to `edge-*` stands for one demand per site that has
    it, its other end being the site's cloud (`cloud-*`) or another edge site.

    Attributes:
        split, seed: With a seed, all episodes play that one network of the split. Without, each
            plays its own, and network 0 of the split stands for them where nobody asks for one.
        edges, hubs, clouds: How many sites of each kind.
        homes: To how many hubs an edge site has a span.
        on_ramps: To how many hubs a cloud has a span.
        radius_km: Of the disc (log-uniform).
        cloud_km: From the middle of the disc to a cloud (log-uniform).
        detour: Length of a fibre over the distance of its ends.
        delay_us_per_km: Of light in a fibre.
        scale_sd: Log standard deviation of the sizes of the edge sites, whose mean is 1.
        utc_offset_h: Time zone of the network.
        gpu_hour_usd: Prices of a GPU-hour that sites draw from.
        record_episodes: Train episodes that stand for an operator's record of one network.
        failures: What `failures.accelerate` is multiplied by (log-uniform).
    """

    split: Split = "train"
    seed: Annotated[int, Field(ge=0), NO_TEXT] | None = None
    sizes: SizesSection = SizesSection()
    edges: CountRange
    hubs: CountRange
    clouds: CountRange
    homes: CountRange = (2, 2)
    on_ramps: CountRange = (1, 2)
    radius_km: Range
    cloud_km: Range
    detour: Range = (1.0, 1.0)
    delay_us_per_km: Positive = 5.0
    scale_sd: NonNegative = 0.5
    utc_offset_h: HourRange = (0, 0)
    gpu_hour_usd: Annotated[list[Positive], Field(min_length=1)]
    record_episodes: Count = 12
    spans: SpanRolesSection
    presence: dict[str, PresenceSection] = Field(default_factory=dict)
    groups: Annotated[dict[str, JobSection], LATER] = Field(default_factory=dict)
    offers: Annotated[dict[str, SaleSection], LATER] = Field(default_factory=dict)
    failures: Annotated[Range, LATER] = (1.0, 1.0)
