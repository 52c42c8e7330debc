"""Environments under `[enforcement]`: they play on, and copy all there is."""

import gymnasium
import numpy as np
import pytest
from playing import actions_of

import bwalloc  # noqa: F401  registers the environments
from bwalloc.gym.engine import Engine
from bwalloc.gym.spaces import action_space
from bwalloc.scenario import draw_world, load_scenario

PLANE = {
    "time.intervals": 40,
    "enforcement.burst_s": 0.5,
    "enforcement.update_latency_s": 3.5,
    "enforcement.least_gbps": 0.02,
}


def action_size(scenario):
    return action_space(scenario.sizes).shape[0]


def rewards(env, actions):
    return [env.step(action)[1] for action in actions]


def test_what_is_saved_and_what_is_late_is_part_of_the_state():
    env = gymnasium.make("bwalloc/TinyEdge-v1", overrides=PLANE).unwrapped
    env.reset(seed=3)
    actions = actions_of(env, 20)
    rewards(env, actions[:8])
    kept = env.get_state()
    first = rewards(env, actions[8:])
    env.set_state(kept)

    assert first == rewards(env, actions[8:])


def test_rates_that_a_plane_raises_are_no_violation_of_the_decision():
    env = gymnasium.make("bwalloc/TinyEdge-v1", overrides=PLANE)
    env.reset(seed=3)
    steps = [env.step(action) for action in actions_of(env, 20)]

    assert {0} == {int(np.sum(step[4]["violations"])) for step in steps}


def test_an_episode_that_begins_beside_another_has_saved_nothing():
    """Nothing of the episode before it in its column, and no rates that are still in force."""
    scenario = load_scenario("tiny-edge", PLANE | {"enforcement.burst_s": 30.0})
    worlds = [draw_world(scenario, "train", seed) for seed in (1, 2, 3)]
    first, again = (Engine(scenario, 2) for _ in range(2))
    first.restart(np.arange(2), worlds[:2])
    for _ in range(7):
        first.step(np.zeros((2, action_size(scenario))))
    first.restart(np.array([1]), worlds[2:])
    again.restart(np.arange(2), [worlds[0], worlds[2]])

    for _ in range(5):
        one, other = (each.step(np.zeros((2, action_size(scenario)))) for each in (first, again))
        assert one.reward[1] == pytest.approx(other.reward[1], rel=1e-5, abs=1e-7)


def test_an_episode_is_the_same_alone_and_in_a_vector():
    plain = gymnasium.make("bwalloc/TinyEdge-v1", overrides=PLANE)
    vector = gymnasium.make_vec("bwalloc/TinyEdge-v1", num_envs=2, overrides=PLANE)
    plain.reset(seed=4)
    vector.reset(seed=[4, 9])
    for action in actions_of(plain, 12):
        alone = plain.step(action)[1]
        beside = vector.step(np.stack([action, action * 0]))[1][0]
        assert alone == pytest.approx(beside, rel=1e-4, abs=1e-6)
