"""What one picture shows, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float


RECENT = 60
"""Intervals of traffic that a frame holds."""


@dataclass(frozen=True, slots=True)
class SpanTier:
    """A span that is sold in tiers: what is there, and the total on order (None: nothing)."""

    name: str
    tier_gbps: float
    pending_gbps: float | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """The network after one interval.

    Attributes:
        caption: which episode is shown.
        interval: intervals played so far.
        hour_of_week: UTC hour since Monday 00:00.
        utilisation: load over capacity; NaN where a link is down.
        queued_gbit: work that waits, by the site it leaves from.
        offered_gbps, served_gbps: of all demands over the recent intervals, oldest first.
        net_usd, reward_usd: money of the episode so far, and of the last interval.
        terms_usd: money so far by term of the ledger, each non-negative.
        spans: tiers and orders; empty where nothing can be ordered.
    """

    caption: str
    interval: int
    hour_of_week: float
    utilisation: Float[np.ndarray, " links"]
    queued_gbit: Float[np.ndarray, " sites"]
    offered_gbps: Float[np.ndarray, " recent"]
    served_gbps: Float[np.ndarray, " recent"]
    net_usd: float
    reward_usd: float
    terms_usd: Mapping[str, float]
    spans: tuple[SpanTier, ...] = ()
