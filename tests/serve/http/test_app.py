"""What the routes answer, and that every refusal is a problem with a text of its own."""

import asyncio
import gc
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import sidecars
from policies import write_agent
from pydantic import ValidationError
from sidecars import JSON, TOKEN
from starlette.testclient import TestClient

from bwalloc.control import Decision, Telemetry, from_json
from bwalloc.errors import TelemetryError
from bwalloc.scenario import load_scenario
from bwalloc.serve.http import Drain, Settings, create_app

POSTS = ["swap", "rollback", "shadow", "kill", "revive", "override", "release", "approve"]
POSTS += ["reject"]


@pytest.fixture
def supervisor():
    with sidecars.supervisor() as made:
        yield made


@pytest.fixture
def client(supervisor):
    with talk(supervisor) as made:
        yield made


@pytest.fixture(scope="module")
def untouched():
    """A supervisor whom nothing of what it is asked may change."""
    with sidecars.supervisor() as made:
        yield made
        assert made.status().killed is None
        assert () == made.status().overrides


@pytest.fixture(scope="module")
def asked(untouched):
    with talk(untouched) as made:
        yield made


def talk(supervisor, settings=None, drain=None):
    app = create_app(supervisor, settings, drain)
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


def assert_problem(answer, status, *texts):
    assert "application/problem+json" == answer.headers["content-type"]
    assert {"type", "title", "status", "detail"} == set(answer.json())
    assert (status, status) == (answer.status_code, answer.json()["status"])
    for text in texts:
        assert text in answer.json()["detail"]


def decide(client, body=None, **headers):
    return client.post("/v1/decide", content=body or sidecars.telemetry(), headers=JSON | headers)


# ---------------------------------------------------------------------------------- decisions


def test_telemetry_in_decision_out(client):
    answer = decide(client)
    decision = from_json(Decision, answer.content)

    assert 200 == answer.status_code
    assert sidecars.network().demands.name == decision.demands
    assert "policy" == decision.source
    assert "1" == answer.headers["bwalloc-deployment"]
    assert "application/json" == answer.headers["content-type"]


def test_it_is_the_decision_of_the_supervisor(client, supervisor):
    body = sidecars.telemetry()
    answer = from_json(Decision, decide(client, body).content)

    np.testing.assert_array_equal(
        supervisor.decide(from_json(Telemetry, body)).rates_gbps, answer.rates_gbps
    )


def test_the_example_can_be_sent_back_and_is_decided_by_the_policy(client):
    example = client.get("/v1/telemetry/example")
    answer = decide(client, example.content)

    assert "policy" == answer.json()["source"]
    assert [] == answer.json()["reasons"]


def test_the_header_names_the_deployment_that_decided(client, supervisor):
    first = decide(client, sidecars.telemetry(-1.0)).headers["bwalloc-deployment"]
    supervisor.swap(sidecars.bundle())
    second = decide(client).headers["bwalloc-deployment"]

    assert ("1", "2") == (first, second)


def test_a_body_that_is_no_json_is_a_bad_request(asked):
    assert_problem(decide(asked, b"{"), 400, "Telemetry: Invalid JSON", "line 1 column 1")
    assert_problem(decide(asked, b"\xff\xfe"), 400, "Invalid JSON")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"interval_s": -1}, "interval_s"),
        ({"interval_end": "yesterday"}, "interval_end"),
        ({"links": {}}, "links.name"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_telemetry_that_is_wrong_is_named_by_its_place(asked, change, place):
    body = json.dumps({**json.loads(sidecars.telemetry()), **change})

    assert_problem(decide(asked, body), 422, f"{place}:", "(see /openapi.json)")


@pytest.mark.parametrize("value", [{"a": 1}, [1], "much", 10**400, [[]], True])
def test_a_column_that_holds_no_numbers_is_refused(asked, value):
    record = json.loads(sidecars.telemetry())
    record["demands"]["offered_gbps"][0] = value
    answer = decide(asked, json.dumps(record))

    assert answer.status_code in ((200, 422) if value is True else (422,))


def test_columns_of_unequal_length_are_refused(asked):
    record = json.loads(sidecars.telemetry())
    record["links"]["carried_gbps"].append(1.0)

    assert_problem(decide(asked, json.dumps(record)), 422, "LinkTelemetry.carried_gbps")


def test_a_strange_network_is_still_answered_with_a_decision(client):
    record = json.loads(sidecars.telemetry())
    record["links"]["name"] = [f"other-{name}" for name in record["links"]["name"]]
    answer = decide(client, json.dumps(record))

    assert 200 == answer.status_code
    assert np.isfinite(from_json(Decision, answer.content).rates_gbps).all()


@pytest.mark.parametrize("body", [b"null", b" null\n"])
def test_null_says_that_nothing_was_measured_and_is_answered(client, body):
    first = decide(client, body)
    assert (200, "static") == (first.status_code, first.json()["source"])
    decide(client)
    later = decide(client, body).json()

    assert ("last-known-good", ["telemetry-missing"]) == (later["source"], later["reasons"])


# --------------------------------------------------------------------------------- the envelope


def test_unknown_routes_and_methods_are_problems(asked):
    assert_problem(asked.get("/v1/nothing"), 404, "/openapi.json")
    assert_problem(asked.get("/v1/decide/"), 404, "/openapi.json")
    assert_problem(asked.get("/assets/../app.py"), 404)
    answer = asked.delete("/v1/status")
    assert_problem(answer, 405, "Allow")
    assert "GET" == answer.headers["allow"]


@pytest.mark.parametrize("route", ["decide", *POSTS])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}],
)
def test_what_is_not_sent_as_json_is_refused(asked, untouched, route, headers):
    answer = asked.post(f"/v1/{route}", content=b"{}", headers=headers)

    assert_problem(answer, 415, "Content-Type: application/json")
    assert untouched.status().killed is None


