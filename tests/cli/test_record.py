import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from bwalloc.cli import main
from bwalloc.errors import BwallocError
from bwalloc.gym import recording
from bwalloc.gym.recording import Setting, record

SHORT = {"time.intervals": 40}
can_write = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in recording.NEEDED),
    reason="Minari, h5py or Pillow is not installed",
)


@pytest.fixture
def minari():
    return pytest.importorskip("minari")


@can_write
@pytest.mark.parametrize("allocator", ["forecast", "guarantee", "random"])
def test_a_dataset_is_what_a_new_environment_plays(tmp_path, minari, monkeypatch, allocator):
    made = record(Setting("tiny-edge", allocator, 2, "validation", 5, SHORT), tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    dataset = minari.load_dataset(made.dataset_id)

    assert [made.dataset_id] == list(minari.list_local_datasets())
    assert (2, 80) == (dataset.total_episodes, dataset.total_steps)
    env = dataset.recover_environment()
    for number, episode in enumerate(dataset):
        metadata = next(iter(dataset.storage.get_episode_metadata([number])))
        assert 5 + number == metadata["seed"]
        observation, _ = env.reset(seed=metadata["seed"])
        for step, action in enumerate(episode.actions):
            for name, kept in episode.observations.items():
                np.testing.assert_array_equal(kept[step], observation[name])
            observation, reward, terminated, truncated, info = env.step(action)

            assert env.action_space.contains(action)
            assert reward == episode.rewards[step]
            assert (terminated, truncated) == (
                episode.terminations[step],
                episode.truncations[step],
            )
            kept_usd = episode.infos["reward_terms"]["delivered"][step + 1]
            assert info["reward_terms"]["delivered"] == kept_usd
        assert truncated
        assert "EpisodeData" in repr(episode)


@can_write
def test_money_and_clipping_are_told(tmp_path, minari, capsys):
    arguments = ["record", "tiny-edge", "--allocator", "max-min", "--episodes", "1"]
    assert 0 == main([*arguments, "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    path = tmp_path / "tiny-edge" / "max-min-train-v0" / "data"
    told = minari.MinariDataset(path).storage.metadata["bwalloc"]

    assert f"{told['net_usd_per_h']:.2f} $/h; max-min itself" in shown
    assert f"max-min itself: {told['allocator_usd_per_h']:.2f} $/h" in shown
    assert f"clipped: {100 * told['clipped']['all']:.1f} %" in shown
    assert str(path) in shown


@can_write
def test_recorded_forecast_earns_what_forecast_earns(tmp_path):
    made = record(Setting("tiny-edge", episodes=1), tmp_path)

    assert made.allocator_usd_per_h == pytest.approx(made.net_usd_per_h, rel=1e-9)
    assert 0.0 == made.clipped["all"]
    assert json.loads((made.path / "metadata.json").read_text())["algorithm_name"] == "forecast"


@can_write
@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_recording_leaves_nothing(tmp_path, failure):
    def stop(done, total):
        raise failure

    with pytest.raises(failure):
        record(Setting("tiny-edge", episodes=2, overrides=SHORT), tmp_path, stop)

    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]


@can_write
def test_a_dataset_is_never_overwritten(tmp_path):
    setting = Setting("tiny-edge", episodes=1, overrides=SHORT)
    record(setting, tmp_path)
    with pytest.raises(BwallocError, match="forecast-train-v0' exists"):
        record(setting, tmp_path)


@can_write
def test_an_environment_file_of_ones_own_can_be_recorded(tmp_path, minari):
    from bwalloc.scenario import find

    own = tmp_path / "my-edge.toml"
    own.write_text(find("tiny-edge").read_text().replace("TinyEdge", "MyEdge"))
    made = record(Setting(str(own), episodes=1, overrides=SHORT), tmp_path / "data")

    assert "my-edge/forecast-train-v0" == made.dataset_id
    dataset = minari.MinariDataset(made.path)
    assert "bwalloc/MyEdge-v1" == dataset.recover_environment().unwrapped.scenario.id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny-edge", "--allocator", "forcast"], "Nearest: 'forecast'"),
        (["tiny-egde"], "Nearest: 'tiny-edge'"),
        (["tiny-edge", "--episodes", "0"], "need at least 1"),
        (["tiny-edge", "--split", "trian"], "Nearest: 'train'"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(recording, "find_spec", lambda name: name)
    assert 2 == main(["record", *arguments, "--out", str(tmp_path)])
    shown = capsys.readouterr().err

    assert message in shown
    assert 1 == len(shown.strip().splitlines())


def test_what_is_missing_is_named_with_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(recording, "find_spec", lambda name: None if name == "h5py" else name)
    assert 2 == main(["record", "tiny-edge", "--out", str(tmp_path)])

    expected = "bwalloc: Recording needs h5py: pip install 'bwalloc[offline]'\n"
    assert expected == capsys.readouterr().err


@can_write
def test_the_folder_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = record(Setting("tiny-edge", "forecast", 1, "validation", 5, SHORT), Path("data"))

    assert (tmp_path / "data" / made.dataset_id / "data").is_dir()
