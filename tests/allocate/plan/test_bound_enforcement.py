"""The bound holds under what a plane makes of rates, or says that it is not known."""

from dataclasses import replace

import numpy as np
import pytest
from builders import failing, outage, random_world, star
from hypothesis import given, settings
from hypothesis import strategies as st
from playing import RandomRule

from bwalloc.allocate import CLASSICAL, make_rule
from bwalloc.allocate.plan.bound import bound_usd_per_h
from bwalloc.allocate.plan.clairvoyant import ClairvoyantRule, plan_episode
from bwalloc.errors import ScenarioError
from bwalloc.observe import measured
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.scenario.enforcement import Enforcement
from bwalloc.sim.play import play

PLANES = st.builds(
    Enforcement,
    burst_s=st.sampled_from([0.0, 0.3, 2.0, 8.0]),
    burst_gbit=st.sampled_from([0.0, 0.5]),
    update_latency_s=st.sampled_from([0.0, 2.0, 4.6, 10.0]),
    least_gbps=st.sampled_from([0.0, 0.05]),
)


def money(scenario, rule, worlds):
    """USD per hour of each episode."""
    return play(scenario, rule, worlds).net_usd / scenario.timing.counted_h


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    mean=st.floats(0.1, 4),
    policed=st.booleans(),
    plane=PLANES,
    fails=st.booleans(),
)
def test_nobody_exceeds_the_bound_under_any_plane(seed, mean, policed, plane, fails):
    scenario = star(n_sites=3, per_site=4, seed=seed, policed_core=policed, intervals=12)
    scenario = replace(scenario, enforcement=plane)
    world = random_world(scenario, seed, mean_gbps=mean)
    world.arrivals_gbit[:] *= np.random.default_rng(seed).random((12, 10, 12)) < 0.4
    if fails:
        world = failing(scenario, world, outage([1], 63.0, 85.0), outage([6], 72.0, 91.0, 0.4))
    plan = plan_episode(scenario, world)
    history = measured([world], scenario.timing.interval_s)
    rules = {name: make_rule(name, scenario.network, history, {}) for name in CLASSICAL}
    rules |= {"random": RandomRule(scenario.network, seed), "clairvoyant": ClairvoyantRule([plan])}
    for name, rule in rules.items():
        assert money(scenario, rule, [world])[0] <= plan.bound_usd_per_h, name


def one_burst(plane):
    """A meter of 1 Gbit/s, idle until 10 Gbit arrive that live for a second."""
    scenario = star(1, 1, tunnels=1, policed_core=True, intervals=8)
    scenario.network.links.capacity_gbps[:] = [50.0, 1.0]
    scenario = replace(scenario, enforcement=plane)
    law = scenario.network.law
    law.expiry_usd_per_gbit[:] = law.late_usd_per_gbit_s[:] = 0.0
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 0.0
    world.arrivals_gbit[6, 5] = 40.0
    prices = np.zeros((2, 80))
    prices[1, 65] = law.value_usd_per_gbit[0, 0]
    return scenario, world, prices


class Full:
    """The whole link, always."""

    def reset(self, batch):
        """Nothing to forget."""

    def decide(self, readings):
        """One demand, one tunnel."""
        return np.full((1, 1, readings.offered_gbps.shape[1]), 1 - 1e-6, np.float32)


@pytest.mark.parametrize(
    ("plane", "gbit"),
    [(Enforcement(), 1.0), (Enforcement(burst_s=3.0), 4.0), (Enforcement(burst_gbit=2.0), 3.0)],
)
def test_what_a_bucket_holds_is_in_the_bound_to_the_cent(plane, gbit):
    """At these prices the bound is what the substep and the bucket carry, which the rule earns."""
    scenario, world, prices = one_burst(plane)
    bound = bound_usd_per_h(scenario, world, prices)
    earned = money(scenario, Full(), [world])[0]
    value = scenario.network.law.value_usd_per_gbit[0, 0]

    assert earned == pytest.approx(gbit * value / scenario.timing.counted_h, rel=1e-3)
    assert earned <= bound
    assert bound == pytest.approx(earned, rel=2e-2)
    if gbit > 1.0:
        plain = replace(scenario, enforcement=Enforcement())
        assert earned > bound_usd_per_h(plain, world, prices)


