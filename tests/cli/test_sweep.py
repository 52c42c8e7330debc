"""`bwalloc sweep` and `bwalloc search`: options, exit codes, and clusters that are real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
pytest.importorskip("joblib", reason="joblib comes with bwalloc[tune]")
pytest.importorskip("optuna", reason="optuna comes with bwalloc[tune]")

from tiny_recipes import TEXT

from bwalloc.cli import main
from bwalloc.cli.runs import Runs
from bwalloc.learn.recipe import read_recipe
from bwalloc.learn.run import STATE

TESTS = Path(__file__).resolve().parents[1]
COMMAND = "import sys; from bwalloc.cli import main; sys.exit(main(sys.argv[1:]))"
SPACE = "[apg]\nlearning_rate = { low = 1e-3, high = 1e-1, log = true }\n"


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """A folder with a recipe and a space."""
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.toml").write_text(TEXT)
    (tmp_path / "space.toml").write_text(SPACE)
    return tmp_path


def line_of(command, plain, more):
    """A command line with these options, and others or instead."""
    pairs = plain | dict(zip(more[::2], more[1::2], strict=True))
    return [command, "tiny-edge", *(part for pair in pairs.items() for part in pair)]


def sweep(*more):
    return line_of("sweep", {"--recipe": "r.toml", "--out": "out", "--jobs": "1"}, more)


def search(*more):
    plain = {"--recipe": "r.toml", "--space": "space.toml", "--out": "out", "--jobs": "1"}
    return line_of("search", plain, more)


WRONG = [
    (sweep("--seeds", "none"), "--seeds none"),
    (sweep("--set", "apg.cut"), "apg.learning_rate=1e-3,3e-3"),
    (sweep("--set", "apg.kut=3"), "Nearest: 'apg.cut'"),
    (sweep("--set", "apg.cut=0"), "--set apg.cut=0, apg.cut: got 0"),
    (sweep("--backend", "rai"), "Nearest: 'ray'"),
    (sweep("--address", "here:1"), "add --backend ray"),
    (sweep("--jobs", "-2"), "--jobs -2"),
    (sweep("--minutes", "0"), "--minutes 0"),
    (sweep("--algo", "pp"), "Nearest: 'ppo'"),
    (sweep("--recipe", "absent.toml"), "absent.toml"),
    (["sweep", "tiny-egde", "--out", "out"], "Nearest: 'tiny-edge'"),
    (["sweep", "absent.toml", "--out", "out"], "absent.toml"),
    (sweep("--out", "r.toml/out"), "may write to"),
    (search("--trials", "0"), "--trials 0"),
    (search("--trials", "2", "--seed", "-1"), "--seed -1"),
    (search("--trials", "2", "--space", "absent.toml"), "absent.toml: cannot be read"),
    (search("--trials", "2", "--minutes", "nan"), "--minutes nan"),
    (search("--trials", "2", "--backend", "ray", "--address", "127.0.0.1:1"), "no ray cluster"),
]


@pytest.mark.parametrize(("line", "words"), WRONG, ids=lambda part: str(part))
def test_bad_input_is_one_line(capsys, line, words):
    if "ray" in line:
        pytest.importorskip("ray", reason="ray comes with bwalloc[cluster]")
    assert 2 == main(line)
    shown = capsys.readouterr().err

    assert words in shown
    assert 1 == len(shown.splitlines())
    assert not Path("out").exists() or "ray" in line


@pytest.mark.parametrize(
    ("missing", "line", "extra"),
    [
        ("joblib", sweep(), "learn,tune"),
        ("optuna", search("--trials", "1"), "learn,tune"),
        ("ray", sweep("--backend", "ray"), "cluster"),
        ("distributed", sweep("--backend", "dask"), "cluster"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(capsys, monkeypatch, missing, line, extra):
    if missing == "distributed":
        pytest.importorskip("dask", reason="dask comes with bwalloc[cluster]")
    monkeypatch.setitem(sys.modules, missing, None)

    assert 2 == main(line)
    assert f"needs '{missing}': pip install 'bwalloc[{extra}]'" in capsys.readouterr().err


def test_a_sweep_prints_settings_and_the_best_run(capsys):
    assert 0 == main(sweep("--seeds", "2", "--set", "apg.learning_rate=0.3,0.001"))
    shown = capsys.readouterr()
    found = json.loads(Path("out/sweep.json").read_text())

    assert 4 == len(shown.err.splitlines())
    assert f"best run on validation: {found['best']}, " in shown.out
    assert f"bwalloc export out/{found['best']}" in shown.out
    assert [2, 2] == [row["finished"] for row in found["settings"]]
    assert "bwalloc sweep tiny-edge --recipe r.toml" in found["command"]
    assert all(f"apg.learning_rate={rate}" in shown.out for rate in ("0.3", "0.001"))


def test_a_sweep_with_a_failure_says_so_at_the_end(capsys):
    assert 1 == main(sweep("--seeds", "1", "--set", "apg.cut=5,9999"))
    last = capsys.readouterr().err.splitlines()[-1]

    assert last.startswith("bwalloc: out/apg.cut=9999/seed-0: apg.cut: got 9999")


def test_an_environment_of_ones_own_is_named_in_full(work):
    from bwalloc.scenario import find

    (work / "mine.toml").write_text(find("tiny-edge").read_text())
    line = ["sweep", "mine.toml", "--recipe", "r.toml", "--out", "out", "--jobs", "1"]

    assert 0 == main([*line, "--seeds", "1"])
    assert str(work / "mine.toml") == read_recipe(Path("out/seed-0/recipe.toml")).env


def test_the_environment_of_a_recipe_need_not_be_said(work):
    from bwalloc.scenario import find

    (work / "mine.toml").write_text(find("tiny-edge").read_text())
    (work / "r.toml").write_text((work / "r.toml").read_text().replace("tiny-edge", "mine.toml"))

    assert 0 == main(["sweep", "--recipe", "r.toml", "--out", "out", "--jobs", "1", "--seeds", "1"])
    assert str(work / "mine.toml") == read_recipe(Path("out/seed-0/recipe.toml")).env


def test_a_search_writes_a_recipe_that_train_takes(capsys):
    assert 0 == main(search("--trials", "2"))
    shown = capsys.readouterr().out
    found = json.loads(Path("out/search.json").read_text())

    assert f"best trial: {found['best']}" in shown
    assert Path("out/best-recipe.toml").read_text().startswith(f"# {found['best']}, ")
    assert "bwalloc sweep --recipe out/best-recipe.toml --seeds 5" in shown
    assert 0 == main(["train", "--recipe", "out/best-recipe.toml", "--out", "run"])
    assert read_recipe(Path("run/recipe.toml")) == read_recipe(Path("out/best-recipe.toml"))


def background(line, **options):
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *line], start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def wait_for(is_there, seconds=120):
    until = time.monotonic() + seconds
    while not is_there() and time.monotonic() < until:
        time.sleep(0.05)
    assert is_there()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs process groups")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_the_same_command_goes_on_with_what_was_stopped(work, stop):
    """Ctrl-C reaches all processes, a kill here the first alone: the others must follow it."""
    (work / "r.toml").write_text(
        TEXT.replace("steps = 40", "steps = 100_000_000").replace(
            "every_steps = 20", "every_steps = 40"
        )
    )
    line = ["sweep", "tiny-edge", "--recipe", "r.toml", "--out", "out", "--seeds", "2"]
    line += ["--jobs", "2", "--minutes"]
    first = background([*line, "60"])
    runs = [work / "out" / f"seed-{seed}" for seed in (0, 1)]
    try:
        wait_for(lambda: all((run / STATE).exists() for run in runs))
    finally:
        (os.killpg if stop == signal.SIGINT else os.kill)(first.pid, stop)
    try:
        shown = first.communicate(timeout=60)[1]  # ends when no process holds its end
    finally:
        with suppress(ProcessLookupError):
            os.killpg(first.pid, signal.SIGKILL)
    if stop == signal.SIGINT:
        assert 130 == first.returncode
        assert "bwalloc: interrupted; the same command goes on" == shown.strip()
    heard = [(run / "progress.jsonl").read_text() for run in runs]
    spent = max(json.loads((run / STATE).read_text())["seconds"] for run in runs)

    assert 0 == main([*line, str(spent / 60 + 0.02)])
    for run, before in zip(runs, heard, strict=True):
        now = (run / "progress.jsonl").read_text()
        assert now.startswith(before)
        assert len(now) > len(before)


def on_a_cluster(work, code, *line):
    """Run a script that hands its arguments to `main`; workers import the tasks of the tests."""
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    (work / "script.py").write_text(code)
    return subprocess.run(
        [sys.executable, "script.py", *line], cwd=work, env=environment, capture_output=True,
        text=True, timeout=600, check=False,
    )  # fmt: skip


RUN = """
import sys
import spread_tasks
from bwalloc.cli import main
from bwalloc.learn import search, sweep

