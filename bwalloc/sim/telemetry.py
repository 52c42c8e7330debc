"""Readings of one simulated network as the `Telemetry` a controller would receive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.control import (
    DemandTelemetry,
    LinkTelemetry,
    Maintenance,
    SpanTelemetry,
    Telemetry,
)
from bwalloc.scenario.outages import before_gbps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bwalloc.network import Network
    from bwalloc.observe import Readings
    from bwalloc.scenario import World

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
"""Simulated weeks begin on this Monday."""


def telemetry_of(
    network: Network,
    readings: Readings,
    column: int = 0,
    *,
    world: World | None = None,
    interval: int = 0,
) -> Telemetry:
    """One column of `readings` as a record.

    Args:
        network: what was measured.
        readings: before interval `interval`.
        column: which episode of the batch.
        world: the world of that episode, where links fail: the record then tells what links carry
            now and, apart from it, which works are announced. Readings hold both in one number.
        interval: the interval that comes next.
    """
    end = MONDAY + timedelta(hours=float(readings.hour_of_week[column]))
    capacity, works = readings.capacity_gbps[:, column], ()
    if world is not None and world.outages is not None:
        capacity = np.concatenate([before_gbps(world), world.capacity_gbps[-1:]])[interval]
        works = tuple(_works(network, world, interval * network.interval_s, end))
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
    return Telemetry(end, network.interval_s, demands, links, spans, works)


def _works(network: Network, world: World, now_s: float, now: datetime) -> Iterator[Maintenance]:
    """Works that were announced by now and are not over."""
    assert world.outages is not None
    for event in world.outages.announced:
        assert event.announced_s is not None
        if event.announced_s <= now_s < event.end_s:
            start, end = (now + timedelta(seconds=s - now_s) for s in (event.start_s, event.end_s))
            for row in event.rows:
                left = float(world.outages.nominal_gbps[row]) * event.capacity_share
                yield Maintenance(network.links.name[row], start, end, left)
