"""`bwalloc bench te`: exit codes, and errors in one line."""

import json

import numpy as np
import pytest

from bwalloc.bench.te.contest import LEARNED, Contest, Entry
from bwalloc.bench.te.score import Score, Target
from bwalloc.cli import main


@pytest.fixture
def played(monkeypatch, tmp_path):
    """Runs the command with a contest that was already played."""
    pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")

    def run(mean):
        score = Score(mean, 1.0, 1.05, 1.06, {"p50": 1.0, "p99": 2.0, "cpu_p50": 0.5})
        entry = Entry(LEARNED, "agent", score, np.array([mean]), parameters=7, seed=0)
        contest = Contest("geant", (entry,), Target(1.017, 1.069), np.array([1.5]))
        monkeypatch.setattr("bwalloc.bench.te.contest.run_contest", lambda *_, **__: contest)
        monkeypatch.setattr("bwalloc.bench.te.dataset.read_dataset", lambda *_: None)
        return main(["bench", "te", "--data", str(tmp_path), "--json", str(tmp_path / "te.json")])

    return run


@pytest.mark.parametrize(("mean", "code"), [(1.01, 0), (1.02, 1)])
def test_a_missed_target_is_exit_code_1(played, capsys, mean, code):
    assert code == played(mean)
    assert ("MISSED" in capsys.readouterr().out) == bool(code)


def test_the_json_holds_figures_seed_and_verdict(played, tmp_path):
    played(1.01)
    document = json.loads((tmp_path / "te.json").read_text())
    assert document["met"] is True
    row = document["rows"][0]
    assert ("network", 0, 1.01, 7) == (
        row["name"], row["seed"], row["normalised_mlu"]["mean"], row["parameters"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--data FOLDER, or BWALLOC_TE_DATA"),
        (["--data", "absent-folder"], "there is no such folder"),
        (["--dataset", "gaent", "--data", "."], "Nearest: 'geant'"),
        (["--minutes", "0"], "--minutes 0: expected more than 0"),
        (["--seeds", "0"], "--seeds 0: expected more than 0"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(monkeypatch, capsys, options, message):
    pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    monkeypatch.delenv("BWALLOC_TE_DATA", raising=False)
    assert 2 == main(["bench", "te", *options])
    error = capsys.readouterr().err
    assert message in error
    assert 1 == len(error.splitlines())
