"""What a sidecar says of its plane."""

import pytest
import sidecars
from planes import Recorder
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from bwalloc.control import Telemetry, from_json
from bwalloc.serve.http import create_app
from bwalloc.serve.planes import Note, PlaneLoop


class Sidecar:
    def __init__(self, supervisor):
        self.plane = Recorder(lambda: from_json(Telemetry, sidecars.telemetry()))
        self.loop = PlaneLoop(supervisor, self.plane, 10.0)
        app = create_app(supervisor, plane=self.loop)
        self.client = TestClient(app, base_url="http://127.0.0.1")

    def turn(self, *breaks):
        self.plane.breaks = set(breaks)
        self.loop.turn()

    def metrics(self):
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.client.get("/metrics").text)
            for sample in family.samples
        }


@pytest.fixture
def sidecar():
    with sidecars.supervisor() as supervisor:
        yield Sidecar(supervisor)


def test_it_is_ready_while_the_plane_is_in_reach(sidecar):
    codes = [sidecar.client.get("/health/ready").status_code]
    for breaks in ("", "apply", "", "read", ""):
        sidecar.turn(breaks)
        codes.append(sidecar.client.get("/health/ready").status_code)

    assert [200, 200, 503, 200, 503, 200] == codes
    assert 200 == sidecar.client.get("/health/live").status_code


def test_metrics_count_errors_events_times_and_ages(sidecar):
    sidecar.plane.said = [Note("rebuilt", "built anew")]
    sidecar.turn()
    sidecar.turn("apply")
    found = sidecar.metrics()

    assert 1 == found["bwalloc_plane_errors_total", ("error", "apply")]
    assert 0 == found["bwalloc_plane_errors_total", ("error", "read")]
    assert 1 == found["bwalloc_plane_events_total", ("event", "rebuilt")]
    assert 2 == found["bwalloc_plane_read_seconds_count",]
    assert 1 == found["bwalloc_plane_apply_seconds_bucket", ("le", "+Inf")]
    assert 0 <= found["bwalloc_plane_last_apply_age_seconds",] < 5
    assert 0 == found["bwalloc_plane_reachable",]
    assert 3 == found["bwalloc_plane_changed_classes",]
    assert 1 == found["bwalloc_plane_info", ("enforcing", "yes"), ("kind", "recorder")]


def test_without_a_plane_there_are_no_metrics_of_one():
    with sidecars.supervisor() as supervisor:
        client = TestClient(create_app(supervisor), base_url="http://127.0.0.1")
        assert "bwalloc_plane" not in client.get("/metrics").text
        assert client.get("/v1/status").json()["plane"] is None


def test_the_status_holds_the_planes(sidecar):
    sidecar.turn()
    sidecar.turn("apply")
    found = sidecar.client.get("/v1/status").json()

    assert ("recorder", True, 2) == tuple(
        found["plane"][key] for key in ("kind", "is_enforcing", "rounds")
    )
    assert "cannot be written" == found["plane"]["last_error"]
    assert not found["is_ready"]


def test_telemetry_of_others_is_refused(sidecar):
    answer = sidecar.client.post(
        "/v1/decide", content=sidecars.telemetry(), headers={"Content-Type": "application/json"}
    )

    assert (409, True) == (answer.status_code, "--plane" in answer.json()["detail"])
