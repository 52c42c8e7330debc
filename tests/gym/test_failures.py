"""Environments whose links fail, and whose tenants were promised rates."""

import copy
from itertools import count

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from playing import actions_of, equal

import bwalloc  # noqa: F401 - registers the environments
from bwalloc.gym import CloudEdgeVectorEnv

FAILS = {
    "intervals": 40,
    "time.warmup_intervals": 5,
    "failures.flap": {},
    "failures.cut": {"mean_down_h": 0.05},
    "failures.partial": {"mean_down_h": 0.05},
    "failures.maintenance": {"duration_h": 12.0},
    "failures.accelerate": 300.0,
    "demands.kv_transfer-up.floor_gbps": 0.5,
}


def make(**more):
    return gym.make("bwalloc/MetroInference-v1", overrides={**FAILS, **more})


def test_the_checker_of_gymnasium_passes_while_links_fail():
    check_env(make().unwrapped, skip_render_check=True)


def test_no_action_is_infeasible_for_what_it_was_told():
    env = make()
    failed = 0
    for seed in range(3):
        env.reset(seed=seed)
        readings = []
        for action in actions_of(env, 40, seed):
            observation, reward, *_, info = env.step(action)
            assert 0 == info["violations"]
            assert np.isfinite(reward)
            assert all(np.isfinite(part).all() for part in observation.values())
            readings.append(env.unwrapped.engine.readings.capacity_gbps[:, 0])
        failed += int((np.diff(readings, axis=0) != 0).sum())
    assert failed > 10


def test_the_same_seed_fails_alike_and_a_copy_goes_on_alike():
    first, again = make(), make()
    equal(first.reset(seed=4)[0], again.reset(seed=4)[0])
    for action in actions_of(first, 15):
        one, other = first.step(action), again.step(action)
        equal(one[0], other[0])
        assert one[1] == other[1]
    twin = copy.deepcopy(first)
    for action in actions_of(first, 15, seed=1):
        equal(first.step(action)[0], twin.step(action)[0])


def test_a_batch_plays_its_episodes_as_each_alone():
    batch = CloudEdgeVectorEnv(3, "metro-inference", overrides=FAILS)
    alone = make()
    batch.reset(seed=[5, 6, 7])
    alone.reset(seed=6)
    for action in actions_of(alone, 20):
        rewards = batch.step(np.stack([action * 0.5, action, -action]))[1]
        assert pytest.approx(rewards[1], rel=1e-3, abs=1e-4) == alone.step(action)[1]


def test_episodes_that_end_are_followed_by_others_that_fail():
    batch = CloudEdgeVectorEnv(2, "metro-inference", overrides={**FAILS, "intervals": 12})
    batch.reset(seed=0)
    for action in actions_of(batch, 30):
        info = batch.step(action)[-1]
        assert not np.asarray(info["violations"]).any()


@pytest.mark.slow
def test_gradients_flow_while_links_fail():
    torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    from bwalloc.learn.unroll import Unroll
    from bwalloc.scenario import load_scenario

    scenario = load_scenario("metro-inference", FAILS)
    unroll = Unroll(scenario, 4, cut=8, seeds=count(0))
    shape = scenario.network.tunnels.exists.shape
    action = torch.zeros((shape[0], 3 + shape[1], 4), requires_grad=True)
    for _ in range(3):
        sum(unroll.step(action).sum() for _ in range(8)).backward()
        unroll.detach()
    assert torch.isfinite(action.grad).all()
    assert (action.grad != 0).any()
