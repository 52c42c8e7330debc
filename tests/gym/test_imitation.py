import gymnasium
import numpy as np
import pytest

from bwalloc.allocate import Ask, Decoder, make_rule
from bwalloc.allocate.policy.correction import Correction
from bwalloc.errors import UnknownNameError
from bwalloc.gym.imitation import Imitator, scaled_to
from bwalloc.observe import measured
from bwalloc.scenario import train_worlds

SHORT = {"time.intervals": 40}
REACH = {"weight": 3.0, "split": 2.0, "leftover": 2.0}


def begun(name, seed=0, **options):
    env = gymnasium.make("bwalloc/TinyEdge-v1", overrides=SHORT, **options).unwrapped
    env.reset(seed=seed)
    imitator = Imitator(name)
    imitator.begin(env.engine.scenario, seed)
    return env, imitator


@pytest.mark.parametrize("name", ["forecast", "constant"])
def test_an_allocator_in_reach_is_played_exactly(name):
    env, imitator = begun(name)
    scenario = env.scenario
    history = measured(train_worlds(scenario), scenario.timing.interval_s)
    rule = make_rule(name, scenario.network, history, scenario.tuned)
    rule.reset(1)
    for _ in range(10):
        expected = rule.decide(env.engine.readings)
        env.step(imitator.action(env.engine))

        np.testing.assert_allclose(expected, env.engine.state.rates_gbps, rtol=1e-4, atol=1e-5)
    assert 0.0 == imitator.clipping.shares()["all"]


def test_the_base_allocator_is_action_zero():
    env, imitator = begun("forecast")

    assert not imitator.action(env.engine).any()


@pytest.mark.parametrize("name", ["max-min", "strict-priority", "last-value-lp"])
def test_clipped_actions_come_nearer_to_the_allocator_than_action_zero(name):
    env, imitator = begun(name)
    decoder = Decoder(env.scenario.network)
    imitated = zero = 0.0
    for _ in range(20):
        readings = env.engine.readings
        rule = imitator.rule(env.scenario)  # looks at the last interval only: a new one will do
        rule.reset(1)
        wanted = rule.decide(readings)
        zero += np.abs(decoder(env.engine.base, readings.capacity_gbps) - wanted).sum()
        env.step(imitator.action(env.engine))
        imitated += np.abs(env.engine.state.rates_gbps - wanted).sum()

    assert 0.0 < imitator.clipping.shares()["all"] < 1.0
    assert imitated < 0.8 * zero


def test_random_actions_follow_from_the_seed():
    env, imitator = begun("random", seed=3)
    first = imitator.action(env.engine)
    imitator.begin(env.engine.scenario, 3)
    again = imitator.action(env.engine)
    imitator.begin(env.engine.scenario, 4)

    assert env.action_space.contains(first)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, imitator.action(env.engine))


def test_a_common_factor_on_weights_costs_no_reach():
    ones = np.ones((3, 1), np.float32)
    weight = np.array([[1e6], [1e6 * np.exp(2.9)], [1e6]], np.float32)
    split = np.array([[[8e4], [1e4]], [[1.0], [1.0]], [[0.0], [0.0]]], np.float32)
    base = Ask(ones, ones, np.ones((3, 2, 1), np.float32), ones)

    scaled = scaled_to(base, Ask(ones, weight, split, ones * 0), REACH)

    assert (np.abs(np.log(scaled.weight)) <= 3.0 + 1e-5).all()
    np.testing.assert_allclose(
        weight[1] / weight[0], scaled.weight[1] / scaled.weight[0], rtol=1e-5
    )
    assert (np.abs(np.log(scaled.split[:2])) <= 2.0 + 1e-5).all()
    assert scaled.split[0, 0, 0] / scaled.split[0, 1, 0] == pytest.approx(8.0)
    np.testing.assert_array_equal(split[1:], scaled.split[1:])


@pytest.mark.parametrize("dust", [0.0, 1e-12, 1e-40])
@pytest.mark.filterwarnings("error")
def test_dust_of_a_solver_sets_no_scale(dust):
    ones = np.ones((3, 1), np.float32)
    base = Ask(ones, ones, np.ones((3, 2, 1), np.float32), ones)
    few = np.array([[dust], [dust], [2.0]], np.float32)
    split = np.array([[[dust], [0.5]], [[dust], [dust]], [[0.5], [0.5]]], np.float32)
    correction = Correction({})

    scaled = scaled_to(base, Ask(ones, few, split, few), correction.scale)
    action = correction.action_for(base, scaled)

    np.testing.assert_array_equal(few[2], scaled.weight[2])
    np.testing.assert_allclose([-1.0, -1.0, np.log(2.0) / 3.0], action[:, 1, 0], rtol=1e-5)
    np.testing.assert_array_equal(split[:, :, 0] < 0.1, action[:, 3:, 0] == -1.0)


def test_an_unknown_allocator_is_named():
    with pytest.raises(UnknownNameError, match=r"No allocator called 'randon'\. Nearest: 'random'"):
        Imitator("randon")
