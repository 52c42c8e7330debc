"""Thousands of generated requests: never a 5xx, never a crash, and no memory kept.

Requests come from our own OpenAPI document (schemathesis: bodies that fit it and bodies that do
not, and every answer is held against the document too), from telemetry with a few things wrong
(Hypothesis), and from bytes that are hardly HTTP.
"""

import collections
import contextlib
import copy
import json
import os
import socket

import pytest
import schemathesis
import sidecars
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from sidecars import JSON, Sidecar, ask

from bwalloc.control import Decision, from_json

MOST_GROWTH_MIB = 5
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


def scaled(count):
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


def rss_mib(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        (line,) = [line for line in file if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


# ------------------------------------------------------------------------- from our own document


def from_the_document(sidecar, tally, count):
    schema = schemathesis.openapi.from_url(f"{sidecar.url}/openapi.json")
    for operation in (found.ok() for found in schema.get_all_operations()):
        modes = MODES if operation.body else MODES[:1]
        for mode in modes if operation.path != "/health/ready" else ():
            play(operation.as_strategy(generation_mode=mode), tally, count)


def play(cases, tally, count):
    @scaled(count)
    @given(case=cases)
    def each(case):
        answer = case.call(timeout=30)
        tally[answer.status_code] += 1
        # What no JSON schema can say, that columns are of one length, may be refused.
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    each()


# ---------------------------------------------------------------- telemetry with something wrong

NUMBERS = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),  # NaN and infinities too: `json.dumps` writes what is no JSON
    st.sampled_from([0.0, -1.0, 1e300, 1e-300, -0.0, 10**30, 1e999]),
)
LEAVES = st.one_of(
    NUMBERS,
    st.booleans(),
    st.text(max_size=8),
    st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2024-01-01T00:00:00", ""]),
    st.lists(st.floats(), max_size=3),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)


def places(tree, path=()):
    """Every place of a JSON tree, as paths."""
    yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from places(value, (*path, key))
    if isinstance(tree, list):
        for at, value in enumerate(tree):
            yield from places(value, (*path, at))


@st.composite
def broken_telemetry(draw):
    """JSON with wrong numbers only, or with anything wrong."""
    tree = json.loads(sidecars.telemetry(draw(st.floats(-100, 100))))
    if draw(st.booleans()):
        for path in draw(st.lists(st.sampled_from(numbers(tree)), min_size=1, max_size=6)):
            inside_of(tree, path)[path[-1]] = draw(NUMBERS)
        return json.dumps(tree)
    for _ in range(draw(st.integers(1, 3))):
        spoil(draw, tree)
    return json.dumps(tree)


def numbers(tree):
    return [path for path in places(tree) if isinstance(at(tree, path), float)]


def at(tree, path):
    for step in path:
        tree = tree[step]
    return tree


def inside_of(tree, path):
    return at(tree, path[:-1])


def spoil(draw, tree):
    """Set, drop or repeat one thing."""
    path = draw(st.sampled_from([path for path in places(tree) if path]))
    inside, what = inside_of(tree, path), draw(st.sampled_from(["set", "drop", "twice"]))
    if what == "drop":
        del inside[path[-1]]
    elif what == "twice" and isinstance(inside, list):
        inside.append(copy.deepcopy(inside[path[-1]]))
    else:
        inside[path[-1]] = draw(LEAVES)


def with_broken_telemetry(sidecar, tally, count):
    with contextlib.closing(sidecar.connect()) as connection:

        @scaled(count)
        @given(body=broken_telemetry())
        def each(body):
            answer = ask(connection, "POST", "/v1/decide", body)
            tally[answer.status] += 1
            assert answer.status in (200, 400, 422), (answer.status, body)
            if answer.status == 200:
                from_json(Decision, answer.body)  # finite and not negative, or it raises
            else:
                assert answer.json()["detail"]

        each()


# --------------------------------------------------------------------- what is hardly a request

TOKENS = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "X", ""])
PATHS = st.one_of(
    st.sampled_from(["/", "/v1/decide", "/v1/kill", "/v1/swap", "/metrics", "*", "//", "/%00"]),
    st.sampled_from(["/assets/../../app.py", "/assets/%2e%2e/page.css", "http://a/v1/status"]),
    TOKENS.map(lambda text: f"/{text}"),
)
HEADERS = st.one_of(
    st.sampled_from(["Content-Type: application/json", "Content-Type: a;b=c;;", "Host: localhost"]),
    st.sampled_from(["Content-Length: 2", "Content-Length: 0", "Content-Length: 99999999999999"]),
    st.sampled_from(["Transfer-Encoding: chunked", "Expect: 100-continue", "Upgrade: websocket"]),
    st.sampled_from(["Authorization: Bearer \xff", "Connection: upgrade", "Host: \xff"]),
    st.builds("{}: {}".format, TOKENS, TOKENS),
)


@st.composite
def hardly_http(draw):
    lines = [f"{draw(METHODS)} {draw(PATHS)} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
    lines += draw(st.lists(HEADERS, max_size=4))
    text = "\r\n".join(lines) + "\r\n\r\n"
    return text.encode("latin-1") + draw(st.one_of(st.binary(max_size=60), st.just(b"{}")))


def with_bytes(sidecar, tally, count):
    @scaled(count)
    @given(data=hardly_http())
    def each(data):
        with socket.create_connection((sidecar.host, sidecar.port), 10) as connection:
            connection.sendall(data)
            connection.settimeout(0.05)  # it may wait, rightly, for a body that was promised
            try:
                status = connection.recv(4096)[9:12]
            except (TimeoutError, ConnectionResetError):
                status = b""
        tally[int(status or 0)] += 1
        assert not status.startswith(b"5"), data

    each()


def attack(sidecar, scale):
    tally = collections.Counter()
    from_the_document(sidecar, tally, 5 * scale)
    with_broken_telemetry(sidecar, tally, 60 * scale)
    with_bytes(sidecar, tally, 10 * scale)
    return tally


def assert_well(sidecar, tally):
    assert not [status for status in tally if status >= 500], tally
    assert {200, 204, 400, 404, 409, 422} <= set(tally), tally
    assert 200 == sidecar.ask("POST", "/v1/decide", sidecars.telemetry(3600), JSON).status
    assert (0, "") == sidecar.end()


def test_a_few_hundred_generated_requests_find_no_fault():
    with Sidecar() as sidecar:
        assert_well(sidecar, attack(sidecar, scale=1))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")
def test_ten_thousand_generated_requests_find_no_fault_and_leave_no_memory(capsys):
    with Sidecar() as sidecar:
        attack(sidecar, scale=4)
        before = rss_mib(sidecar.process)
        tally = attack(sidecar, scale=72)
        after = rss_mib(sidecar.process)
        with capsys.disabled():
            told = dict(sorted(tally.items()))
            print(f"\n{tally.total()} requests, {told}, RSS {before:.1f} to {after:.1f} MiB")
        assert_well(sidecar, tally)

    assert tally.total() >= 10_000
    assert after - before < MOST_GROWTH_MIB
