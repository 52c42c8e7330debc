"""The time in the environment is a part of the whole, and is that of its steps."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("stable_baselines3")

from bwalloc.bench import sb3_share
from bwalloc.scenario import load_scenario


def test_shares_are_parts_of_the_wall_time():
    shares = sb3_share.environment_shares(load_scenario("tiny-edge"), n_envs=16, n_steps=4)

    assert ["SB3 defaults", "wide batches", "policy network"] == [each.learner for each in shares]
    assert all(0 < each.share < 1 for each in shares)
    assert {16 * 4} == {each.steps for each in shares}


def test_a_slow_environment_shows(monkeypatch):
    from bwalloc.gym.sb3 import CloudEdgeVecEnv

    step = CloudEdgeVecEnv.step_wait

    def slow(self):
        time.sleep(0.1)
        return step(self)

    monkeypatch.setattr(CloudEdgeVecEnv, "step_wait", slow)
    share = sb3_share.environment_shares(load_scenario("tiny-edge"), n_envs=16, n_steps=4)[0]

    assert share.environment_s >= 4 * 0.1
