import gymnasium
import numpy as np
import pytest

from bwalloc.errors import BwallocError, ScenarioError
from bwalloc.gym import CloudEdgeVectorEnv, CompactReplay, make_sb3
from bwalloc.scenario import load_scenario

sb3 = pytest.importorskip("stable_baselines3")
SHORT = {"time.intervals": 40}
IDS = sorted(key for key in gymnasium.registry if key.startswith("bwalloc/"))
TINY = "bwalloc/TinyEdge-v1"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("env_id", IDS)
def test_sb3_finds_nothing_wrong(env_id):
    from stable_baselines3.common.env_checker import check_env

    check_env(gymnasium.make(env_id, overrides=SHORT).unwrapped)


def test_the_end_of_an_episode_is_told_as_sb3_wants_it():
    env = make_sb3(TINY, 2, seed=0, overrides=SHORT)
    env.reset()
    for _ in range(40):
        observation, rewards, dones, infos = env.step(np.zeros((2, *env.action_space.shape)))

    assert dones.all()
    assert np.float32 == rewards.dtype
    for row in range(2):
        assert infos[row]["TimeLimit.truncated"]
        assert env.observation_space.contains(infos[row]["terminal_observation"])
        assert 40 == infos[row]["episode"]["l"]
        assert 40 == infos[row]["interval"]
        last = infos[row]["terminal_observation"]["demands"]
        assert not np.array_equal(last, observation["demands"][row])


def test_seeds_hold_for_the_next_reset():
    env = make_sb3(TINY, 2, overrides=SHORT)
    env.seed(5)
    first = env.reset()
    env.seed(5)
    again = env.reset()

    np.testing.assert_array_equal(first["globals"], again["globals"])
    assert [5, 6] == [choice.seed for choice in env.get_attr("choices")[0]]


def test_a_batch_that_does_not_reset_itself_is_refused():
    from bwalloc.gym.sb3 import CloudEdgeVecEnv

    batch = CloudEdgeVectorEnv(2, "tiny-edge", autoreset_mode="DISABLED")
    with pytest.raises(BwallocError, match="SAME_STEP"):
        CloudEdgeVecEnv(batch)


@pytest.mark.slow
@pytest.mark.parametrize("algo", ["PPO", "SAC"])
def test_it_trains_out_of_the_box(algo):
    env = make_sb3(TINY, 8, seed=0, overrides=SHORT)
    options = {"PPO": {"n_steps": 40, "batch_size": 64}, "SAC": {"buffer_size": 2_000}}[algo]
    model = getattr(sb3, algo)("MultiInputPolicy", env, seed=0, **options)
    model.learn(640)
    observation = env.reset()
    actions, _ = model.predict(observation, deterministic=True)

    assert model.num_timesteps >= 640
    assert (8, *env.action_space.shape) == actions.shape
    assert np.isfinite(actions).all()


@pytest.mark.parametrize("algo", ["PPO", "SAC"])
def test_a_first_update_out_of_the_box(algo):
    env = make_sb3(TINY, 4, seed=0, overrides=SHORT)
    options = {
        "PPO": {"n_steps": 25, "batch_size": 50, "n_epochs": 1},
        "SAC": {"replay_buffer_class": CompactReplay, "learning_starts": 180},
    }[algo]
    model = getattr(sb3, algo)("MultiInputPolicy", env, seed=0, **options)
    model.learn(200)

    assert model._n_updates > 0
    assert 4 == len(model.ep_info_buffer)  # VecMonitor: every episode has ended once
    assert all(40 == episode["l"] for episode in model.ep_info_buffer)


def test_normalising_a_batch_keeps_the_ends_of_episodes():
    from stable_baselines3.common.vec_env import VecNormalize

    env = VecNormalize(make_sb3(TINY, 2, seed=0, overrides=SHORT), norm_obs_keys=["demands"])
    env.reset()
    for _ in range(40):
        observation, rewards, _, infos = env.step(np.zeros((2, *env.action_space.shape)))

    assert np.isfinite(rewards).all()
    assert np.isfinite(observation["demands"]).all()
    assert np.isfinite(infos[0]["terminal_observation"]["demands"]).all()


def test_a_scenario_can_stand_for_the_id():
    scenario = load_scenario("tiny-edge", overrides={"intervals": 40})
    by_id, by_scenario = make_sb3(TINY, 2, seed=3, overrides=SHORT), make_sb3(scenario, 2, seed=3)

    np.testing.assert_array_equal(by_id.reset()["globals"], by_scenario.reset()["globals"])
    with pytest.raises(ScenarioError, match="built already"):
        make_sb3(scenario, 2, overrides=SHORT)


@pytest.mark.slow
def test_single_environments_run_in_processes():
    from stable_baselines3.common.vec_env import SubprocVecEnv

    env = SubprocVecEnv(
        [lambda: gymnasium.make(f"bwalloc:{TINY}", overrides=SHORT) for _ in range(2)],
        start_method="spawn",
    )
    try:
        env.seed(0)
        observation = env.reset()
        for _ in range(40):
            _, rewards, dones, infos = env.step(np.zeros((2, *env.action_space.shape)))
    finally:
        env.close()

    assert 2 == len(observation["demands"]) == len(rewards)
    assert dones.all()
    assert infos[1]["TimeLimit.truncated"]
    assert "demands" in infos[1]["terminal_observation"]