def test_a_compressed_body_is_refused(asked):
    assert_problem(decide(asked, **{"Content-Encoding": "gzip"}), 415, "gzip")


def test_a_declared_size_is_refused_before_it_is_read(asked):
    answer = decide(asked, b"x", **{"Content-Length": str(2**40)})

    assert_problem(answer, 413, str(2**40))


def test_a_command_may_not_be_as_large_as_telemetry(asked):
    answer = asked.post("/v1/kill", content=b" " * 20_000, headers=JSON)

    assert_problem(answer, 413, "20000 bytes")


def chunks(count):
    for _ in range(count):
        yield b" " * 4096


def test_a_size_that_was_not_declared_is_refused_while_it_is_read(supervisor):
    settings = Settings(max_body_bytes=64 * 1024)
    with talk(supervisor, settings) as client:
        answer = client.post("/v1/decide", content=chunks(40), headers=JSON)
        assert_problem(answer, 413, "larger than")
        command = client.post("/v1/kill", content=chunks(8), headers=JSON)
        assert_problem(command, 413, "larger than")
        assert 200 == decide(client).status_code


def post(app, route, receive):
    """What the application sends for a request, without a client in between."""
    sent, headers = [], [(b"host", b"localhost"), (b"content-type", b"application/json")]
    path = f"/v1/{route}"
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": path}
    scope |= {"raw_path": path.encode(), "query_string": b"", "headers": headers}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


@pytest.mark.parametrize("route", ["decide", "kill"])
def test_a_body_that_never_ends_is_given_up(untouched, route):
    async def receive():
        await asyncio.sleep(0.03)
        return {"type": "http.request", "body": b" ", "more_body": True}

    start = post(create_app(untouched, Settings(body_s=0.05)), route, receive)[0]

    assert 408 == start["status"]
    assert (b"connection", b"close") in start["headers"]


@pytest.mark.parametrize("body", [b"{", b'{"a": 1}'])
def test_a_refusal_leaves_nothing_for_the_collector_of_garbage(untouched, body):
    """Cycles that hold a body stay for long where much memory is in use."""
    app = create_app(untouched)

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    post(app, "decide", receive)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        post(app, "decide", receive)
        gc.collect()
        kept = [
            found for found in gc.garbage if isinstance(found, TelemetryError | ValidationError)
        ]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()

    assert [] == kept


def test_every_answer_is_sealed(asked):
    for answer in (asked.get("/health/live"), asked.get("/nothing"), asked.get("/docs")):
        assert "nosniff" == answer.headers["x-content-type-options"]
        assert "no-store" == answer.headers["cache-control"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_without_a_token_only_names_of_this_machine_are_answered(asked, host):
    answer = asked.get("/v1/status", headers={"Host": host})

    assert_problem(answer, 421, "127.0.0.1")


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "[::1]:8321", "LOCALHOST"])
def test_names_of_this_machine_are_answered(asked, host):
    assert 200 == asked.get("/v1/status", headers={"Host": host}).status_code


def test_a_failure_of_ours_says_so_and_shows_nothing(client, supervisor, monkeypatch):
    def broken(_):
        msg = "secret detail"
        raise RuntimeError(msg)

    monkeypatch.setattr(supervisor, "decide", broken)
    answer = decide(client)

    assert_problem(answer, 500, "Keep the rates you have")
    assert "secret" not in answer.text


