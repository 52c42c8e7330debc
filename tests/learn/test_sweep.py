"""Sweeps: which members, what is done already, what fails, what is said of them."""

from __future__ import annotations

import json
import time

import pytest

pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
pytest.importorskip("joblib", reason="joblib comes with bwalloc[tune]")

from tiny_recipes import UPDATE, Killed, killed_after, times, tiny

from bwalloc.errors import BwallocError, RecipeError, UnknownNameError
from bwalloc.learn import sweep as sweep_module
from bwalloc.learn.run import PROGRESS, STATE, Origin, Point, RunFolder
from bwalloc.learn.sweep import SWEEP, Sweep, sweep
from bwalloc.learn.sweep_backends import ATTEMPTS, Spread, run_everywhere
from bwalloc.learn.sweep_grid import members_of, seeds_of, settings_of
from bwalloc.learn.sweep_member import ERROR, Work, note_error, run_member, standing
from bwalloc.learn.sweep_scores import mean_over_seeds, student
from bwalloc.learn.sweep_watch import watching
from bwalloc.learn.train import train

HERE = Spread(jobs=1)
ORIGIN = Origin("bwalloc sweep", "here", None, {})


def plan_of(out, seeds=(0,), **settings):
    keys = {key.replace("__", "."): values for key, values in settings.items()}
    return Sweep(members_of(tiny(), list(seeds), keys), out)


def read(out):
    return json.loads((out / SWEEP).read_text())


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", [0, 1, 2]), ("0,3,7", [0, 3, 7]), ("7,", [7]), (" 4 , 2 ", [4, 2])]
)
def test_seeds_are_a_number_or_a_list(text, seeds):
    assert seeds == seeds_of(text)


@pytest.mark.parametrize("text", ["", ",", "-1", "0", "x", "1,x", "1.5", "3,3", "99999999999"])
def test_seeds_that_are_none_are_refused(text):
    with pytest.raises(BwallocError, match="--seeds"):
        seeds_of(text)


def test_values_are_read_as_in_a_recipe():
    found = settings_of(["apg.cut=5, 10", "apg.learning_rate=1e-3", "apg.critic=true,false"])

    assert [5, 10] == found["apg.cut"]
    assert [0.001] == found["apg.learning_rate"]
    assert [True, False] == found["apg.critic"]
    assert {"algorithm": ["apg", "ppo"]} == settings_of(["algorithm=apg,ppo"])


@pytest.mark.parametrize("texts", [["apg.cut"], ["=5"], ["apg.cut="], ["apg.cut=1", "apg.cut=2"]])
def test_a_setting_without_key_or_value_or_said_twice_is_refused(texts):
    with pytest.raises(BwallocError, match="--set"):
        settings_of(texts)


def test_members_are_named_by_what_differs_whatever_the_order():
    settings = {"network.hidden": [4, 8], "apg.learning_rate": [1e-3]}
    members = members_of(tiny(), [0, 3], settings)
    turned = members_of(tiny(), [0, 3], dict(reversed(settings.items())))

    assert "apg.learning_rate=0.001,network.hidden=4/seed-3" == members[1].folder
    assert {each.folder for each in members} == {each.folder for each in turned}
    assert (8, 0.001, 3) == (
        members[3].recipe.network.hidden,
        members[3].recipe.apg.learning_rate,
        members[3].recipe.seed,
    )
    assert ["seed-0"] == [each.folder for each in members_of(tiny(), [0], {})]


def test_a_text_becomes_a_folder_of_its_own():
    (member,) = members_of(tiny(algorithm="bc"), [0], {"bc.dataset": ["../a/b"]})

    assert "bc.dataset=..~a~b/seed-0" == member.folder


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"apg.lerning_rate": [1.0]}, r"Nearest: 'apg\.learning_rate'"),
        ({"agp.cut": [1]}, r"Nearest: 'apg\.cut'"),
        ({"steps.x": [1]}, "No recipe key"),
        ({"ppo.n_steps": [8]}, r"ppo\.n_steps: is not read by the algorithm apg"),
        ({"seed": [1]}, "seed: is said by the command itself"),
        ({"apg.cut": [0]}, r"--set apg\.cut=0, apg\.cut: got 0"),
        ({"apg.cut": ["many"]}, r"apg\.cut: got 'many'"),
        ({"apg.learning_rate": [1e-3, 0.001]}, "asked for twice"),
    ],
)
def test_wrong_settings_name_key_value_and_remedy(settings, text):
    with pytest.raises((RecipeError, UnknownNameError, BwallocError), match=text):
        members_of(tiny(), [0], settings)


