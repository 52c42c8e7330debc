"""Recipes: what a run follows from, as a file and back."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")

from bwalloc.errors import RecipeError
from bwalloc.learn.recipe import ALGORITHMS, read_recipe, recipe_from, recipe_toml


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
