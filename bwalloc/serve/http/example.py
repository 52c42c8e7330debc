"""Telemetry of a network as it could be, so that a client sees what names and shapes are asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.control import DemandTelemetry, LinkTelemetry, SpanTelemetry, Telemetry

if TYPE_CHECKING:
    from bwalloc.network import Network

LOAD = 0.5
"""Share of its fair part of the narrowest link that each demand offers."""


def example_telemetry(network: Network, interval_end: datetime | None = None) -> Telemetry:
    """Every demand at half its fair share of its first tunnel, nothing queued, all links up.

    Args:
        network: whose names and capacities.
        interval_end: when it was measured; now by default.
    """
    offered = _offered_gbps(network)
    served = offered * network.interval_s
    nothing = np.zeros(network.n_demands)
    demands = DemandTelemetry(
        name=network.demands.name,
        offered_gbps=offered,
        recent_gbps=offered,
        peak_gbps=offered,
        served_gbit=served,
        expired_gbit=nothing,
        queued_gbit=nothing[:, None],
        declared_gbit=nothing,
        declared_due_s=np.full(network.n_demands, np.nan),
    )
    links = LinkTelemetry(
        name=network.links.name,
        capacity_gbps=network.links.capacity_gbps,
        carried_gbps=_sum_by_link(network, offered),
        is_up=(True,) * network.n_links,
    )
    unknown = np.full(len(network.spans.name), np.nan)
    spans = SpanTelemetry(network.spans.name, network.spans.tier_gbps, unknown, unknown)
    return Telemetry(interval_end or datetime.now(UTC), network.interval_s, demands, links, spans)


def _offered_gbps(network: Network) -> np.ndarray:
    users = _sum_by_link(network, np.ones(network.n_demands))
    part = np.append(network.links.capacity_gbps / np.maximum(users, 1), np.inf)
    narrowest = part[network.tunnels.hops[:, 0]].min(-1)
    return LOAD * np.where(network.tunnels.exists[:, 0], narrowest, 0.0).round(6)


def _sum_by_link(network: Network, of_demands: np.ndarray) -> np.ndarray:
    first = network.tunnels.hops[:, 0]
    total = np.zeros(network.n_links + 1)
    np.add.at(total, first.ravel(), np.repeat(of_demands, first.shape[1]))
    return total[:-1]