if __name__ == "__main__":
    sweep.run_member, search.run_trial = spread_tasks.member, spread_tasks.trial
    sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_a_sweep_runs_on_a_cluster_of_this_machine(work, backend):
    pytest.importorskip(backend, reason=f"{backend} comes with bwalloc[cluster]")
    line = ["sweep", "tiny-edge", "--recipe", "r.toml", "--out", "out", "--backend", backend]
    done = on_a_cluster(work, RUN, *line, "--seeds", "2", "--jobs", "2")
    found = json.loads((work / "out" / "sweep.json").read_text())

    assert 0 == done.returncode, done.stderr
    assert ["finished", "finished"] == [row["status"] for row in found["members"]]
    assert [backend] * 2 == [(work / f"out/seed-{n}/inside").read_text() for n in (0, 1)]


@pytest.mark.slow
def test_a_search_runs_on_ray(work):
    pytest.importorskip("ray", reason="ray comes with bwalloc[cluster]")
    line = ["search", "tiny-edge", "--recipe", "r.toml", "--space", "space.toml", "--out", "out"]
    done = on_a_cluster(work, RUN, *line, "--trials", "3", "--jobs", "2", "--backend", "ray")
    found = json.loads((work / "out" / "search.json").read_text())
    drawn = {row["changes"]["apg.learning_rate"] for row in found["trials"]}

    assert 0 == done.returncode, done.stderr
    assert (3, ["finished"] * 3) == (len(drawn), [row["status"] for row in found["trials"]])
    assert {"ray"} == {path.read_text() for path in (work / "out").glob("inside-*")}


