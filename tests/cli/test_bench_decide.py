"""`bwalloc bench decide`: exit codes, what is printed and written, and errors in one line."""

import json

import pytest

from bwalloc.bench.decide_document import Decided
from bwalloc.bench.decide_footprint import Footprint
from bwalloc.bench.decide_latency import BARE, WHOLE, Latency
from bwalloc.bench.decide_parity import Parity
from bwalloc.cli import main


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Runs the command with figures that were measured already."""
    pytest.importorskip("onnxruntime", reason="onnxruntime comes with bwalloc[serve]")

    def run(largest=1e-6, times=1.5):
        names = {"numpy, decode compiled": 0.0, "onnxruntime": largest, "torch": 2e-7}
        found = Decided(
            [Parity("usual", 1_000, 100, 8, 32, 0, largest, names)],
            [
                Latency("sized", 1_000, 100, who, 400, 6.0, 9.0, 5.0, ratio, ratio)
                for who, ratio in ((WHOLE, times), (BARE, 1.0))
            ],
            [],
            [Footprint("torch", {"import": 2.0}, 2.0, 219.0)],
        )
        monkeypatch.setattr(
            "bwalloc.bench.decide_document.measure_decisions", lambda *_, **__: found
        )
        return main(["bench", "decide", "--json", str(tmp_path / "decide.json")])

    return run


@pytest.mark.parametrize(
    ("largest", "times", "code"), [(1e-6, 1.5, 0), (2e-5, 1.5, 1), (1e-6, 2.5, 1)]
)
def test_a_missed_target_is_exit_code_1(measured, capsys, largest, times, code):
    assert code == measured(largest, times)
    assert ("MISSED" in capsys.readouterr().out) == bool(code)


def test_tables_and_verdicts_are_printed(measured, capsys):
    measured()
    text = " ".join(capsys.readouterr().out.split())

    assert "usual 1,000 x 100 8 32 0.0e+00 1.0e-06 2.0e-07 1.0e-06 0" in text
    assert "onnxruntime alone 1,000 x 100 400 6 9 5 1.00 1.00" in text
    assert "torch 2.00 219 import 2.00" in text
    assert "target: 'decide' of 1,000 demands takes at most 2 x the bare inference: met" in text


def test_the_json_says_where_it_comes_from(measured, tmp_path):
    measured()
    document = json.loads((tmp_path / "decide.json").read_text())

    assert {"command", "commit", "versions", "machine", "agent", "env"} <= set(document)
    assert document["met"] is True
    assert {"largest_difference": 1e-5, "times_bare": 2.0, "at_demands": 1000} == (
        document["targets"]
    )
    assert 1e-6 == document["parity"][0]["largest"]
    assert [WHOLE, BARE] == [row["who"] for row in document["latency"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--section", "latancy"], "Nearest: 'latency'"),
        (["--decisions", "0"], "--decisions 0: expected at least 1"),
        (["--demands-up-to", "0"], "--demands-up-to 0: expected at least 1"),
        (["metro-inferense"], "Nearest: 'metro-inference'"),
        (["--env", "tiny-egde"], "Nearest: 'tiny-edge'"),
        (["--json", "."], "--json '.': is a folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, options, message):
    pytest.importorskip("onnxruntime", reason="onnxruntime comes with bwalloc[serve]")

    assert 2 == main(["bench", "decide", *options])
    error = capsys.readouterr().err
    assert message in error
    assert 1 == len(error.strip().splitlines())
