"""What the classical rules do, and that they keep every limit."""

from __future__ import annotations

import numpy as np
import pytest
from builders import random_world, star

from bwalloc.allocate import CLASSICAL, make_allocator, make_rule
from bwalloc.allocate.limits import violations
from bwalloc.control import Decision
from bwalloc.errors import DecisionError, UnknownNameError
from bwalloc.observe import measured
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.sim import Episodes, Simulator, telemetry_of
from bwalloc.sim.play import play


@pytest.fixture(scope="module")
def setting():
    """A star, its worlds, and the record of them."""
    scenario = star(n_sites=5, intervals=15)
    worlds = [random_world(scenario, seed) for seed in range(3)]
    return scenario, worlds, measured(worlds, 10.0)


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_rule_keeps_every_limit_and_repeats_itself(name, setting):
    scenario, worlds, history = setting
    rule = make_rule(name, scenario.network, history, {})
    first, second = play(scenario, rule, worlds), play(scenario, rule, worlds)
    assert first.violations == 0
    np.testing.assert_array_equal(first.net_usd, second.net_usd)


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_batch_decides_as_each_episode_alone(name, setting):
    scenario, worlds, history = setting
    together = play(scenario, make_rule(name, scenario.network, history, {}), worlds)
    alone = play(scenario, make_rule(name, scenario.network, history, {}), worlds[1:2])
    assert alone.net_usd[0] == pytest.approx(together.net_usd[1], rel=1e-5)


def test_the_constant_allocator_without_an_action_is_the_forecast(setting):
    scenario, worlds, history = setting
    plain, constant = (
        play(scenario, make_rule(name, scenario.network, history, {}), worlds)
        for name in ("forecast", "constant")
    )
    np.testing.assert_array_equal(plain.net_usd, constant.net_usd)


def test_a_session_answers_telemetry_with_a_feasible_decision():
    scenario = load_scenario("tiny-edge")
    session = make_allocator("forecast", scenario).bind(scenario.network)
    simulator, episodes = (
        Simulator(scenario, compiled=False),
        Episodes([draw_world(scenario, "train", 0)]),
    )
    state = simulator.start(1)
    readings = simulator.first_readings(state, episodes)
    for _ in range(5):
        decision = session.decide(telemetry_of(scenario.network, readings))
        assert isinstance(decision, Decision)
        rates = decision.rates_gbps[:, :, None].astype(np.float32)
        step = simulator.step(state, rates, episodes)
        assert violations(scenario.network, rates, readings.capacity_gbps).sum() == 0
        state, readings = step.state, step.readings


def test_limits_see_overload_stray_rates_and_nonsense():
    network = star(n_sites=2, per_site=2).network
    capacity = network.links.capacity_gbps[:, None]
    sound = np.zeros((*network.tunnels.exists.shape, 1), np.float32)
    assert violations(network, sound, capacity)[0] == 0
    for value in (1e3, -1.0, np.nan):
        broken = sound.copy()
        broken[0, 0] = value
        assert violations(network, broken, capacity)[0] > 0
    with pytest.raises(DecisionError, match="demands, tunnels"):
        violations(network, sound[1:], capacity)


def test_an_unknown_allocator_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Nearest: 'forecast'"):
        make_allocator("forcast", "tiny-edge")
