"""A run that was killed goes on, wherever it was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")

from bwalloc import files
from bwalloc.errors import RecipeError
from bwalloc.learn import run as run_module
from bwalloc.learn.recipe import read_recipe, recipe_from
from bwalloc.learn.run import BEST, CHECKPOINT, PROGRESS, STATE, Origin, RunFolder, policy_of_run
from bwalloc.learn.train import train
from bwalloc.tensors import tensors_from_bytes

UPDATE = 20
"""Intervals of an update: 4 episodes, 5 intervals."""
NEVER = 10**9
ORIGIN = Origin("bwalloc train", "here", None, {})


def recipe(**changes):
    table = {
        "env": "tiny-edge",
        "steps": 3 * UPDATE,
        "network": {"hidden": 4},
        "validation": {"episodes": 1, "every_steps": UPDATE},
        "apg": {"batch": 4, "learning_rate": 0.3},
    }
    return recipe_from({**table, **changes}, "test")


class Killed(BaseException):
    pass


def killed_at(monkeypatch, number):
    """Writing the file of that number ends the run; returns the files written until then."""
    written = []

    def write(path, data):
        if len(written) == number:
            raise Killed
        files.write_atomically(path, data)
        written.append(path.name)

    monkeypatch.setattr(run_module, "write_atomically", write)
    return written


def steps_of(folder):
    return [json.loads(line)["steps"] for line in (folder / PROGRESS).read_text().splitlines()]


@pytest.mark.slow
def test_a_run_killed_at_any_write_goes_on_to_its_end(tmp_path, monkeypatch):
    written = killed_at(monkeypatch, NEVER)
    train(recipe(), tmp_path / "whole")
    assert {"recipe.toml", "origin.json", BEST, PROGRESS, CHECKPOINT, STATE} == set(written)
    for number, name in enumerate(list(written)):
        folder, at = tmp_path / str(number), f"{number}, {name}"
        killed_at(monkeypatch, number)
        with pytest.raises(Killed):
            train(recipe(), folder)
        killed_at(monkeypatch, NEVER)
        train(recipe(), folder)
        heard = steps_of(folder)
        kept = tensors_from_bytes((folder / CHECKPOINT).read_bytes(), "here")

        assert sorted(heard) == heard, at
        assert {UPDATE, 2 * UPDATE, 3 * UPDATE} <= set(heard), at
        assert 3 * UPDATE == kept["steps"] == json.loads((folder / STATE).read_text())["steps"], at
        assert 3 == kept["averaged/weights/n_averaged"], at


@pytest.mark.slow
def test_steps_and_weights_of_a_checkpoint_belong_together(tmp_path, monkeypatch):
    written = killed_at(monkeypatch, 11)
    with pytest.raises(Killed):
        train(recipe(), tmp_path)
    assert [CHECKPOINT, STATE, CHECKPOINT] == [n for n in written if n in (CHECKPOINT, STATE)]
    monkeypatch.undo()
    told = []
    train(recipe(), tmp_path, listener=told.append)

    assert [3 * UPDATE] == [tell.steps for tell in told]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_the_same_command_goes_on_after_a_kill(tmp_path):
    from bwalloc.cli import main

    (tmp_path / "r.toml").write_text(
        'schema = 1\nenv = "tiny-edge"\nsteps = 1_000_000\n[network]\nhidden = 4\n'
        "[validation]\nepisodes = 1\nevery_steps = 40\npatience = 0\n[apg]\nbatch = 4\n"
    )
    out = tmp_path / "run"
    line = ["train", "tiny-edge", "--recipe", str(tmp_path / "r.toml"), "--out", str(out)]
    code = "import sys; from bwalloc.cli import main; sys.exit(main(sys.argv[1:]))"
    first = subprocess.Popen([sys.executable, "-c", code, *line], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 120
        while not (out / STATE).exists() and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    before = steps_of(out)
    state = json.loads((out / STATE).read_text())
    weights = policy_of_run(out, {})[0].weights

    assert not main([*line, "--minutes", str(state["seconds"] / 60 + 0.02)])
    after = steps_of(out)
    assert before == after[: len(before)]
    assert after[-1] > before[-1] >= state["steps"] >= 40
    assert all(np.isfinite(value).all() for value in weights.values())


def test_a_folder_with_another_recipe_is_refused_and_says_what_differs(tmp_path):
    RunFolder(tmp_path, recipe()).begin(ORIGIN)
    changed = recipe(apg={"batch": 5, "learning_rate": 0.3})

    with pytest.raises(RecipeError, match=r"another recipe \(apg\.batch: 4, now 5\)"):
        RunFolder(tmp_path, changed)


def test_sections_that_the_algorithm_does_not_read_make_no_other_recipe(tmp_path):
    same = recipe(ppo={"n_steps": 7}, source="a paper")
    RunFolder(tmp_path, same).begin(ORIGIN)
    RunFolder(tmp_path, same)

    assert recipe() == read_recipe(tmp_path / "recipe.toml")