AT_AN_ADDRESS = """
import sys
import spread_tasks
from distributed import LocalCluster
from bwalloc.cli import main
from bwalloc.learn import sweep

if __name__ == "__main__":
    sweep.run_member = spread_tasks.member
    options = {"dashboard_address": None, "n_workers": 2}
    with LocalCluster(threads_per_worker=2, **options) as cluster:
        assert 2 == main([*sys.argv[1:], "--address", cluster.scheduler_address])
    with LocalCluster(threads_per_worker=1, **options) as cluster:
        sys.exit(main([*sys.argv[1:], "--address", cluster.scheduler_address]))
"""


@pytest.mark.slow
def test_a_dask_scheduler_is_found_at_its_address_and_threads_are_refused(work):
    pytest.importorskip("distributed", reason="dask comes with bwalloc[cluster]")
    line = ["sweep", "tiny-edge", "--recipe", "r.toml", "--out", "out", "--backend", "dask"]
    done = on_a_cluster(work, AT_AN_ADDRESS, *line, "--seeds", "2")

    assert 0 == done.returncode, done.stderr
    assert "has 2 threads; a run needs a process of its own" in done.stderr
    assert ["dask"] * 2 == [(work / f"out/seed-{n}/inside").read_text() for n in (0, 1)]


def test_a_dataset_that_is_a_folder_is_named_in_full(tmp_path, monkeypatch):
    """Workers run elsewhere, as with an environment that is a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    text = 'schema = 1\nenv = "tiny-edge"\nalgorithm = "bc"\n[bc]\ndataset = "{}"\n'
    for name, found in {"data": str(tmp_path / "data"), "tiny/x-v0": "tiny/x-v0"}.items():
        (tmp_path / "r.toml").write_text(text.format(name))
        recipe = Runs(recipe=tmp_path / "r.toml").chosen("tiny-edge", "test")

        assert recipe.bc.dataset == found
