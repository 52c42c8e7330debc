"""`bwalloc serve`: what it refuses before it listens, and what its options do."""

import json
import sys

import pytest
import sidecars
from sidecars import JSON, Sidecar, telemetry

from bwalloc.cli import main

LINE = ["serve", sidecars.AGENT]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "--token-file FILE and --tls-cert FILE --tls-key FILE"),
        (["--port", "70000"], "--port 70000: expected 1 to 65535"),
        (["--drain-s", "-1"], "--drain-s -1.0: expected 0 to 3600"),
        (["--bundles", "nowhere"], "--bundles 'nowhere': is no folder"),
        (["--token-file", "nowhere"], "--token-file 'nowhere': No such file"),
        (["--tls-cert", "nowhere"], "--tls-cert and --tls-key go together"),
        (["--limits", "nowhere"], "nowhere"),
        (["--audit", "."], "--audit '.': is a folder"),
        (["--shadow", "metro-inferenc", "--port", "0"], "Nearest: 'metro-inference'"),
        (["--key", "nowhere", "--port", "0"], "is not signed"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(capsys, monkeypatch, tmp_path, options, words):
    monkeypatch.chdir(tmp_path)
    code = main([*LINE, "--env", sidecars.ENV, *options])
    shown = capsys.readouterr()

    assert (2, "") == (code, shown.out)
    assert 1 == len(shown.err.splitlines())
    assert words in shown.err


def test_an_environment_that_is_not_there_is_named_with_the_nearest(capsys):
    assert 2 == main([*LINE, "--env", "tiny-edgy"])
    assert "Nearest: 'tiny-edge'" in capsys.readouterr().err


def test_a_missing_server_names_the_extra(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for name in [name for name in sys.modules if name.startswith("bwalloc.serve.http")]:
        monkeypatch.delitem(sys.modules, name)

    assert 2 == main([*LINE, "--env", sidecars.ENV, "--port", "0"])
    assert "pip install 'bwalloc[serve]'" in capsys.readouterr().err


@pytest.mark.slow
def test_limits_shadow_and_audit_reach_the_supervisor(tmp_path):
    (tmp_path / "limits.toml").write_text("max_usd_per_h = 12.5\n")
    audit = tmp_path / "audit.jsonl"
    options = ["--limits", tmp_path / "limits.toml", "--shadow", sidecars.AGENT, "--audit", audit]
    with Sidecar(*options, "--runtime", "numpy") as sidecar:
        sidecar.ask("POST", "/v1/decide", telemetry(), JSON)
        status = sidecar.ask("GET", "/v1/status").json()
        assert 0 == sidecar.end()[0]

    assert 12.5 == status["money"]["max_usd_per_h"]
    assert sidecars.AGENT == status["shadow"]["name"]
    assert "numpy" == status["deployment"]["runtime"]
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    assert "close" in json.dumps(lines[-1])


@pytest.mark.slow
def test_the_kill_switch_survives_kill_9_where_there_is_an_audit_log(tmp_path):
    options = ["--audit", tmp_path / "audit.jsonl"]
    with Sidecar(*options) as first:
        first.ask("POST", "/v1/kill", {"reason": "a test"})
        before = first.ask("GET", "/v1/status").json()
        first.end(9)
    with Sidecar(*options) as second:
        after = second.ask("GET", "/v1/status").json()

    assert "a test" == before["killed"] == after["killed"]
    assert after["deployment"]["deployment"] > before["deployment"]["deployment"]
