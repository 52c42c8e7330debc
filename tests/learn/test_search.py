"""Search: its space, its trials, what is stopped early, and what goes on after a kill."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
pytest.importorskip("optuna", reason="optuna comes with bwalloc[tune]")

from tiny_recipes import UPDATE, Killed, killed_after, times, tiny

from bwalloc.errors import RecipeError
from bwalloc.learn import train as train_module
from bwalloc.learn.recipe import ALGORITHMS, flat, read_recipe
from bwalloc.learn.run import PROGRESS, Point, RunFolder
from bwalloc.learn.search import BEST_RECIPE, SEARCH, Search, mend, search
from bwalloc.learn.search_space import Choices, Range, read_space
from bwalloc.learn.search_trial import JOURNAL, curve
from bwalloc.learn.search_usual import usual_space
from bwalloc.learn.sweep_backends import Spread
from bwalloc.learn.sweep_grid import changed
from bwalloc.learn.train import Tell, train
from bwalloc.learn.validation import Score
from bwalloc.scenario import load_scenario

HERE = Spread(jobs=1)
SPACE = {"apg.learning_rate": Range(1e-3, 1e-1, log=True), "network.hidden": Choices((4, 8))}


def plan_of(out, trials, space=SPACE, **more):
    return Search(tiny(), space, out, trials, **more)


def read(out):
    return json.loads((out / SEARCH).read_text())


def space_of(tmp_path, text, recipe=None):
    (tmp_path / "space.toml").write_text(text)
    return read_space(tmp_path / "space.toml", recipe or tiny())


def test_a_space_is_laid_out_as_a_recipe(tmp_path):
    found = space_of(
        tmp_path,
        "[apg]\nlearning_rate = { low = 1e-4, high = 1e-2, log = true }\n"
        "cut = { low = 2, high = 8 }\ncritic = [true, false]\n[network]\nhidden = [4, 8]\n",
    )

    assert Range(1e-4, 1e-2, log=True) == found["apg.learning_rate"]
    assert Range(2, 8) == found["apg.cut"]
    assert isinstance(found["apg.cut"].low, int)
    assert Choices((True, False)) == found["apg.critic"]
    assert Choices((4, 8)) == found["network.hidden"]


def test_ends_of_a_share_may_be_whole_numbers(tmp_path):
    found = space_of(tmp_path, "[apg]\naverage = { low = 0, high = 1 }\n")

    assert isinstance(found["apg.average"].high, float)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[apg]\nlerning_rate = [1.0]\n", r"apg\.lerning_rate.*Nearest key: 'apg\.learning_rate'"),
        ("[agp]\ncut = [1]\n", r"agp\.cut.*Nearest key: 'apg\.cut'"),
        ("steps = [1]\n", r"steps: is no key that a search may change"),
        ("[validation]\nepisodes = [1, 2]\n", "is no key that a search may change"),
        ("[ppo]\ngamma = [0.9]\n", "is no key that a search may change"),
        ("[apg]\ncut = 5\n", r"apg\.cut: got 5, expected a range"),
        ("[apg]\ncut = []\n", "expected a list of values"),
        ("[apg]\ncut = [5, 5]\n", "holds a value twice"),
        ("[apg]\ncut = [5, 0]\n", r"apg\.cut: got 0"),
        ("[apg]\ncut = { low = 2, hihg = 8 }\n", "Nearest key: 'high'"),
        ("[apg]\ncut = { low = 2 }\n", "high: is missing"),
        ("[apg]\nbatch = { low = 8, high = inf }\n", "got inf, expected a finite number"),
        ("[apg]\ncut = { low = 8, high = 2 }\n", "expected low below high"),
        ("[apg]\ncut = { low = 1.5, high = 8 }\n", r"apg\.cut: got 1\.5"),
        ("[apg]\naverage = { low = 0, high = 1, log = true }\n", "begins above 0"),
        ("[apg]\naverage = { low = 0.5, high = 1.5 }\n", r"apg\.average: got 1\.5"),
        ("[apg]\ncritic = { low = 0, high = 1 }\n", "holds no numbers"),
        ("", "names no key"),
        ("[[[", "is no TOML"),
    ],
)
def test_a_wrong_space_names_file_key_and_remedy(tmp_path, text, words):
    with pytest.raises(RecipeError, match=words) as caught:
        space_of(tmp_path, text)

    assert "space.toml" in str(caught.value)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_usual_space_is_right_for_a_recipe_and_holds_it(algorithm):
    recipe = tiny(algorithm=algorithm)
    space = usual_space(recipe, load_scenario("tiny-edge"))
    held = flat(recipe)

    assert all(entry.holds(held[key]) for key, entry in space.items())
    assert algorithm != "apg" or "apg.cut" in space
    assert {f"{algorithm}.learning_rate", "network.hidden", "network.rounds"} <= set(space)
    for key, entry in space.items():
        ends = entry.values if isinstance(entry, Choices) else (entry.low, entry.high)
        assert all(changed(recipe, {key: end}, "test") for end in ends)
        assert entry.distribution()


def test_where_capacity_is_sold_gradients_reach_back_for_hours():
    scenario = load_scenario("enterprise-naas")
    cut = usual_space(tiny(), scenario)["apg.cut"]
    minutes = scenario.timing.interval_s / 60

    assert scenario.sizes.spans
    assert (120, 240) == pytest.approx((cut.low * minutes, cut.high * minutes), abs=minutes)


def test_trials_are_drawn_trained_and_the_best_is_a_recipe(tmp_path):
    search(plan_of(tmp_path, 3), HERE)
    found = read(tmp_path)
    drawn = [row["changes"] for row in found["trials"]]
    gains = {row["folder"]: row["gain_usd_per_h"] for row in found["trials"]}
    best = read_recipe(tmp_path / BEST_RECIPE)

    assert ["finished"] * 3 == [row["status"] for row in found["trials"]]
    assert {"apg.learning_rate": 3e-3, "network.hidden": 4} == drawn[0], "the recipe comes first"
    assert 3 == len({row["apg.learning_rate"] for row in drawn})
    assert max(gains, key=gains.get) == found["best"]
    assert best == read_recipe(tmp_path / found["best"] / "recipe.toml")
    assert {"low": 1e-3, "high": 1e-1, "log": True} == found["space"]["apg.learning_rate"]


def test_the_same_search_runs_nothing_again_and_more_trials_go_on(tmp_path):
    search(plan_of(tmp_path, 1), HERE)
    before = times(tmp_path / "trial-0000")
    search(plan_of(tmp_path, 1), HERE)
    search(plan_of(tmp_path, 2), HERE)

    assert before == times(tmp_path / "trial-0000")
    assert ["trial-0000", "trial-0001"] == [row["folder"] for row in read(tmp_path)["trials"]]


def test_a_killed_trial_goes_on_in_its_folder_with_what_it_drew(tmp_path, monkeypatch):
    def killed(*arguments, listener, **options):
        return train(*arguments, listener=killed_after(1), **options)

    monkeypatch.setattr(train_module, "train", killed)
    with pytest.raises(Killed):
        search(plan_of(tmp_path, 2), HERE)
    heard = (tmp_path / "trial-0000" / PROGRESS).read_text()
    monkeypatch.undo()
    search(plan_of(tmp_path, 2), HERE)
    rows = read(tmp_path)["trials"]

    assert (tmp_path / "trial-0000" / PROGRESS).read_text().startswith(heard)
    assert "trial-0000" == rows[0]["folder"]
    assert ["finished", "finished"] == [row["status"] for row in rows]
    assert {"apg.learning_rate": 3e-3, "network.hidden": 4} == rows[0]["changes"]
    assert 2 * UPDATE == rows[0]["steps"]


def test_ctrl_c_keeps_the_trials_that_are_over(tmp_path, monkeypatch):
    def stopped(recipe, out, **options):
        if out.name == "trial-0001":
            raise KeyboardInterrupt
        return train(recipe, out, **options)

    monkeypatch.setattr(train_module, "train", stopped)
    result = search(plan_of(tmp_path, 3), HERE)

    assert result.interrupted
    assert ["finished", "stopped"] == [row["status"] for row in read(tmp_path)["trials"]]
    assert (tmp_path / BEST_RECIPE).exists()


def imagined(earns):
    """Instead of training: five validations, the money of each as `earns` says of the recipe."""

    def run(recipe, out, *, listener, minutes=None, **_):
        folder = RunFolder(out, recipe)
        for part in range(1, 6):
            steps, money = part * recipe.steps // 5, earns(recipe) * part
            point = folder.report(steps, 1.0 * part, None, Score(money, money, 0.0))
            listener(Tell(part / 5, steps, 1.0 * part, None, point))
        return folder

    return run


def test_a_trial_that_is_behind_is_stopped_before_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(train_module, "train", imagined(lambda recipe: recipe.apg.learning_rate))
    search(plan_of(tmp_path, 20), HERE)
    rows = read(tmp_path)["trials"]
    pruned = [row for row in rows if row["status"] == "pruned"]
    best = max(rows, key=lambda row: row["changes"]["apg.learning_rate"])

    assert {"finished", "pruned"} == {row["status"] for row in rows}
    assert all(len((tmp_path / row["folder"] / PROGRESS).read_text().splitlines()) < 5
               for row in pruned)  # fmt: skip
    assert ["finished"] * 5 == [row["status"] for row in rows[:5]]
    assert best["folder"] == read(tmp_path)["best"]


def test_a_trial_that_fails_is_said_and_tried_again_by_the_next_command(tmp_path, monkeypatch):
    def broken(*_, **__):
        msg = "no money"
        raise ArithmeticError(msg)

    monkeypatch.setattr(train_module, "train", broken)
    search(plan_of(tmp_path, 2), HERE)
    rows = read(tmp_path)["trials"]
    assert ["ArithmeticError: no money"] * 2 == [row["error"] for row in rows]
    assert not (tmp_path / BEST_RECIPE).exists()

    monkeypatch.setattr(train_module, "train", imagined(lambda _: 1.0))
    search(plan_of(tmp_path, 2), HERE)
    again = read(tmp_path)["trials"]
    assert ["finished", "finished"] == [row["status"] for row in again]
    assert [row["changes"] for row in rows] == [row["changes"] for row in again]
    assert [None, None] == [row["error"] for row in again]


def test_money_that_is_none_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(train_module, "train", imagined(lambda _: float("nan")))
    result = search(plan_of(tmp_path, 1), HERE)

    assert "no finite amount" in result.trials[0].error


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"space": {"apg.cut": Range(2, 8)}}, "space of apg"),
        ({"minutes": 1.0}, "minutes: None, now 1.0"),
    ],
)
def test_a_folder_of_another_search_is_refused(tmp_path, monkeypatch, more, words):
    monkeypatch.setattr(train_module, "train", imagined(lambda _: 1.0))
    search(plan_of(tmp_path, 1), HERE)

    with pytest.raises(RecipeError, match=words):
        search(plan_of(tmp_path, 1, **more), HERE)


def test_the_same_seed_draws_the_same_and_another_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(train_module, "train", imagined(lambda _: 1.0))
    drawn = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        search(plan_of(tmp_path / name, 4, seed=seed), HERE)
        drawn.append(
            [row["changes"]["apg.learning_rate"] for row in read(tmp_path / name)["trials"]]
        )

    assert drawn[0] == drawn[1] != drawn[2]


def test_a_line_that_a_kill_cut_is_dropped_from_the_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(train_module, "train", imagined(lambda _: 1.0))
    search(plan_of(tmp_path, 1), HERE)
    whole = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole + b'{"op_code":4,"wor')
    mend(tmp_path / JOURNAL)

    assert whole == (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole + b'{"op_code":4,"wor')
    assert 2 == len(search(plan_of(tmp_path, 2), HERE).trials)


def test_curves_are_the_best_so_far_at_equal_shares_of_a_run():
    points = [Point(0, 0.0, None, 0.0, -1.0, 0.0), Point(20, 3.0, None, 0.0, 2.0, 0.0),
              Point(30, 30.0, None, 0.0, 1.0, 0.0)]  # fmt: skip
    by_steps = curve(points, tiny(), None, 0.8)
    by_time = curve(points, tiny(), 1.0, 0.5)

    assert 16 == len(by_steps)
    assert [-1.0] * 9 == [by_steps[part] for part in range(1, 10)]
    assert [2.0] * 7 == [by_steps[part] for part in range(10, 17)]
    assert -1.0 == by_time[1]
    assert {} == curve(points[1:], tiny(), None, 0.4)