def two_halves(plane):
    """A link of 1 Gbit/s with two meters, in one interval idle one after the other.

    Work lives for a second, and is worth the same.
    """
    scenario = star(2, 1, tunnels=1, policed_core=True, intervals=8)
    scenario.network.links.capacity_gbps[:] = [50.0, 50.0, 1.0]
    scenario = replace(scenario, enforcement=plane)
    law = scenario.network.law
    law.expiry_usd_per_gbit[:] = law.late_usd_per_gbit_s[:] = 0.0
    law.value_usd_per_gbit[0] = law.value_usd_per_gbit[1]
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 0.0
    world.arrivals_gbit[6, :5, 0] = world.arrivals_gbit[6, 5:, 1] = 40.0
    meters = scenario.network.pools().hops[:, 1]
    prices = np.zeros((4, 80))
    prices[meters[0], 60:65] = prices[meters[1], 65:70] = law.value_usd_per_gbit[0, 0]
    return scenario, world, prices


class OneThenOther(Full):
    """The whole link to the first demand, from the seventh interval on to the second."""

    def reset(self, batch):
        """Begin to count."""
        self.decisions = 0

    def decide(self, readings):
        """Two demands, one tunnel each."""
        self.decisions += 1
        rates = np.zeros((2, 1, readings.offered_gbps.shape[1]), np.float32)
        rates[int(self.decisions > 6)] = 1 - 1e-6
        return rates


class Halves(Full):
    """Half of the link to each."""

    def decide(self, readings):
        """Two demands, one tunnel each."""
        return np.full((2, 1, readings.offered_gbps.shape[1]), 0.5 - 1e-6, np.float32)


def test_an_update_within_an_interval_is_in_the_bound_to_the_cent():
    """A meter is served until the update, another one after it: no one decision does both."""
    scenario, world, prices = two_halves(Enforcement(update_latency_s=5.0))
    bound = bound_usd_per_h(scenario, world, prices)
    earned = money(scenario, OneThenOther(), [world])[0]
    value = 5.0 * scenario.network.law.value_usd_per_gbit[:, 0].sum()

    assert earned == pytest.approx(value / scenario.timing.counted_h, rel=1e-3)
    assert earned <= bound
    assert bound == pytest.approx(earned, rel=2e-2)
    plain = replace(scenario, enforcement=Enforcement())
    assert earned > bound_usd_per_h(plain, world, prices)


def test_each_tunnel_of_a_link_has_a_least_bucket_in_the_bound():
    """Two meters hold 2 Gbit each, and send them in the same second."""
    scenario, world, prices = two_halves(Enforcement(burst_gbit=2.0))
    world.arrivals_gbit[6] = 0.0
    world.arrivals_gbit[6, 5] = 40.0
    value = scenario.network.law.value_usd_per_gbit[0, 0]
    prices[:] = 0.0
    prices[scenario.network.pools().hops[:, 1], 65] = value
    bound = bound_usd_per_h(scenario, world, prices)
    earned = money(scenario, Halves(), [world])[0]

    assert earned == pytest.approx((1.0 + 2 * 2.0) * value / scenario.timing.counted_h, rel=1e-3)
    assert earned <= bound
    assert bound == pytest.approx(earned, rel=2e-2)


def test_headers_are_known_to_plan_and_bound():
    scenario = load_scenario("tiny-edge", {"time.intervals": 40, "header_share": 0.1})
    world = draw_world(scenario, "train", 3)
    plan = plan_episode(scenario, world)
    earned = money(scenario, ClairvoyantRule([plan]), [world])[0]
    assert 0.9 * plan.bound_usd_per_h <= earned <= plan.bound_usd_per_h


def test_buckets_beside_groups_that_stall_are_refused():
    scenario = star(n_sites=3, groups=1, intervals=8)
    scenario = replace(scenario, enforcement=Enforcement(burst_s=0.1))
    with pytest.raises(ScenarioError, match=r"'star' has groups that stall .* Set both to 0"):
        plan_episode(scenario, random_world(scenario, 0))


def test_late_updates_beside_groups_that_stall_are_not():
    scenario = star(n_sites=3, per_site=3, groups=1, intervals=8)
    scenario = replace(scenario, enforcement=Enforcement(update_latency_s=4.6, least_gbps=0.02))
    world = random_world(scenario, 1)
    plan = plan_episode(scenario, world)
    for rule in (RandomRule(scenario.network, 1), ClairvoyantRule([plan])):
        assert money(scenario, rule, [world])[0] <= plan.bound_usd_per_h
