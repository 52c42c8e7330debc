"""Readings of one simulated network as the `Telemetry` a controller would receive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.control import DemandTelemetry, LinkTelemetry, SpanTelemetry, Telemetry

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.observe import Readings

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
"""Simulated weeks begin on this Monday."""


def telemetry_of(network: Network, readings: Readings, column: int = 0) -> Telemetry:
    """One column of `readings` as a record."""
    unknown = np.full(network.n_demands, np.nan)
    demands = DemandTelemetry(
        name=network.demands.name,
        **{
            field: getattr(readings, field)[:, column]
            for field in ("offered_gbps", "recent_gbps", "peak_gbps", "served_gbit", "expired_gbit")
        },
        queued_gbit=readings.queued_gbit[:, :, column],
        declared_gbit=np.zeros(network.n_demands),
        declared_due_s=unknown,
    )
    capacity = readings.capacity_gbps[:, column]
    links = LinkTelemetry(
        name=network.links.name,
        capacity_gbps=capacity,
        carried_gbps=readings.carried_gbps[:, column],
        is_up=tuple(bool(value) for value in capacity > 0),
    )
    spans = SpanTelemetry(
        name=network.spans.name,
        tier_gbps=network.spans.tier_gbps,
        pending_gbps=np.full(len(network.spans.name), np.nan),
        paid_until_s=np.full(len(network.spans.name), np.nan),
    )
    end = MONDAY + timedelta(hours=float(readings.hour_of_week[column]))
    return Telemetry(end, network.interval_s, demands, links, spans)
