"""Metrics: what Prometheus reads is what the status says."""

from dataclasses import replace

import prometheus_client
import pytest
import sidecars
from prometheus_client.parser import text_string_to_metric_families

from bwalloc.control import Telemetry, from_json
from bwalloc.serve.books.status import DecisionTimes, Ladder, Shadow, Transition
from bwalloc.serve.http.metrics import Metrics

LADDER = Ladder(
    source="static",
    is_fallback=True,
    since=None,
    decisions={"policy": 7, "static": 2},
    transitions=(Transition("policy", "static", 1),),
    reasons={"telemetry-stale": 2},
)
TIMES = DecisionTimes((0.001, 0.01), (3, 8), 9, 0.5)
SHADOW = Shadow("other", "abc", 5, 0, 0, 0.25, 0.5, 1.0)


@pytest.fixture(scope="module")
def status():
    supervisor = sidecars.supervisor()
    supervisor.decide(from_json(Telemetry, sidecars.telemetry()))
    return replace(
        supervisor.status(), ladder=LADDER, times=TIMES, shadow=SHADOW, telemetry_age_s=4.5
    )


def samples(status):
    body, _ = Metrics(lambda: status).expose("")
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("bwalloc_decisions_total", {"source": "policy"}, 7),
        ("bwalloc_decisions_total", {"source": "static"}, 2),
        ("bwalloc_reasons_total", {"reason": "telemetry-stale"}, 2),
        ("bwalloc_transitions_total", {"from": "policy", "to": "static"}, 1),
        ("bwalloc_decision_seconds_bucket", {"le": "0.01"}, 8),
        ("bwalloc_decision_seconds_bucket", {"le": "+Inf"}, 9),
        ("bwalloc_decision_seconds_count", {}, 9),
        ("bwalloc_decision_seconds_sum", {}, 0.5),
        ("bwalloc_telemetry_age_seconds", {}, 4.5),
        ("bwalloc_fallback_active", {}, 1),
        ("bwalloc_kill_switch", {}, 0),
        ("bwalloc_audit_errors_total", {}, 0),
        ("bwalloc_shadow_difference_share", {}, 0.25),
    ],
)
def test_the_status_is_read(status, name, labels, value):
    assert value == samples(status)[(name, *sorted(labels.items()))]


def test_the_deployment_is_named(status):
    found = [dict(key[1:]) for key in samples(status) if key[0] == "bwalloc_deployment_info"]
    version = sidecars.bundle().version

    assert [
        {"name": sidecars.AGENT, "version": version, "deployment": "1", "runtime": "numpy"}
    ] == found


def test_every_link_has_its_utilisation(status):
    found = {dict(key[1:])["link"] for key in samples(status) if key[0].endswith("utilisation")}

    assert set(sidecars.network().links.name) == found


def test_what_is_not_known_is_left_out(status):
    unknown = replace(status, telemetry_age_s=None, shadow=None, projection_share=None)
    names = {key[0] for key in samples(unknown)}

    assert not names & {
        "bwalloc_telemetry_age_seconds",
        "bwalloc_shadow_difference_share",
        "bwalloc_projection_share",
    }


def test_names_of_tenants_and_demands_are_not_in_it(status):
    body, _ = Metrics(lambda: status).expose("")

    for name in sidecars.network().demands.name:
        assert name not in body.decode()


def test_open_metrics_are_given_to_those_who_ask(status):
    body, media_type = Metrics(lambda: status).expose("application/openmetrics-text")

    assert media_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_the_registry_of_the_process_stays_as_it_is(status):
    before = prometheus_client.generate_latest().count(b"bwalloc")
    Metrics(lambda: status).expose("")
    Metrics(lambda: status).expose("")

    assert 0 == before == prometheus_client.generate_latest().count(b"bwalloc")