# ----------------------------------------------------------------------------------- the token


@pytest.fixture(scope="module")
def locked(untouched):
    with talk(untouched, Settings(token=TOKEN)) as made:
        yield made


@pytest.mark.parametrize("path", ["/v1/status", "/v1/bundles", "/metrics", "/v1/telemetry/example"])
def test_what_is_known_is_shown_for_the_token_alone(locked, path):
    refused = locked.get(path)
    assert_problem(refused, 401, "Authorization: Bearer")
    assert 'Bearer realm="bwalloc"' == refused.headers["www-authenticate"]
    assert 200 == locked.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code


@pytest.mark.parametrize("route", ["decide", *POSTS])
def test_nothing_is_done_without_the_token(locked, untouched, route):
    answer = locked.post(
        f"/v1/{route}", json={"reason": "x"}, headers={"Authorization": "Bearer x"}
    )

    assert_problem(answer, 401)
    assert untouched.status().killed is None


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/health/live", "/v2/health/ready"]
)
def test_pages_and_probes_need_no_token(locked, path):
    assert 200 == locked.get(path).status_code


def test_an_unknown_route_does_not_say_so_without_the_token(locked):
    assert_problem(locked.get("/v1/nothing"), 401)


# ---------------------------------------------------------------------------------- operations


def test_the_kill_switch_holds_until_it_is_revived(client, supervisor):
    assert 204 == client.post("/v1/kill", json={"reason": "works on hub-a"}).status_code
    assert "works on hub-a" == supervisor.status().killed
    assert "static" == decide(client).json()["source"]
    assert 204 == client.post("/v1/revive", json={}).status_code
    assert supervisor.status().killed is None


@pytest.mark.parametrize(
    ("route", "body", "place"),
    [
        ("kill", {}, "body.reason"),
        ("kill", {"reason": ""}, "body.reason"),
        ("kill", {"reason": 1}, "body.reason"),
        ("kill", {"reason": "x", "why": "x"}, "body.why"),
        ("revive", {"x": 1}, "body.x"),
        ("revive", [], "body"),
        ("override", {"tenant": "t", "gbps": -1}, "body.gbps"),
        ("override", {"tenant": "t", "for_s": 0}, "body.for_s"),
        ("swap", {"bundle": None}, "body.bundle"),
        ("approve", {"order": "x" * 201}, "body.order"),
    ],
)
def test_commands_that_are_wrong_are_named_by_their_place(asked, route, body, place):
    assert_problem(asked.post(f"/v1/{route}", json=body), 422, place)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(asked, number):
    body = f'{{"tenant": "t", "gbps": {number}}}'
    answer = asked.post("/v1/override", content=body, headers=JSON)

    assert_problem(answer, 422, "body.gbps")


def test_a_command_that_is_no_json_is_a_bad_request(asked):
    for body in (b"{", b"[" * 3000, b"\xff"):
        assert_problem(asked.post("/v1/kill", content=body, headers=JSON), 400)


def test_an_override_is_set_and_released(client, supervisor):
    tenant = sidecars.network().demands.tenant[0]
    command = {"tenant": tenant, "gbps": 0.5, "reason": "a test", "for_s": 60.0}
    assert 204 == client.post("/v1/override", json=command).status_code
    (held,) = supervisor.status().overrides
    assert (tenant, 0.5, "a test") == (held.tenant, held.gbps, held.reason)
    assert 204 == client.post("/v1/release", json={"tenant": tenant}).status_code
    assert () == supervisor.status().overrides


def test_a_tenant_or_an_order_that_is_not_there_is_named(client):
    answer = client.post("/v1/override", json={"tenant": "nobody"})
    assert_problem(answer, 422, "nobody")
    assert_problem(client.post("/v1/release", json={"tenant": "nobody"}), 422, "nobody")
    for route in ("approve", "reject"):
        assert_problem(client.post(f"/v1/{route}", json={"order": "o-1"}), 404, "o-1")


@pytest.mark.parametrize("route", ["approve", "reject"])
def test_an_order_that_waits_is_decided_upon(client, supervisor, monkeypatch, route):
    decided = []
    monkeypatch.setattr(supervisor, route, decided.append)

    assert 204 == client.post(f"/v1/{route}", json={"order": "o-7"}).status_code
    assert ["o-7"] == decided


