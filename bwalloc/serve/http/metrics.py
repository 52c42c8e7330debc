"""The status of a supervisor as Prometheus metrics, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from bwalloc.serve.http.families import gauge, histogram
from bwalloc.serve.http.plane_metrics import plane_metrics

if TYPE_CHECKING:
    from bwalloc.serve.books.status import Status


class Metrics:
    """What `/metrics` shows; `read` is asked for the status at every scrape."""

    def __init__(self, read: Callable[[], Status]) -> None:
        """Register nothing outside of this object."""
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(_FromStatus(read))

    def expose(self, accept: str) -> tuple[bytes, str]:
        """The page in the format that `accept` asks for, and its content type."""
        encode, media_type = choose_encoder(accept)
        return encode(self.registry), media_type


class _FromStatus(Collector):
    def __init__(self, read: Callable[[], Status]) -> None:
        self.read = read

    def collect(self) -> Iterator[Metric]:
        """All families of one reading."""
        status = self.read()
        yield from _decisions(status)
        yield from _deployment(status)
        yield from _state(status)
        yield from _money(status)
        yield from _links(status)
        yield from _shadow(status)
        if status.plane is not None:
            yield from plane_metrics(status.plane)


def _decisions(status: Status) -> Iterator[Metric]:
    ladder = status.ladder
    decisions = CounterMetricFamily(
        "bwalloc_decisions", "Decisions by where their rates come from.", labels=["source"]
    )
    for source, count in ladder.decisions.items():
        decisions.add_metric([source], count)
    yield decisions
    text = "Time of a decision: checks, features, inference and guard."
    yield histogram("bwalloc_decision_seconds", text, status.times)
    reasons = CounterMetricFamily(
        "bwalloc_reasons", "How often each reason was given.", labels=["reason"]
    )
    for reason, count in ladder.reasons.items():
        reasons.add_metric([reason], count)
    yield reasons
    transitions = CounterMetricFamily(
        "bwalloc_transitions", "Changes of the source of decisions.", labels=["from", "to"]
    )
    for one in ladder.transitions:
        transitions.add_metric([one.before, one.after], one.count)
    yield transitions


def _deployment(status: Status) -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "bwalloc_deployment_info",
        "The bundle that decides.",
        labels=["name", "version", "deployment", "runtime"],
    )
    now = status.deployment
    info.add_metric([now.name, now.version, str(now.deployment), now.runtime], 1.0)
    yield info


def _state(status: Status) -> Iterator[Metric]:
    yield from gauge(
        "telemetry_age_seconds", "Age of the newest telemetry.", status.telemetry_age_s
    )
    yield from gauge("last_decision_age_seconds", "Since the last decision.", status.decision_age_s)
    yield from gauge(
        "fallback_active", "The last decision was not the policy's.", status.ladder.is_fallback
    )
    yield from gauge("kill_switch", "The policy is switched off.", status.killed is not None)
    yield from gauge("overrides", "Tenants whose rates an operator set.", len(status.overrides))
    yield from gauge(
        "projection_share",
        "Share of the rates that the guard moved, last decision.",
        status.projection_share,
    )
    yield CounterMetricFamily(
        "bwalloc_audit_errors",
        "Lines of the audit log that could not be written.",
        value=status.audit_errors,
    )


def _money(status: Status) -> Iterator[Metric]:
    money = status.money
    yield from gauge("bought_usd_per_hour", "Hourly bill of what is bought.", money.usd_per_h)
    yield from gauge("spent_usd_this_month", "Spent in the calendar month (UTC).", money.spent_usd)
    yield from gauge("orders_last_hour", "Orders in the last 60 minutes.", money.orders_last_hour)
    yield from gauge("orders_waiting", "Orders that wait for approval.", len(status.waiting))


def _links(status: Status) -> Iterator[Metric]:
    used = GaugeMetricFamily(
        "bwalloc_link_utilisation", "Planned load / capacity, last decision.", labels=["link"]
    )
    for link in status.links:
        used.add_metric([link.name], link.utilisation)
    yield used


def _shadow(status: Status) -> Iterator[Metric]:
    if status.shadow is not None:
        difference = status.shadow.difference_share
        yield from gauge(
            "shadow_difference_share", "Share of the rates that the shadow would move.", difference
        )
