"""A run folder: what is written when, and how long a run is waited for."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")

import numpy as np
from tiny_recipes import UPDATE, tiny

from bwalloc.errors import BwallocError, RecipeError
from bwalloc.learn import train as train_module
from bwalloc.learn.run import PROGRESS, RECIPE, Origin, RunFolder
from bwalloc.learn.sweep_member import standing
from bwalloc.learn.train import train
from bwalloc.learn.validation import Score

ORIGIN = Origin("bwalloc train", "here", None, {})


def worse_and_worse(*_, **__):
    """Instead of validation: every policy earns less than the one before."""
    money = iter(range(100))

    def judge(_):
        now = -float(next(money))
        return Score(now, now, 0.0)

    return judge


def patient(patience, first):
    validation = {"episodes": 1, "every_steps": UPDATE, "patience": patience}
    apg = {"batch": 4, "rates_first": first}
    return tiny(steps=10 * UPDATE, validation=validation, apg=apg)


def test_a_run_out_of_patience_with_rates_goes_on_to_orders(tmp_path, monkeypatch):
    monkeypatch.setattr(train_module.Validation, "of", worse_and_worse)
    recipe = patient(2, first=0.5)
    folder = train(recipe, tmp_path)

    assert [UPDATE * part for part in range(8)] == [point.steps for point in folder.points]
    assert 0 == folder.best.steps
    assert "finished" == standing(tmp_path, recipe, None).status


@pytest.mark.parametrize(
    ("patience", "first", "money", "is_out"),
    [
        (2, 0.0, [1, 0, 0], True),
        (2, 0.0, [1, 0], False),
        (2, 0.0, [0, 1, 0], False),
        (0, 0.0, [1, 0, 0, 0, 0], False),
        (2, 0.2, [9, 0, 0, 0], False),
        (2, 0.2, [9, 0, 2, 1, 0], True),
        (2, 0.2, [9, 0, 0, 1, 2], False),
        (2, 1.0, [9, 0, 0, 0, 0], False),
        (2, 0.5, [], False),
    ],
)
def test_patience_counts_within_the_part_that_orders(tmp_path, patience, first, money, is_out):
    folder = RunFolder(tmp_path, patient(patience, first))
    for part, usd in enumerate(money):
        folder.report(part * UPDATE, 0.5 + part, None, Score(usd, usd, 0.0))

    assert is_out == folder.is_out_of_patience(None)


def test_the_part_ends_by_the_clock_where_that_is_sooner(tmp_path):
    folder = RunFolder(tmp_path, patient(2, first=0.5))
    for part in range(3):
        folder.report(part * UPDATE, 60.0 + part, None, Score(-part, -part, 0.0))

    assert not folder.is_out_of_patience(None)
    assert not folder.is_out_of_patience(10.0)
    assert folder.is_out_of_patience(2.0)


def test_other_algorithms_have_one_part():
    assert 0.0 == tiny(algorithm="ppo", apg={"rates_first": 0.5}).rates_first


@pytest.mark.parametrize(
    ("recipe", "init", "words"),
    [
        (tiny(env="tiny-egde"), None, "Nearest: 'tiny-edge'"),
        (tiny(apg={"batch": 4, "cut": 9999}), None, r"apg\.cut: got 9999"),
        (tiny(), {"span.out.weight": np.zeros(1)}, "--init"),
        (tiny(algorithm="bc", bc={"dataset": "nowhere/x-v0"}), None, r"bc\.dataset|Minari"),
    ],
)
def test_a_run_that_is_refused_leaves_nothing(tmp_path, recipe, init, words):
    with pytest.raises(BwallocError, match=words):
        train(recipe, tmp_path / "run", init=init)

    assert not (tmp_path / "run").exists()


def test_a_run_that_is_refused_changes_nothing_of_the_one_that_is_there(tmp_path):
    RunFolder(tmp_path, tiny()).begin(ORIGIN)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(RecipeError, match="another recipe"):
        train(tiny(seed=1), tmp_path)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_looking_at_a_folder_makes_none(tmp_path):
    assert [] == RunFolder(tmp_path / "run", tiny()).points
    assert not (tmp_path / "run").exists()


def test_what_another_process_began_meanwhile_is_seen(tmp_path):
    mine = RunFolder(tmp_path, tiny())
    theirs = RunFolder(tmp_path, tiny())
    theirs.begin(ORIGIN)
    theirs.report(UPDATE, 1.0, None, Score(1.0, 1.0, 0.0))
    mine.begin(ORIGIN)
    other = RunFolder(tmp_path / "other", tiny(seed=1))
    RunFolder(tmp_path / "other", tiny()).begin(ORIGIN)

    assert [UPDATE] == [point.steps for point in mine.points]
    with pytest.raises(RecipeError, match="another recipe"):
        other.begin(ORIGIN)
    assert tiny().seed == RunFolder(tmp_path / "other", tiny()).recipe.seed
    assert {RECIPE, "origin.json", PROGRESS} <= {path.name for path in tmp_path.iterdir()}
