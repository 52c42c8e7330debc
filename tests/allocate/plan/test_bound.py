"""The bound holds for every allocator and every price, and the clairvoyant comes close to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders import random_world, star
from hypothesis import given, settings
from hypothesis import strategies as st
from playing import RandomRule

from bwalloc.allocate import CLASSICAL, make_rule
from bwalloc.allocate.plan.bound import bound_usd_per_h
from bwalloc.allocate.plan.clairvoyant import ClairvoyantRule, plan_episode
from bwalloc.observe import measured
from bwalloc.scenario import build_slots, draw_world, load_scenario
from bwalloc.sim.play import play


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


class Steady:
    """One share of every tunnel's narrowest link, always."""

    def __init__(self, scenario, share):
        flat = scenario.network.flat_hops
        padded = np.append(scenario.network.links.capacity_gbps, np.inf)
        crossing = np.bincount(flat.ravel(), minlength=len(padded))
        self.rates = (padded / np.maximum(crossing, 1))[flat].min(1) * share
        self.shape = scenario.network.tunnels.exists.shape

    def reset(self, batch):
        """Nothing to forget."""

    def decide(self, readings):
        """The same rates for every column."""
        rates = self.rates.reshape(*self.shape, 1).astype(np.float32)
        return np.repeat(rates, readings.offered_gbps.shape[1], 2)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    choke=st.floats(0, 2),
    waits=st.sampled_from([1.0, 2.0, 8.0, 30.0, np.inf]),
)
def test_curved_work_that_waits_keeps_the_bound(seed, choke, waits):
    """Old work served later is paid by the curve of the substep it is served in.

    Prices that choke the substep of arrival alone make waiting the only way to earn.
    """
    scenario = star(1, 3, tunnels=1, policed_core=False, intervals=8, seed=seed)
    slots = build_slots(np.full(3, waits), np.zeros(3, bool), scenario.timing)
    scenario = replace(scenario, slots=slots)
    scenario.network.links.capacity_gbps[:] = [50.0, 1.5]
    world = random_world(scenario, seed)
    world.arrivals_gbit[:, 1:] *= np.random.default_rng(seed).random((8, 9, 3)) < 0.3
    world.arrivals_gbit[:, 0] += 4.0
    prices = np.zeros((2, 80))
    prices[1, 50::10] = choke * scenario.network.law.value_usd_per_gbit[0, 0]
    plan = plan_episode(scenario, world)
    least = min(plan.bound_usd_per_h, bound_usd_per_h(scenario, world, prices))
    for rule in (Steady(scenario, 0.99), RandomRule(scenario.network, seed)):
        assert money(scenario, rule, [world])[0] <= least
    assert money(scenario, ClairvoyantRule([plan]), [world])[0] <= least


def test_waiting_curved_work_by_hand():
    """4 Gbit arrive every 10 s, 0.5 Gbit fit into a second, the price is v where work arrives.

    Served at once, 0.5 Gbit earn v each; 3.5 Gbit served in the next seven seconds earn v / 10.
    The bound sells 0.5 Gbit of capacity at v, and every Gbit may still wait and earn v / 10.
    """
    scenario = star(1, 1, tunnels=1, policed_core=False, intervals=8)
    slots = build_slots(np.full(1, 8.0), np.zeros(1, bool), scenario.timing)
    scenario = replace(scenario, slots=slots)
    scenario.network.links.capacity_gbps[:] = [50.0, 0.5]
    law = scenario.network.law
    law.expiry_usd_per_gbit[:] = law.late_usd_per_gbit_s[:] = 0.0
    value = law.value_usd_per_gbit[0, 0]
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 0.0
    world.arrivals_gbit[5:, 0] = 4.0
    prices = np.zeros((2, 80))
    prices[1, 50::10] = value
    bound = bound_usd_per_h(scenario, world, prices)
    assert bound == pytest.approx(0.9 * value * 360, rel=1e-3)
    earned = money(scenario, Steady(scenario, 1 - 1e-6), [world])[0]
    assert earned == pytest.approx(0.85 * value * 360, rel=1e-3)


def test_fine_substeps_keep_the_bound():
    """With substeps of half a second, video frames may wait for one."""
    scenario = load_scenario("metro-inference", {"time.intervals": 36, "time.substeps": 20})
    world = draw_world(scenario, "train", 3)
    plan = plan_episode(scenario, world)
    earned = money(scenario, ClairvoyantRule([plan]), [world])[0]
    assert plan.bound_usd_per_h * 0.97 <= earned <= plan.bound_usd_per_h


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
