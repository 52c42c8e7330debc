from pathlib import Path

import pytest

from bwalloc.errors import ScenarioError, UnknownNameError
from bwalloc.scenario import find, list_scenarios, load_scenario

SHIPPED = ("geo-training", "metro-inference", "national-mixed", "random-edge", "tiny-edge")


def test_shipped_environments_are_listed():
    assert set(SHIPPED) <= set(list_scenarios())


@pytest.mark.parametrize("name", ["tiny-edge", "bwalloc/TinyEdge-v1"])
def test_slug_and_id_find_the_same_file(name):
    assert "tiny-edge.toml" == find(name).name


def test_a_path_finds_itself():
    path = find("tiny-edge")

    assert path == find(path)
    assert path == find(str(path))


def test_wrong_name_answers_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Nearest: 'metro-inference'"):
        find("metro-infrence")


def test_absent_path_is_a_clear_error():
    with pytest.raises(ScenarioError, match=r"nowhere/x\.toml: there is no such environment file"):
        find("nowhere/x.toml")


def test_own_folder_comes_first(tmp_path, monkeypatch):
    text = find("tiny-edge").read_text().replace("Tiny edge", "Mine")
    (tmp_path / "tiny-edge.toml").write_text(text)

    assert load_scenario("tiny-edge", envs=tmp_path).title.startswith("Mine")
    monkeypatch.setenv("BWALLOC_ENVS", str(tmp_path))
    assert load_scenario("tiny-edge").title.startswith("Mine")
    assert "metro-inference" in list_scenarios()


def test_absent_folder_is_a_clear_error():
    with pytest.raises(ScenarioError, match="no such folder of environments"):
        list_scenarios(Path("nowhere"))


def test_a_broken_file_does_not_break_the_catalogue(tmp_path):
    (tmp_path / "broken.toml").write_bytes(b"\xff = [")

    assert "tiny-edge.toml" == find("bwalloc/TinyEdge-v1", tmp_path).name
