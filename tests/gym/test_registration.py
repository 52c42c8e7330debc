import re

import gymnasium
import pytest

import bwalloc
from bwalloc.gym.registration import ANY, register_environments
from bwalloc.scenario import find


@pytest.fixture
def own(tmp_path):
    """A folder with one environment of the user's, and its id."""
    env_id = "mine/Small-v1"
    text = find("tiny-edge").read_text().replace("bwalloc/TinyEdge-v1", env_id)
    (tmp_path / "small.toml").write_text(text)
    yield tmp_path, env_id
    gymnasium.registry.pop(env_id, None)


def test_any_file_is_made_by_its_path(own):
    folder, env_id = own
    env = gymnasium.make(ANY, env=str(folder / "small.toml"))

    assert env_id == env.unwrapped.scenario.id
    assert 3 == gymnasium.make_vec(ANY, 3, env=str(folder / "small.toml")).num_envs


def test_a_folder_registers_its_ids_of_any_namespace(own, monkeypatch):
    folder, env_id = own
    monkeypatch.chdir(folder.parent)

    assert [env_id] == register_environments(folder.name)
    monkeypatch.chdir(folder)
    assert env_id == gymnasium.make(env_id).unwrapped.scenario.id


def test_a_folder_registered_again_is_read_again(own):
    folder, env_id = own
    register_environments(folder)
    text = re.sub(r"\[rival\][^\[]*", "", (folder / "small.toml").read_text())
    (folder / "small.toml").write_text(text + "\n[rival]\nmean_return = 5.0\n")

    assert [env_id] == register_environments(folder)
    assert 5.0 == gymnasium.spec(env_id).reward_threshold


@pytest.mark.parametrize("text", ['id = "no version"', "id = 3", "title = 1", "= broken"])
def test_a_broken_file_is_left_out(text, tmp_path):
    (tmp_path / "broken.toml").write_text(text)

    assert [] == register_environments(tmp_path)


def test_shipped_ids_are_there_once():
    assert [] == bwalloc.register_environments()
    assert "tiny-edge" == gymnasium.spec("bwalloc/TinyEdge-v1").kwargs["env"]