def test_the_algorithm_may_differ():
    members = members_of(tiny(), [0], {"algorithm": ["apg", "sac"]})

    assert ["algorithm=apg/seed-0", "algorithm=sac/seed-0"] == [each.folder for each in members]


def test_finished_members_are_left_alone_and_stopped_ones_gone_on_with(tmp_path):
    plan = plan_of(tmp_path, seeds=(0, 1))
    first, second = (plan.place(member) for member in plan.members)
    train(plan.members[0].recipe, first)
    with pytest.raises(Killed):
        train(plan.members[1].recipe, second, listener=killed_after(1))
    before, heard = times(first), (second / PROGRESS).read_text()
    assert ["finished", "stopped"] == [at.status for at in plan.standings()]

    result = sweep(plan, HERE)

    assert ["finished", "finished"] == [at.status for at in result.standings]
    assert before == times(first)
    assert (second / PROGRESS).read_text().startswith(heard)
    assert 2 * UPDATE == json.loads((second / STATE).read_text())["steps"]
    everything = times(tmp_path / "seed-1") | times(first)
    sweep(plan, HERE)
    assert everything == times(tmp_path / "seed-1") | times(first)


def test_a_member_that_fails_does_not_stop_the_others_and_is_tried_again(tmp_path):
    plan = plan_of(tmp_path, apg__cut=[9999, 5])
    result = sweep(plan, HERE)
    found = read(tmp_path)

    assert ["failed", "finished"] == [at.status for at in result.standings]
    assert "apg.cut: got 9999, an episode of tiny-edge has 120." == found["members"][0]["error"]
    assert "Traceback" in (tmp_path / "apg.cut=9999" / "seed-0" / ERROR).read_text()
    assert found["members"][1]["error"] is None
    assert "apg.cut=5/seed-0" == found["best"]
    (tmp_path / "apg.cut=9999" / "seed-0" / ERROR).write_text("cured\n")
    assert "9999" in sweep(plan, HERE).standings[0].error


def test_the_file_says_what_differs_and_what_it_earned(tmp_path):
    plan = plan_of(tmp_path, seeds=(0, 1), apg__learning_rate=[0.3])
    sweep(plan, HERE)
    found = read(tmp_path)
    (setting,) = found["settings"]
    gains = [
        max(point.gain_usd_per_h for point in RunFolder(plan.place(each), each.recipe).points)
        for each in plan.members
    ]

    assert (1, "tiny-edge", False) == (found["schema"], found["env"], found["interrupted"])
    assert {"apg.learning_rate": 0.3} == setting["changes"] == found["members"][1]["changes"]
    assert 2 == setting["finished"]
    assert sum(gains) / 2 == pytest.approx(setting["gain_usd_per_h"]["mean"])
    assert setting["gain_usd_per_h"]["lo"] <= min(gains) <= setting["gain_usd_per_h"]["hi"]
    assert plan.members[gains.index(max(gains))].folder == found["best"]
    assert [0, 1] == [row["seed"] for row in found["members"]]
    assert all(row["seconds"] > 0 and row["best"]["steps"] >= 0 for row in found["members"])


def test_a_folder_of_another_recipe_is_refused_before_anything_runs(tmp_path, monkeypatch):
    RunFolder(tmp_path / "seed-1", tiny(seed=1, steps=1000)).begin(ORIGIN)
    monkeypatch.setattr(sweep_module, "run_everywhere", lambda *_: pytest.fail("ran"))

    with pytest.raises(RecipeError, match="another recipe"):
        sweep(plan_of(tmp_path, seeds=(0, 1)), HERE)


def test_ctrl_c_keeps_what_was_finished(tmp_path, monkeypatch):
    def run(work):
        if work.recipe.seed == 1:
            raise KeyboardInterrupt
        run_member(work)

    monkeypatch.setattr(sweep_module, "run_member", run)
    result = sweep(plan_of(tmp_path, seeds=(0, 1)), HERE)

    assert result.interrupted
    assert ["finished", "planned"] == [row["status"] for row in read(tmp_path)["members"]]
    assert read(tmp_path)["interrupted"]


def test_a_machine_that_does_not_see_the_folder_ends_the_sweep(tmp_path):
    work = Work(tmp_path / "seed-0", tiny(), tmp_path / "elsewhere" / SWEEP)

    with pytest.raises(BwallocError, match="does not see this folder"):
        run_everywhere(run_member, lambda: [work], HERE)


