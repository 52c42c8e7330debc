"""The plane as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from bwalloc.serve.http.families import gauge, histogram

if TYPE_CHECKING:
    from bwalloc.serve.books.status import PlaneStatus


def plane_metrics(plane: PlaneStatus) -> Iterator[Metric]:
    """What the loop of a plane counted."""
    info = GaugeMetricFamily("bwalloc_plane_info", "The plane.", labels=["kind", "enforcing"])
    info.add_metric([plane.kind, "yes" if plane.is_enforcing else "no"], 1.0)
    yield info
    errors = CounterMetricFamily(
        "bwalloc_plane_errors",
        "Rounds in which reading, applying or else failed.",
        labels=["error"],
    )
    for error, count in plane.errors.items():
        errors.add_metric([error], count)
    yield errors
    events = CounterMetricFamily(
        "bwalloc_plane_events", "Repairs, foreign changes, watchdogs: by word.", labels=["event"]
    )
    for event, count in plane.happened.items():
        events.add_metric([event], count)
    yield events
    text = "Time to read what was counted."
    yield histogram("bwalloc_plane_read_seconds", text, plane.reading)
    text = "Time to put a decision in force and read it back."
    yield histogram("bwalloc_plane_apply_seconds", text, plane.applying)
    yield from gauge("plane_reachable", "The last round met no error.", plane.is_reachable)
    yield from gauge("plane_last_read_age_seconds", "Since a read worked.", plane.read_age_s)
    yield from gauge(
        "plane_last_apply_age_seconds", "Since a decision was put in force.", plane.apply_age_s
    )
    yield from gauge("plane_changed_classes", "By the last decision.", plane.changed)