# ------------------------------------------------------------------------------------- bundles


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A folder with a good bundle, a broken one, and ways out of it."""
    folder = tmp_path_factory.mktemp("shelf")
    inside, outside = folder / "inside", folder / "outside"
    inside.mkdir()
    write_agent(inside / "good", load_scenario(sidecars.ENV))
    write_agent(outside, load_scenario(sidecars.ENV))
    shutil.copytree(inside / "good", inside / "bad")
    (inside / "bad" / "weights.safetensors").write_bytes(b"changed")
    (inside / "link").symlink_to(outside)
    (inside / "serve.log").write_text("no bundle")
    (inside / "run").mkdir()
    (inside / ".hidden").symlink_to(outside)
    return inside


@pytest.fixture
def stocked(supervisor, shelf):
    with talk(supervisor, Settings(bundles=shelf)) as made:
        yield made


def test_bundles_of_the_folder_are_listed(stocked, client):
    assert {"bundles": ["bad", "good"]} == stocked.get("/v1/bundles").json()
    assert {"bundles": []} == client.get("/v1/bundles").json()


def test_swap_and_rollback_count_up(stocked, supervisor):
    assert {"deployment": 2} == stocked.post("/v1/swap", json={"bundle": "good"}).json()
    assert "test-agent" == supervisor.status().deployment.name
    assert {"deployment": 3} == stocked.post("/v1/rollback", json={}).json()
    assert sidecars.AGENT == supervisor.status().deployment.name


def test_a_broken_bundle_is_refused_and_the_one_before_stays(stocked, supervisor):
    answer = stocked.post("/v1/swap", json={"bundle": "bad"})

    assert_problem(answer, 422, "weights.safetensors")
    assert (1, sidecars.AGENT) == (
        supervisor.status().deployment.deployment,
        supervisor.status().deployment.name,
    )


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../outside",
        "link",
        ".hidden",
        "good/../../outside",
        "/etc",
        "good/",
        "",
        "metro-inference",
        "\x00",
        "good\n",
        "bad\\good",
        "%2e%2e",
        "~",
    ],
)
def test_no_name_leads_out_of_the_folder(untouched, shelf, name):
    name = str(shelf.parent / "outside") if name == "/etc" else name
    client = talk(untouched, Settings(bundles=shelf))
    for route in ("swap", "shadow"):
        answer = client.post(f"/v1/{route}", json={"bundle": name})
        assert answer.status_code in (404, 422)
    assert sidecars.AGENT == untouched.status().deployment.name
    assert untouched.status().shadow is None


def test_without_a_folder_nothing_is_swapped(client):
    for route in ("swap", "shadow"):
        assert_problem(client.post(f"/v1/{route}", json={"bundle": "good"}), 409, "--bundles DIR")


def test_rollback_without_a_past_is_a_conflict(client):
    assert_problem(client.post("/v1/rollback", json={}), 409)


def test_a_shadow_decides_beside_until_it_is_ended(stocked, supervisor):
    assert 204 == stocked.post("/v1/shadow", json={"bundle": "good"}).status_code
    assert "test-agent" == supervisor.status().shadow.name
    assert "policy" == decide(stocked).json()["source"]
    assert 204 == stocked.post("/v1/shadow", json={"bundle": None}).status_code
    assert supervisor.status().shadow is None


# ------------------------------------------------------------------------------ health, status


def test_health_in_both_spellings(asked):
    for path in ("/health/live", "/v2/health/live"):
        assert {"live": True} == asked.get(path).json()
    for path in ("/health/ready", "/v2/health/ready"):
        assert (200, {"ready": True}) == (asked.get(path).status_code, asked.get(path).json())


def test_draining_is_live_and_not_ready(supervisor):
    drain = Drain()
    with talk(supervisor, drain=drain) as client:
        drain.is_on = True
        for path in ("/health/ready", "/v2/health/ready"):
            assert (503, {"ready": False}) == (
                client.get(path).status_code,
                client.get(path).json(),
            )
        assert 200 == client.get("/health/live").status_code
        assert 200 == decide(client).status_code


def test_stale_telemetry_is_not_ready_in_ours_and_ready_in_the_protocols(supervisor, monkeypatch):
    stale = replace(supervisor.status(), is_ready=False)
    monkeypatch.setattr(supervisor, "status", lambda: stale)
    with talk(supervisor) as client:
        assert 503 == client.get("/health/ready").status_code
        assert 200 == client.get("/v2/health/ready").status_code


def test_the_status_is_that_of_the_supervisor(client, supervisor):
    decide(client)
    shown, status = client.get("/v1/status").json(), supervisor.status()

    assert status.network == shown["network"]
    assert [link.name for link in status.links] == [link["name"] for link in shown["links"]]
    assert status.recent[-1].id == shown["recent"][-1]["id"]
    assert all(math.isfinite(link["utilisation"]) for link in shown["links"])