class Folder:
    """A run folder without a run."""

    def __init__(self, path):
        self.path, self.recipe = path, tiny(validation={"episodes": 1, "patience": 2})
        RunFolder(path, self.recipe).begin(ORIGIN)

    def stands(self, *gains, steps=0, seconds=1.0, minutes=None):
        points = [Point(UPDATE * n, n, None, gain, gain, 0.0) for n, gain in enumerate(gains)]
        lines = (json.dumps({key: getattr(each, key) for key in each.__slots__}) for each in points)
        (self.path / PROGRESS).write_text("\n".join(lines))
        (self.path / STATE).write_text(json.dumps({"steps": steps, "seconds": seconds}))
        return standing(self.path, self.recipe, minutes)


def test_a_run_is_over_by_steps_time_or_patience(tmp_path):
    folder = Folder(tmp_path)

    assert "stopped" == folder.stands(0.0, 1.0, steps=UPDATE).status
    assert "finished" == folder.stands(0.0, 1.0, 2.0, steps=2 * UPDATE).status
    assert "stopped" == folder.stands(0.0, 1.0, steps=2 * UPDATE).status, "not validated yet"
    assert "finished" == folder.stands(2.0, 1.0, 0.0, steps=UPDATE).status
    assert "finished" == folder.stands(0.0, 1.0, steps=UPDATE, seconds=60.0, minutes=1.0).status
    assert "stopped" == folder.stands(0.0, 1.0, steps=UPDATE, seconds=59.0, minutes=1.0).status
    assert 0.5 == folder.stands(0.0, steps=UPDATE).share
    assert 1.0 == folder.stands(0.0, 1.0, steps=UPDATE).best.gain_usd_per_h


def test_an_error_is_kept_in_one_line_with_its_trace(tmp_path):
    assert "KeyError: 'a b'" == note_error(tmp_path, KeyError("a b"))
    assert "one two" == note_error(tmp_path, BwallocError("one\ntwo"))
    assert ("failed", "one two") == (
        standing(tmp_path, tiny(), None).status,
        standing(tmp_path, tiny(), None).error,
    )


@pytest.mark.parametrize("freedom", [1, 2, 9, 10, 11, 15, 40, 1000])
def test_quantiles_of_student(freedom):
    scipy = pytest.importorskip("scipy.stats", reason="scipy comes with the test group")

    assert scipy.t.ppf(0.975, freedom) == pytest.approx(student(freedom), rel=1e-4)


def test_interval_over_seeds_is_that_of_student():
    found = mean_over_seeds([1.0, 2.0, 3.0])

    assert (2.0, 2.0 - 4.3027 / 3**0.5) == pytest.approx((found.mean, found.lo))
    assert found.hi - found.mean == pytest.approx(found.mean - found.lo)
    assert (5.0, None) == (mean_over_seeds([5.0]).mean, mean_over_seeds([5.0]).lo)
    with pytest.raises(ValueError, match="at least one seed"):
        mean_over_seeds([])


@pytest.mark.parametrize("half", [STATE, PROGRESS, "recipe.toml"])
def test_watching_looks_until_the_end_and_outlives_half_a_file(tmp_path, half):
    seen, folder = [], Folder(tmp_path)
    folder.stands(0.0, 1.0)
    text = (tmp_path / half).read_text()
    (tmp_path / half).write_text(text[: len(text) - 9])

    def look():
        seen.append(1)
        standing(tmp_path, folder.recipe, None)

    outlives(look, seen)


def test_watching_outlives_a_folder_out_of_reach():
    seen = []

    def look():
        seen.append(1)
        raise OSError

    outlives(look, seen)


def outlives(look, seen):
    """Looking goes on after a look that failed, and is over where it shall be."""
    until = time.monotonic() + 30
    with watching(look, every_s=0.001):
        while len(seen) < 3 and time.monotonic() < until:
            time.sleep(0.001)
    count = len(seen)
    time.sleep(0.02)
    assert 3 <= count == len(seen)


def test_nothing_left_reaches_for_no_cluster():
    assert "" == run_everywhere(run_member, list, Spread("dask", 0, "127.0.0.1:1"))


@pytest.mark.slow
def test_a_process_that_is_killed_costs_the_sweep_nothing(tmp_path):
    import spread_tasks

    items = [tmp_path / str(number) for number in range(3)]
    for item in items[1:]:
        item.with_suffix(".seen").write_text("")

    def left():
        return [item for item in items if not item.exists()]

    assert "" == run_everywhere(spread_tasks.kill_once, left, Spread(jobs=2))
    assert [] == left()


@pytest.mark.slow
def test_processes_that_are_always_killed_are_given_up_and_said(tmp_path):
    import spread_tasks

    items = [tmp_path / "a", tmp_path / "b"]
    lost = run_everywhere(spread_tasks.kill_always, lambda: items, Spread(jobs=2))

    assert "TerminatedWorkerError" in lost
    assert ATTEMPTS <= len(list(tmp_path.iterdir())) <= 2 * ATTEMPTS
