import gymnasium
import numpy as np
import pytest

from bwalloc.errors import BwallocError
from bwalloc.gym import RegretInfo

SHORT = {"time.intervals": 40}


def finished(env, seed=0):
    env.reset(seed=seed)
    truncated = False
    while not truncated:
        *_, truncated, info = env.step(np.zeros(env.action_space.shape, np.float32))
    return info["regret"]


def test_regret_is_that_of_the_comparison():
    env = RegretInfo(gymnasium.make("bwalloc/TinyEdge-v1", overrides=SHORT), rival="forecast")
    regret = finished(env)

    assert "forecast" == regret["rival"]
    assert regret["net_usd"] == pytest.approx(regret["rival_usd"], rel=1e-6)  # action 0
    assert regret["bound_usd"] >= regret["net_usd"] >= 0
    expected = regret["bound_usd"] - regret["net_usd"]
    expected /= regret["bound_usd"] - regret["legacy_usd"]
    assert expected == pytest.approx(regret["regret"])


def test_the_bound_can_be_left_out():
    env = RegretInfo(gymnasium.make("bwalloc/TinyEdge-v1", overrides=SHORT), bound=False)

    assert {"rival", "net_usd", "rival_usd", "legacy_usd"} == finished(env).keys()


def test_it_wraps_our_environments_only():
    with pytest.raises(BwallocError, match="wraps CloudEdgeEnv, got CartPole"):
        RegretInfo(gymnasium.make("CartPole-v1"))
