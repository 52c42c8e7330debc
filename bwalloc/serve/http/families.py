"""Kinds of metrics as Prometheus wants them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric

if TYPE_CHECKING:
    from bwalloc.serve.books.status import DecisionTimes


def histogram(name: str, text: str, times: DecisionTimes) -> Metric:
    """One histogram of seconds."""
    buckets = [
        (str(bound), float(count))
        for bound, count in zip(times.bounds_s, times.counts, strict=True)
    ]
    return HistogramMetricFamily(
        name,
        text,
        buckets=[*buckets, ("+Inf", float(times.count))],
        sum_value=times.total_s,
    )


def gauge(name: str, text: str, value: float | None) -> Iterator[Metric]:
    """One gauge; what is not known is left out, as Prometheus wants it."""
    if value is not None:
        yield GaugeMetricFamily(f"bwalloc_{name}", text, value=float(value))
