"""A sidecar as a process: real sockets, TLS, signals, and what is left of it afterwards."""

import contextlib
import os
import signal
import socket
import ssl
import sys
import threading
import time

import pytest
import sidecars
from sidecars import JSON, TOKEN, Sidecar, ask, make_certificate, telemetry

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")

SLOW = """
import sys, time
import sidecars
from bwalloc.serve.http import Drain, Settings, create_app, listen, serve

class Slow:
    def __init__(self, inner):
        self.inner = inner
    def __getattr__(self, name):
        return getattr(self.inner, name)
    def decide(self, telemetry):
        time.sleep(float(sys.argv[1]))
        return self.inner.decide(telemetry)

settings = Settings(port=0, drain_s=float(sys.argv[2]), finish_s=float(sys.argv[3]), max_waiting=1)
listener, drain = listen(settings), Drain()
app = create_app(Slow(sidecars.supervisor()), settings, drain)
ended_by = serve(app, listener, settings, drain, lambda: print(listener.url, flush=True))
sys.exit(0 if ended_by == 15 else 9)
"""


def slow(decide_s, drain_s=0.0, finish_s=10.0):
    code = f"import sys; sys.path.insert(0, {os.path.dirname(sidecars.__file__)!r})\n{SLOW}"
    command = [sys.executable, "-c", code, str(decide_s), str(drain_s), str(finish_s)]
    return Sidecar(command=command)


@pytest.fixture(scope="module")
def plain():
    with Sidecar() as sidecar:
        yield sidecar


def test_it_says_who_decides_and_where(plain):
    assert f"{sidecars.AGENT} {sidecars.bundle().version} decides for tiny-edge" in plain.said
    assert plain.url.startswith("http://127.0.0.1:")


def test_it_decides_over_a_real_connection_that_stays_open(plain):
    with contextlib.closing(plain.connect()) as connection:
        ids = [
            ask(connection, "POST", "/v1/decide", telemetry(step / 10)).json()["id"]
            for step in range(20)
        ]

    assert 20 == len(set(ids))


def test_an_answer_does_not_wait_for_an_acknowledgement(plain):
    taken = []
    with contextlib.closing(plain.connect()) as connection:
        for _ in range(40):
            begun = time.perf_counter()
            ask(connection, "GET", "/health/live")
            taken.append(time.perf_counter() - begun)

    assert sorted(taken)[20] < 0.02  # 0.04 and more where Nagle meets a delayed acknowledgement


@pytest.mark.parametrize("expects", [False, True])
def test_a_body_that_is_too_large_is_refused_on_the_wire(plain, expects):
    size = 17 * 2**20
    headers = {**JSON, **({"Expect": "100-continue"} if expects else {})}
    answer = plain.ask("POST", "/v1/decide", b" " * size, headers)

    assert 413 == answer.status
    assert str(size) in answer.json()["detail"]


def raw(sidecar, data, *, timeout=30):
    """The beginning of what comes back for bytes that need be no HTTP."""
    with socket.create_connection((sidecar.host, sidecar.port), timeout) as connection:
        connection.sendall(data)
        return connection.recv(65536)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/decide HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/decide HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    ],
)
def test_bytes_that_are_no_sound_request_are_refused_with_4xx(plain, data):
    answer = raw(plain, data)

    assert answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert 200 == plain.ask("GET", "/health/live").status


def test_a_connection_cut_in_the_middle_of_a_body_disturbs_nobody(plain):
    for _ in range(20):
        head = b"POST /v1/decide HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        with socket.create_connection((plain.host, plain.port)) as connection:
            connection.sendall(head + b"Content-Length: 500\r\n\r\n{")
    assert 200 == plain.ask("POST", "/v1/decide", telemetry()).status


def test_a_second_sidecar_on_the_same_port_is_refused_in_one_line(plain):
    with pytest.raises(AssertionError) as caught:
        Sidecar("--port", plain.port)

    (line,) = str(caught.value).splitlines()
    assert f"bwalloc: Cannot listen on 127.0.0.1, port {plain.port}" in line


# ----------------------------------------------------------------------------- token and TLS


