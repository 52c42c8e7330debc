"""Schema of the network sections of an environment file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bwalloc.scenario.fields import (
    LATER,
    NO_TEXT,
    Amount,
    Count,
    Finite,
    NonNegative,
    Positive,
    Section,
)

Enforcement = Literal["work_conserving", "policed"]
SiteKind = Literal["edge", "hub", "cloud", "gpu"]
Encryption = Literal["none", "macsec", "ipsec"]
Text = Annotated[str, Field(min_length=1)]


class SiteSection(Section):
    """One site. `scale` multiplies everything its services and demands ask for."""

    kind: SiteKind | None = None
    region: str | None = None
    utc_offset_h: Annotated[float, Field(ge=-12, le=14), NO_TEXT] | None = None
    scale: Amount = 1.0
    x: Finite | None = None
    y: Finite | None = None


class SpanGroupSection(Section):
    """What many spans have in common.

    `why` says why the links are enforced as they are. `capacity_factor` multiplies the capacity
    of every span of the group. Traffic that leaves a cloud site pays `egress_usd_per_gbit`.
    """

    enforcement: Enforcement
    why: Text
    capacity_factor: Positive = 1.0
    usd_per_gbps_h: NonNegative | None = None
    egress_usd_per_gbit: NonNegative = 0.0
    encryption: Encryption = "none"
    provider: str = ""


class SpanSection(Section):
    """One connection of two sites, with the same capacity in both directions."""

    ends: tuple[str, str]
    group: str
    capacity_gbps: Positive
    delay_ms: NonNegative
    risk_group: str = ""
    enforcement: Enforcement | None = None
    why: Text | None = None

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.enforcement is not None and self.why is None:
            msg = "a text 'why' beside an 'enforcement' that differs from the group's"
            raise ValueError(msg)
        return self


class NetworkSection(Section):
    """Sites and spans, given here or read from a topology file beside the TOML.

    With `file`, every span of it belongs to `file_group`; `sites` then refine sites of the file
    by name, or add some, as `spans` do. `capacity_gbps` sets spans by name, whatever they and the
    factors say: their wider direction, of which the other keeps its share.
    """

    name: str = ""
    file: str | None = None
    file_group: str = ""
    capacity_unit_gbps: Positive = 1.0
    default_capacity_gbps: Positive | None = None
    default_delay_ms: NonNegative | None = None
    capacity_factor: Positive = 1.0
    span_groups: dict[str, SpanGroupSection] = Field(default_factory=dict)
    sites: dict[str, SiteSection] = Field(default_factory=dict)
    spans: dict[str, SpanSection] = Field(default_factory=dict)
    capacity_gbps: Annotated[dict[str, Positive], LATER] = Field(default_factory=dict)


class TunnelSection(Section):
    """Tunnels: how many are searched per demand, and those given as lists of site names."""

    per_demand: Count = 3
    explicit: dict[str, list[list[str]]] = Field(default_factory=dict)
