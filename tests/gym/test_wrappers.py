"""Gymnasium's wrappers and its ways to batch environments do with ours what they say."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.wrappers import vector as batched
from playing import actions_of

from bwalloc.gym import RegretInfo
from bwalloc.gym.registration import ANY

IDS = sorted(key for key in gymnasium.registry if key.startswith("bwalloc/") and key != ANY)
TINY = "bwalloc/TinyEdge-v1"
SHORT = {"time.intervals": 40}


def make(env_id=TINY, **options):
    return gymnasium.make(env_id, overrides=SHORT, **options)


def make_vec(num_envs=3, env_id=TINY, **options):
    return gymnasium.make_vec(env_id, num_envs, overrides=SHORT, **options)


def played(env, steps=40, seed=3):
    """Observations, rewards and last info under seeded actions."""
    observation, info = env.reset(seed=seed)
    observations, rewards = [observation], []
    for action in actions_of(env, steps):
        observation, reward, *_, info = env.step(action)
        observations.append(observation)
        rewards.append(reward)
    return observations, np.array(rewards), info


@pytest.mark.parametrize("env_id", IDS)
def test_flat_observations_are_the_parts_one_after_another(env_id):
    plain, _, _ = played(make(env_id), 5)
    flat, _, _ = played(wrappers.FlattenObservation(make(env_id)), 5)

    for whole, parts in zip(flat, plain, strict=True):
        in_order = [parts[name] for name in make(env_id).observation_space]
        np.testing.assert_array_equal(np.concatenate(in_order), whole)


def test_metro_inference_flattens_to_at_most_2000_numbers():
    env = wrappers.FlattenObservation(gymnasium.make("bwalloc/MetroInference-v1"))
    assert env.observation_space.shape[0] <= 2000


def test_normalised_observations_are_finite_and_centred():
    env = wrappers.NormalizeObservation(wrappers.FlattenObservation(make()))
    for seed in range(5):
        observations, _, _ = played(env, seed=seed)

    assert np.isfinite(observations).all()
    assert np.abs(np.mean(observations)) < 0.5


def test_normalised_rewards_are_the_rewards_over_one_scale_each():
    _, plain, _ = played(make())
    _, normal, _ = played(wrappers.NormalizeReward(make()))

    assert np.isfinite(normal).all()
    assert np.array_equal(np.sign(plain), np.sign(normal))


def test_episode_statistics_are_the_sum_and_the_length():
    _, rewards, info = played(wrappers.RecordEpisodeStatistics(make()))

    assert rewards.sum() == pytest.approx(info["episode"]["r"], rel=1e-6)
    assert 40 == info["episode"]["l"]


def test_stacked_frames_are_the_last_observations():
    plain, _, _ = played(make(), 6)
    stacked, _, _ = played(wrappers.FrameStackObservation(make(), 3), 6)

    for name, rows in stacked[-1].items():
        np.testing.assert_array_equal(np.stack([each[name] for each in plain[-3:]]), rows)


def test_a_filter_leaves_the_parts_named():
    env = wrappers.FilterObservation(make(), ["demands", "globals"])
    assert {"demands", "globals"} == env.reset(seed=0)[0].keys()


def test_a_time_limit_ends_the_episode_sooner():
    env = gymnasium.make(TINY, max_episode_steps=7)
    env.reset(seed=0)
    assert [False] * 6 + [True] == [env.step(action)[3] for action in actions_of(env, 7)]


def test_rescaled_actions_reach_the_same_ends():
    plain, env = make(), wrappers.RescaleAction(make(), np.float32(0), np.float32(1))
    plain.reset(seed=3)
    env.reset(seed=3)
    for action in np.round(actions_of(env, 5) * 4) / 4:  # halves of quarters are exact
        expected, observation = plain.step(action)[0], env.step((action + 1) / 2)[0]
        np.testing.assert_array_equal(expected["demands"], observation["demands"])


def test_regret_is_told_through_other_wrappers():
    wrapped = wrappers.FlattenObservation(make())
    env = wrappers.NormalizeReward(RegretInfo(wrapped, rival="forecast", bound=False))
    _, _, info = played(env)
    _, rewards, _ = played(make())
    scenario = env.unwrapped.scenario
    counted = rewards[scenario.timing.warmup_intervals :].sum() * scenario.reward_scale_usd

    assert counted == pytest.approx(info["regret"]["net_usd"])


def test_a_flat_batch_is_what_its_single_environments_flatten_to():
    batch = batched.FlattenObservation(make_vec(autoreset_mode="DISABLED"))
    alone = wrappers.FlattenObservation(make())
    together, _ = batch.reset(seed=3)

    assert batch.observation_space.shape == together.shape
    for row in range(3):
        np.testing.assert_allclose(alone.reset(seed=3 + row)[0], together[row], atol=1e-5)


def test_normalised_rewards_of_a_batch_stay_finite_over_its_resets():
    """NormalizeObservation of batches takes autoreset NEXT_STEP only; ours are normal already."""
    _, plain, _ = played(make_vec(), 90)
    _, normal, _ = played(batched.NormalizeReward(make_vec()), 90)

    assert np.isfinite(normal).all()
    assert np.array_equal(np.sign(plain), np.sign(normal))


def test_statistics_of_a_batch_are_those_of_its_episodes():
    _, plain, _ = played(make_vec())
    _, _, info = played(batched.RecordEpisodeStatistics(make_vec()))

    np.testing.assert_allclose(plain.sum(0), info["episode"]["r"], rtol=1e-6)
    np.testing.assert_array_equal([40] * 3, info["episode"]["l"])


def test_infos_of_a_batch_as_a_list_are_those_of_single_environments():
    batch = batched.DictInfoToList(make_vec())
    _, _, infos = played(batch, 3)

    assert 3 == len(infos)
    assert {"reward_terms", "slo", "violations", "interval"} <= infos[0].keys()


@pytest.mark.parametrize("mode", ["sync", pytest.param("async", marks=pytest.mark.slow)])
def test_gymnasium_batches_the_single_environment(mode):
    options = {"vectorization_mode": mode, "vector_kwargs": {}}
    env = make_vec(2, env_id=f"bwalloc:{TINY}", **options)
    try:
        together, rewards, _ = played(env, 5)
    finally:
        env.close()
    native, expected, _ = played(make_vec(2), 5)

    np.testing.assert_allclose(expected, rewards, rtol=1e-4, atol=1e-6)
    for name, rows in native[-1].items():
        np.testing.assert_allclose(rows, together[-1][name], rtol=1e-4, atol=1e-4)
