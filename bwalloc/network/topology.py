"""Sites, directed links and spans: what is built or leased, before anybody uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

SITE_KINDS = ("edge", "hub", "cloud", "gpu")
ENFORCEMENTS = ("work_conserving", "policed")


@dataclass(frozen=True, slots=True)
class Sites:
    """Nodes of the network; `x`, `y` place them on a drawing (NaN: see `network.layout.places`)."""

    name: tuple[str, ...]
    kind: tuple[str, ...]
    region: tuple[str, ...]
    utc_offset_h: Float[np.ndarray, " sites"]
    x: Float[np.ndarray, " sites"]
    y: Float[np.ndarray, " sites"]


@dataclass(frozen=True, slots=True)
class Links:
    """Directed links; `source` and `target` are rows of `Sites`, `span` a row of `Spans` or -1."""

    name: tuple[str, ...]
    source: Int[np.ndarray, " links"]
    target: Int[np.ndarray, " links"]
    capacity_gbps: Float[np.ndarray, " links"]
    delay_ms: Float[np.ndarray, " links"]
    is_work_conserving: Bool[np.ndarray, " links"]
    encryption: tuple[str, ...]
    risk_group: tuple[str, ...]
    egress_usd_per_gbit: Float[np.ndarray, " links"]
    span: Int[np.ndarray, " links"]


@dataclass(frozen=True, slots=True)
class Spans:
    """Both directions of a connection that is paid for once, by the hour."""

    name: tuple[str, ...]
    tier_gbps: Float[np.ndarray, " spans"]
    usd_per_h: Float[np.ndarray, " spans"]
    provider: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topology:
    """A network as it is built: sites, links, spans."""

    name: str
    sites: Sites
    links: Links
    spans: Spans
