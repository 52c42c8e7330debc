import gymnasium
import numpy as np
import pytest

from bwalloc.errors import BwallocError
from bwalloc.gym import RegretInfo
from bwalloc.scenario import load_scenario

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


def test_money_of_the_warm_up_is_not_counted_and_every_episode_starts_at_0():
    env = RegretInfo(gymnasium.make("bwalloc/TinyEdge-v1", overrides=SHORT), bound=False)
    scenario = env.unwrapped.scenario
    env.reset(seed=1)
    for _ in range(35):  # given up in the counted part
        env.step(env.action_space.sample())
    for seed in (2, 3):
        env.reset(seed=seed)
        rewards = [env.step(np.zeros(env.action_space.shape, np.float32))[1] for _ in range(39)]
        *_, reward, _, _, info = env.step(np.zeros(env.action_space.shape, np.float32))
        counted = [*rewards, reward][scenario.timing.warmup_intervals :]

        expected = sum(counted) * scenario.reward_scale_usd
        assert expected == pytest.approx(info["regret"]["net_usd"])


@pytest.mark.parametrize(
    "options", [{"split": "test"}, {"start": 30.0}, {"overrides": {"surge.scale": 2.0}}]
)
def test_the_rival_plays_the_very_episode(options):
    env = RegretInfo(
        gymnasium.make("bwalloc/TinyEdge-v1", overrides=SHORT), rival="forecast", bound=False
    )
    env.reset(seed=4, options=options)
    truncated = False
    while not truncated:
        *_, truncated, info = env.step(np.zeros(env.action_space.shape, np.float32))

    assert info["regret"]["rival_usd"] == pytest.approx(info["regret"]["net_usd"], rel=1e-6)


def test_only_the_last_step_tells_it():
    env = RegretInfo(gymnasium.make("bwalloc/TinyEdge-v1", overrides=SHORT), bound=False)
    env.reset(seed=0)
    told = ["regret" in env.step(env.action_space.sample())[4] for _ in range(40)]

    assert [False] * 39 + [True] == told


def test_networks_drawn_at_reset_have_rivals_of_their_own():
    env = RegretInfo(
        gymnasium.make(load_scenario("random-edge").id, overrides=SHORT),
        rival="forecast",
        bound=False,
    )
    for seed in (0, 1):
        regret = finished(env, seed)
        assert regret["rival_usd"] == pytest.approx(regret["net_usd"], rel=1e-6)
