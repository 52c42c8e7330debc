"""The bound knows every capacity of an episode, and holds while links fail."""

from dataclasses import replace

import numpy as np
import pytest
from builders import failing, outage, random_world, star
from hypothesis import given, settings
from hypothesis import strategies as st
from playing import RandomRule

from bwalloc.allocate import CLASSICAL, make_rule
from bwalloc.allocate.plan.bound import bound_usd_per_h
from bwalloc.allocate.plan.cache import fingerprint
from bwalloc.allocate.plan.clairvoyant import ClairvoyantRule, plan_episode
from bwalloc.observe import measured
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.scenario.outages import room_gbit
from bwalloc.sim.play import play

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 7), st.floats(-20, 110), st.floats(1, 60), st.sampled_from([0.0, 0.4])
    ),
    max_size=6,
)


def money(scenario, rule, worlds):
    """USD per hour of each episode."""
    books = play(scenario, rule, worlds)
    assert books.violations == 0
    return books.net_usd / scenario.timing.counted_h


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), mean=st.floats(0.1, 4), policed=st.booleans(), spans=EVENTS)
def test_nobody_exceeds_the_bound_while_links_fail(seed, mean, policed, spans):
    scenario = star(n_sites=3, per_site=4, seed=seed, policed_core=policed, intervals=12, groups=1)
    events = [outage([row], start, start + long, share) for row, start, long, share in spans]
    world = failing(scenario, random_world(scenario, seed, mean_gbps=mean), *events)
    plan = plan_episode(scenario, world)
    history = measured([world], scenario.timing.interval_s)
    rules = {name: make_rule(name, scenario.network, history, {}) for name in CLASSICAL}
    rules |= {"greedy": RandomRule(scenario.network, seed), "clairvoyant": ClairvoyantRule([plan])}
    for name, rule in rules.items():
        assert money(scenario, rule, [world])[0] <= plan.bound_usd_per_h, name


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0, 1e-2), spans=EVENTS)
def test_any_prices_give_a_valid_bound_while_links_fail(seed, scale, spans):
    scenario = star(n_sites=3, per_site=3, seed=seed, intervals=8)
    events = [outage([row], start, start + long, share) for row, start, long, share in spans]
    world = failing(scenario, random_world(scenario, seed), *events)
    shape = (len(scenario.network.pools().link), 80)
    drawn = np.random.default_rng(seed).uniform(-scale, scale, shape)
    rule = make_rule("max-min", scenario.network, measured([world], 10.0), {})
    assert money(scenario, rule, [world])[0] <= bound_usd_per_h(scenario, world, drawn)


def test_a_saturated_link_that_fails_for_a_third_of_the_time_by_hand():
    """Value v, capacity c, always more offered, down for 10 of the 30 counted seconds: 2/3 v c."""
    scenario = star(n_sites=1, per_site=1, tunnels=1, policed_core=False, intervals=8)
    scenario.network.links.capacity_gbps[:] = [50.0, 2.0]
    law = scenario.network.law
    law.value_usd_per_gbit[:] = [[1e-3, 0.0, 0.0]]
    law.value_until[:] = np.inf
    law.expiry_usd_per_gbit[:] = 0.0
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 5.0
    world = failing(scenario, world, outage([1], 57.0, 67.0))
    plan = plan_episode(scenario, world)
    assert plan.bound_usd_per_h == pytest.approx(1e-3 * 2.0 * 3600 * 2 / 3, rel=1e-3)
    earned = money(scenario, ClairvoyantRule([plan]), [world])[0]
    # The interval in which the link comes back begins without it: 3 of the 20 seconds.
    assert earned == pytest.approx(1e-3 * 2.0 * 3600 * 2 / 3, rel=0.02)


def test_a_policed_link_that_fails_is_sold_for_the_seconds_it_is_up():
    scenario = star(n_sites=2, per_site=1, tunnels=1, policed_core=True, intervals=6)
    scenario.network.links.capacity_gbps[:] = [50.0, 50.0, 2.0]
    world = failing(scenario, random_world(scenario, 0), outage([2], 54.0, 60.0))
    room = room_gbit(world, scenario.timing)
    assert [2.0] * 4 + [0.0] * 6 == room[2, 50:].tolist()
    prices = np.zeros((len(scenario.network.pools().link), 60))
    meters = np.flatnonzero(~scenario.network.pools().is_shared)
    prices[meters[0], 50:] = 1.0
    prices[meters[1], 50:54] = 2.0
    law = scenario.network.law
    law.value_usd_per_gbit[:] = law.expiry_usd_per_gbit[:] = law.late_usd_per_gbit_s[:] = 0.0
    law.settle_usd_per_gbit[:] = 0.0
    # The first meter is worth 4 s at 1, the second 4 s at 2: the link is sold for the larger.
    assert bound_usd_per_h(scenario, world, prices) == pytest.approx(16.0 / 10.0 * 3600, rel=1e-3)


def test_the_clairvoyant_comes_close_while_links_fail():
    """It sees every failure, but orders no rate that telemetry does not allow."""
    overrides = {"time.intervals": 60, "failures.flap": {}, "failures.accelerate": 400.0}
    scenario = load_scenario("metro-inference", overrides)
    world = draw_world(scenario, "train", 3)
    assert (world.outages.since > 0).any()
    plan = plan_episode(scenario, world)
    earned = money(scenario, ClairvoyantRule([plan]), [world])[0]
    assert plan.bound_usd_per_h * 0.95 <= earned <= plan.bound_usd_per_h


def test_plans_of_other_failures_are_not_taken_for_these():
    scenario = star(n_sites=1, per_site=1, tunnels=1, intervals=6)
    world = random_world(scenario, 0)
    early, late = (
        failing(scenario, world, outage([1], 10.0 + s, 20.0, announced_s=None)) for s in (1, 7)
    )
    assert np.array_equal(early.capacity_gbps, late.capacity_gbps)
    assert fingerprint(early) != fingerprint(late)
    assert fingerprint(world) == fingerprint(replace(world, outages=None))
