"""The bound holds for every allocator and every price, and the clairvoyant comes close to it."""

from __future__ import annotations

import numpy as np
import pytest
from builders import random_world, star
from hypothesis import given, settings
from hypothesis import strategies as st

from bwalloc.allocate import CLASSICAL, make_rule
from bwalloc.allocate.bound import bound_usd_per_h
from bwalloc.allocate.clairvoyant import ClairvoyantRule, plan_episode
from bwalloc.bench.play import play
from bwalloc.observe import measured
from bwalloc.scenario import draw_world, load_scenario


class RandomRule:
    """Rates drawn anew every interval, scaled to fit."""

    def __init__(self, network, seed):
        self.network, self.rng = network, np.random.default_rng(seed)

    def reset(self, batch):
        """Nothing to forget."""

    def decide(self, readings):
        """Random rates, the whole divided by its worst overload."""
        shape = (*self.network.tunnels.exists.shape, readings.offered_gbps.shape[1])
        rates = self.rng.gamma(0.3, 1.0, shape) * self.network.tunnels.exists[:, :, None]
        load = np.zeros((self.network.n_links + 1, shape[2]))
        flat = rates.reshape(-1, shape[2])
        np.add.at(
            load,
            self.network.flat_hops.ravel(),
            np.repeat(flat, self.network.flat_hops.shape[1], 0),
        )
        over = (load[:-1] / np.maximum(readings.capacity_gbps, 1e-9)).max(0)
        return (rates / np.maximum(over, 1.0) * (1 - 1e-6)).astype(np.float32)


def money(scenario, rule, worlds):
    """USD per hour of each episode."""
    played = play(scenario, rule, worlds)
    assert played.violations == 0
    return played.net_usd / scenario.timing.counted_h


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), mean=st.floats(0.05, 4), policed=st.booleans())
def test_nobody_exceeds_the_bound(seed, mean, policed):
    scenario = star(n_sites=3, per_site=4, seed=seed, policed_core=policed, intervals=12, groups=1)
    world = random_world(scenario, seed, mean_gbps=mean)
    plan = plan_episode(scenario, world)
    history = measured([world], scenario.timing.interval_s)
    rules = {name: make_rule(name, scenario.network, history, {}) for name in CLASSICAL}
    rules["random"] = RandomRule(scenario.network, seed)
    rules["clairvoyant"] = ClairvoyantRule([plan])
    for name, rule in rules.items():
        assert money(scenario, rule, [world])[0] <= plan.bound_usd_per_h, name


@pytest.mark.parametrize("env", ["tiny-edge", "metro-inference"])
def test_nobody_exceeds_the_bound_on_the_catalogue(env):
    scenario = load_scenario(env, {"time.intervals": 40})
    worlds = [draw_world(scenario, split, 3) for split in ("train", "ood")]
    bounds = [plan_episode(scenario, world) for world in worlds]
    history = measured(worlds, scenario.timing.interval_s)
    best = np.array([plan.bound_usd_per_h for plan in bounds])
    for name in CLASSICAL:
        rule = make_rule(name, scenario.network, history, scenario.tuned)
        assert (money(scenario, rule, worlds) <= best).all(), name
    assert (money(scenario, RandomRule(scenario.network, 0), worlds) <= best).all()
    assert (money(scenario, ClairvoyantRule(bounds), worlds) <= best).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0, 1e-2))
def test_any_prices_give_a_valid_bound(seed, scale):
    """Prices that come from nowhere may give a loose bound, never a wrong one."""
    scenario = star(n_sites=3, per_site=3, seed=seed, intervals=8)
    world = random_world(scenario, seed)
    plan = plan_episode(scenario, world)
    shape = (len(scenario.network.pools().link), 80)
    drawn = np.random.default_rng(seed).uniform(-scale, scale, shape)
    earned = money(scenario, ClairvoyantRule([plan]), [world])[0]
    assert earned <= bound_usd_per_h(scenario, world, drawn)


def test_without_contention_the_bound_is_the_value_of_all_work():
    scenario = star(n_sites=2, per_site=2, intervals=8)
    world = random_world(scenario, 1, mean_gbps=0.01)
    counted = world.arrivals_gbit[scenario.timing.warmup_intervals :].astype(float).sum((0, 1))
    law = scenario.network.law
    until = np.minimum(law.value_until, 1.0)
    full = (law.value_usd_per_gbit * np.diff(until, axis=1, prepend=0.0)).sum(1)
    expected = (counted * full).sum() / scenario.timing.counted_h
    # Work of the last warm-up substep may be served one substep later and then counts.
    assert plan_episode(scenario, world).bound_usd_per_h == pytest.approx(expected, rel=0.02)


def test_one_saturated_link_by_hand():
    """One demand of value v, one link of capacity c, always more offered: the bound is v c."""
    scenario = star(n_sites=1, per_site=1, tunnels=1, policed_core=False, intervals=8)
    scenario.network.links.capacity_gbps[:] = [50.0, 2.0]
    law = scenario.network.law
    law.value_usd_per_gbit[:] = [[1e-3, 0.0, 0.0]]
    law.value_until[:] = np.inf
    law.expiry_usd_per_gbit[:] = 0.0
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 5.0
    expected = 1e-3 * 2.0 * 3600.0
    plan = plan_episode(scenario, world)
    assert plan.bound_usd_per_h == pytest.approx(expected, rel=1e-3)
    assert money(scenario, ClairvoyantRule([plan]), [world])[0] == pytest.approx(expected, rel=1e-2)


def test_the_clairvoyant_comes_close_on_metro_inference():
    scenario = load_scenario("metro-inference", {"time.intervals": 45})
    world = draw_world(scenario, "train", 5)
    plan = plan_episode(scenario, world)
    earned = money(scenario, ClairvoyantRule([plan]), [world])[0]
    assert plan.bound_usd_per_h * 0.98 <= earned <= plan.bound_usd_per_h
