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
        capacity = capacity * _share(network, readings, column)
        works = tuple(_works(network, world, interval * network.interval_s, end))
    demands = DemandTelemetry(
        name=network.demands.name,
        **{
            field: getattr(readings, field)[:, column]
            for field in ("offered_gbps", "recent_gbps", "peak_gbps", "served_gbit", "expired_gbit")
        },
        queued_gbit=readings.queued_gbit[:, :, column],
        **_declared(network, readings, column),
    )
    links = LinkTelemetry(
        name=network.links.name,
        capacity_gbps=capacity,
        carried_gbps=readings.carried_gbps[:, column],
        is_up=tuple(bool(value) for value in capacity > 0),
    )
    spans = _spans(network, readings, column)
    return Telemetry(end, network.interval_s, demands, links, spans, works)


def _declared(network: Network, readings: Readings, column: int) -> dict[str, np.ndarray]:
    """Columns of `DemandTelemetry`: no work and no time where a demand declares none."""
    if not len(readings.declared_gbit):
        nothing = np.zeros(network.n_demands)
        return {"declared_gbit": nothing, "declared_due_s": np.full(network.n_demands, np.nan)}
    due_s = readings.declared_due_s[:, column]
    return {
        "declared_gbit": readings.declared_gbit[:, column],
        "declared_due_s": np.where(np.isfinite(due_s), due_s, np.nan),
    }


def _spans(network: Network, readings: Readings, column: int) -> SpanTelemetry:
    names = network.spans.name
    tier = np.array(network.spans.tier_gbps, np.float64)
    pending, paid = np.full(len(names), np.nan), np.full(len(names), np.nan)
    if network.offers is not None:
        sold = network.offers.span
        tier[sold] = readings.tier_gbps[:, column]
        pending[sold] = readings.pending_gbps[:, column]
        paid[sold] = readings.paid_left_s[:, column]
    return SpanTelemetry(names, tier, pending, paid)


def _share(network: Network, readings: Readings, column: int) -> np.ndarray | float:
    """What each link has of its largest tier, (links,)."""
    if network.offers is None:
        return 1.0
    share = readings.tier_gbps[:, column] / network.offers.largest_gbps
    return np.append(share, 1.0)[network.offers.links_of(network.links)]


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
