"""Recipes: what a run follows from, as a file and back."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")

from bwalloc.errors import RecipeError
from bwalloc.learn.recipe import ALGORITHMS, read_recipe, recipe_from, recipe_toml
from bwalloc.scenario import draw_world, load_scenario

VARIED = {"env": "tiny-edge", "variety": [{"name": "plain"}, {"name": "up", "demand_factor": 2.0}]}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_recipe_goes_to_a_file_and_back(tmp_path, algorithm):
    table = {"env": "tiny-edge", "algorithm": algorithm, "seed": 3, "network": {"history": False}}
    recipe = recipe_from({**table, algorithm: {"learning_rate": 1e-5}}, "test")
    (tmp_path / "recipe.toml").write_text(recipe_toml(recipe))

    assert recipe == read_recipe(tmp_path / "recipe.toml")


def test_paths_may_hold_quotes_and_backslashes(tmp_path):
    recipe = recipe_from({"env": 'C:\\nets\\"mine".toml'}, "test")
    (tmp_path / "recipe.toml").write_text(recipe_toml(recipe))

    assert recipe == read_recipe(tmp_path / "recipe.toml")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"algorithm": "pop"}, "algorithm"),
        ({"apg": {"bach": 3}}, "Nearest key: 'batch'"),
        ({"apg": {"cut": 0}}, r"apg\.cut"),
        ({"network": {"rounds": 1.5}}, r"network\.rounds"),
        ({"steps": "many"}, "steps"),
    ],
)
def test_a_broken_recipe_names_the_key(change, text):
    with pytest.raises(RecipeError, match=text):
        recipe_from({"env": "tiny-edge", **change}, "test")


@pytest.mark.parametrize("data", [b"env = ", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(tmp_path, data):
    (tmp_path / "r.toml").write_bytes(data)
    with pytest.raises(RecipeError, match=r"r\.toml: cannot be read as a recipe"):
        read_recipe(tmp_path / "r.toml")


def test_training_episodes_have_the_variety_of_the_recipe_in_turn():
    scenario = load_scenario("tiny-edge", {"time.intervals": 40})
    varied = recipe_from(VARIED, "recipe").varied(scenario)
    drawn = [
        [draw_world(each, split, seed).arrivals_gbit.sum() for each in (scenario, varied)]
        for split, seed in (("train", 0), ("train", 1), ("validation", 1))
    ]

    assert [True, False, True] == [plain == other for plain, other in drawn]


def test_a_recipe_with_variety_is_written_and_read_again(tmp_path):
    recipe = recipe_from(VARIED, "recipe")
    (tmp_path / "recipe.toml").write_text(recipe_toml(recipe), encoding="utf-8")

    assert recipe == read_recipe(tmp_path / "recipe.toml")


def test_a_misspelt_key_of_variety_is_named():
    with pytest.raises(RecipeError, match=r"variety\.0\.day_level.*day_level_sd"):
        recipe_from({"env": "tiny-edge", "variety": [{"name": "x", "day_level": 1.0}]}, "recipe")


OWN = {
    "env": "tiny-edge",
    "constants": {"two-bar": {"lead": 0.9}, "forecast": {"mix.inference": 0.5}},
}


def test_constants_of_the_policy_stand_over_those_of_its_environment():
    scenario = load_scenario("tiny-edge")
    tuned = recipe_from(OWN, "recipe").tuned(scenario)

    assert 0.9 == tuned["two-bar"]["lead"]
    assert {**scenario.tuned["forecast"], "mix.inference": 0.5} == tuned["forecast"]
    assert scenario.tuned["static"] == tuned["static"]
    assert scenario.tuned == recipe_from({"env": "tiny-edge"}, "recipe").tuned(scenario)


def test_constants_are_written_and_read_again(tmp_path):
    recipe = recipe_from(OWN, "recipe")
    (tmp_path / "recipe.toml").write_text(recipe_toml(recipe), encoding="utf-8")

    assert recipe == read_recipe(tmp_path / "recipe.toml")
    assert "constants" not in recipe_toml(recipe_from({"env": "tiny-edge"}, "recipe"))


@pytest.mark.parametrize(
    ("constants", "text"),
    [
        ({"two-bar": {"led": 0.9}}, r"recipe, constants\.two-bar\.led: .*'lead'"),
        ({"two-bra": {"lead": 0.9}}, r"two-bra.*'two-bar'"),
        ({"stochastic-lp": {"alpha": 0.1}}, r"constants.*stochastic-lp"),
        ({"two-bar": {"lead": "0.9"}}, r"constants.*lead"),
        ({"two-bar": {"lead": 1.9}}, r"got 1\.9, must be 0 to 1"),
    ],
)
def test_a_constant_that_there_is_not_is_named(constants, text):
    with pytest.raises(RecipeError, match=text):
        recipe_from({"env": "tiny-edge", "constants": constants}, "recipe")
