"""`bwalloc decide`: one decision as JSON."""

import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import sidecars

from bwalloc.cli import main
from bwalloc.control import Decision, from_json

LINE = ["decide", sidecars.AGENT, "--env", sidecars.ENV]


def decided(capsys, *options):
    code = main([*LINE, *options])
    shown = capsys.readouterr()
    assert (0, "") == (code, shown.err)
    return from_json(Decision, shown.out)


def said(capsys, *options):
    """What it said where it must fail: one line."""
    assert 2 == main([*LINE, *options])
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_without_telemetry_it_decides_after_the_first_interval(capsys):
    decision = decided(capsys)
    again = decided(capsys)

    assert sidecars.network().demands.name == decision.demands
    assert "policy" == decision.source
    assert sidecars.bundle().version == decision.policy_version
    assert (decision.rates_gbps > 0).any()
    np.testing.assert_array_equal(decision.rates_gbps, again.rates_gbps)


def test_both_runtimes_decide_alike(capsys):
    pytest.importorskip("onnxruntime")
    plain, exported = (decided(capsys, "--runtime", name) for name in ("numpy", "onnx"))

    np.testing.assert_allclose(plain.rates_gbps, exported.rates_gbps, atol=1e-4)


def test_telemetry_comes_from_a_file_of_any_age_or_from_standard_input(
    capsys, tmp_path, monkeypatch
):
    path = tmp_path / "telemetry.json"
    path.write_text(sidecars.telemetry(-1e9))
    decision = decided(capsys, "--telemetry", str(path))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    piped = decided(capsys, "--telemetry", "-")

    assert "policy" == decision.source
    np.testing.assert_array_equal(decision.rates_gbps, piped.rates_gbps)


def test_limits_are_kept(capsys, tmp_path):
    demand = sidecars.network().demands.name[0]
    path = tmp_path / "limits.toml"
    path.write_text('[tenant_gbps]\n"default" = 1.0\n')

    assert decided(capsys).rates_gbps.sum() > 1.01
    assert decided(capsys, "--limits", str(path)).rates_gbps.sum() < 1.01
    path.write_text(f'[floors_gbps]\n"{demand}" = 7.5\n')
    assert decided(capsys, "--limits", str(path)).rates_gbps[0].sum() > 7.49


def test_one_row_of_rates_stands_on_one_line(capsys):
    main(LINE)
    lines = capsys.readouterr().out.splitlines()

    assert 8 == sum(line.startswith("  [") for line in lines)
    assert len(lines) < 30


SHOWN = re.compile(
    r"\$ bwalloc decide (?P<line>metro-inference .*)\n(?P<answer>\{\n(?:.*\n)+?\})\n"
)
PAGES = [sidecars.ROOT / "README.md", *sorted((sidecars.ROOT / "docs").glob("*.md"))]
ANSWERS = [
    pytest.param(found["line"], found["answer"], id=page.name)
    for page in PAGES
    for found in SHOWN.finditer(page.read_text(encoding="utf-8"))
]


def test_an_answer_is_shown():
    assert ANSWERS


@pytest.mark.parametrize(("line", "answer"), ANSWERS)
def test_the_answer_shown_is_the_answer_given(capsys, line, answer):
    assert 0 == main(["decide", *line.split()])
    given, shown = json.loads(capsys.readouterr().out), json.loads(answer)

    np.testing.assert_allclose(given.pop("rates_gbps"), shown.pop("rates_gbps"), rtol=1e-3)
    assert given == shown


def test_what_is_wrong_is_said_in_one_line(capsys, tmp_path):
    path = tmp_path / "telemetry.json"
    path.write_text("{")

    assert "Telemetry: Invalid JSON" in said(capsys, "--telemetry", str(path))
    path.write_text("{}")
    assert "Telemetry, interval_end: Field required" in said(capsys, "--telemetry", str(path))
    assert "'nowhere': No such file" in said(capsys, "--telemetry", "nowhere")
    assert "nowhere" in said(capsys, "--limits", "nowhere")
    assert 2 == main(["decide", "metro-inferenc", "--env", sidecars.ENV])
    assert "Nearest: 'metro-inference'" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error():
    command = [sys.executable, "-c", sidecars.MAIN, "decide", sidecars.AGENT]
    command += ["--env", "metro-inference", "--runtime", "numpy"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdout.close()
        assert (b"", 0) == (run.stderr.read(), run.wait(60))