@pytest.mark.slow
def test_tls_and_token_on_an_address_that_others_can_reach(tmp_path):
    certificate, key = make_certificate(tmp_path)
    (tmp_path / "token").write_text(TOKEN + "\n")
    protected = ["--tls-cert", certificate, "--tls-key", key, "--token-file", tmp_path / "token"]
    with Sidecar("--host", "0.0.0.0", *protected) as sidecar:
        sidecar.host = "127.0.0.1"
        right = {"Authorization": f"Bearer {TOKEN}"}
        answer = sidecar.ask("POST", "/v1/decide", telemetry(), right, trusted=certificate)
        assert 200 == answer.status
        assert 401 == sidecar.ask("GET", "/v1/status", trusted=certificate).status
        assert 200 == sidecar.ask("GET", "/health/ready", trusted=certificate).status
        with pytest.raises(ssl.SSLCertVerificationError):
            sidecar.ask("GET", "/health/live")
        assert b"HTTP/1.1 200" not in raw(sidecar, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (0, "") == sidecar.end()


# ------------------------------------------------------------------------------ its last hour


def in_thread(call):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(call()), daemon=True)
    thread.start()
    return thread, answers


@pytest.mark.slow
def test_sigterm_lets_the_running_request_finish():
    with slow(decide_s=1.0) as sidecar:
        thread, answers = in_thread(lambda: sidecar.ask("POST", "/v1/decide", telemetry()))
        time.sleep(0.4)
        begun = time.monotonic()
        code, shown = sidecar.end()
        thread.join(10)

    assert (0, "") == (code, shown)
    assert 200 == answers[0].status
    assert time.monotonic() - begun < 5.0


@pytest.mark.slow
def test_while_it_drains_it_is_not_ready_and_still_decides():
    with slow(decide_s=0.0, drain_s=2.0) as sidecar:
        assert 200 == sidecar.ask("GET", "/health/ready").status
        sidecar.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert 503 == sidecar.ask("GET", "/health/ready").status
        assert 200 == sidecar.ask("GET", "/health/live").status
        assert 200 == sidecar.ask("POST", "/v1/decide", telemetry()).status
        assert 0 == sidecar.process.wait(10)
        with pytest.raises(ConnectionRefusedError):
            sidecar.ask("GET", "/health/live")


@pytest.mark.slow
def test_a_request_that_does_not_finish_does_not_keep_it_alive():
    with slow(decide_s=60.0, finish_s=1.0) as sidecar:
        in_thread(lambda: contextlib.suppress(Exception) or sidecar.ask("POST", "/v1/decide", "{}"))
        _, answers = in_thread(lambda: sidecar.ask("POST", "/v1/decide", telemetry()))
        time.sleep(0.5)
        begun = time.monotonic()
        sidecar.process.send_signal(signal.SIGTERM)
        sidecar.process.wait(20)

    assert time.monotonic() - begun < 10.0
    assert not [answer for answer in answers if answer.status == 200]


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once():
    with slow(decide_s=0.0, drain_s=60.0) as sidecar:
        sidecar.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert 0 == sidecar.end()[0]


@pytest.mark.slow
def test_ctrl_c_ends_it_as_it_ends_every_command():
    with Sidecar() as sidecar:
        assert (130, "") == sidecar.end(signal.SIGINT)


@pytest.mark.slow
def test_too_many_decisions_at_once_are_told_to_come_back():
    with slow(decide_s=1.0) as sidecar:
        waiting = [in_thread(lambda: sidecar.ask("POST", "/v1/decide", telemetry())) for _ in "ab"]
        time.sleep(0.4)
        refused = sidecar.ask("POST", "/v1/decide", telemetry())
        assert 200 == sidecar.ask("GET", "/health/live").status
        for thread, _ in waiting:
            thread.join(10)

    assert (503, "1") == (refused.status, refused.headers["retry-after"])
    assert [200, 200] == [answers[0].status for _, answers in waiting]


@pytest.mark.slow
def test_after_kill_9_it_starts_again_on_the_same_port_and_decides():
    with Sidecar() as first:
        assert 200 == first.ask("POST", "/v1/decide", telemetry()).status
        assert -signal.SIGKILL == first.end(signal.SIGKILL)[0]
    with Sidecar("--port", first.port) as second:
        answer = second.ask("POST", "/v1/decide", telemetry())
        assert (200, "policy") == (answer.status, answer.json()["source"])
        assert 0 == second.end()[0]
