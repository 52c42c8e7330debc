"""With orders: the bound holds for every allocator, and the clairvoyant plays what it planned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordering import ports, steady_world

from bwalloc.allocate import CLASSICAL, ORDERING, make_rule
from bwalloc.allocate.orders.rules import OrderingRule
from bwalloc.allocate.plan.bound import bound_usd_per_h
from bwalloc.allocate.plan.clairvoyant import ClairvoyantRule, plan_episode
from bwalloc.allocate.rule import Context
from bwalloc.observe import measured
from bwalloc.scenario import draw_world
from bwalloc.sim.play import play

ORDERS_OF_THEIR_OWN = ("static-peak", "best-tier", "schedule", "autoscale", "newsvendor", "two-bar")
LINEAR = {"offers.carrier.volume_exponent": 1.0}


class RandomTiers:
    """Orders drawn anew whenever they are asked for."""

    def __init__(self, seed, tiers):
        self.seed, self.tiers = seed, tiers
        self.reset()

    def reset(self):
        self.rng = np.random.default_rng(self.seed)

    def push(self, readings):
        """Nothing to remember."""

    def wanted(self, readings):
        return self.rng.integers(-1, self.tiers, readings.tier_gbps.shape)


def money(scenario, rule, worlds):
    """USD per hour of each episode."""
    played = play(scenario, rule, worlds)
    assert 0 == played.violations
    return played.net_usd / scenario.timing.counted_h


def rules_of(scenario, names, worlds):
    history = measured(worlds, scenario.timing.interval_s)
    return {name: make_rule(name, scenario.network, history, scenario.tuned) for name in names}


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    delay=st.sampled_from([0.0, 300.0]),
    core=st.sampled_from([4.0, 20.0]),
    policed=st.booleans(),
    fails=st.booleans(),
    exponent=st.sampled_from([0.63, 1.0, 1.4]),
)
def test_nobody_exceeds_the_bound(tmp_path_factory, seed, delay, core, policed, fails, exponent):
    overrides = {
        "time.intervals": 75,
        "time.warmup_intervals": 5,
        "offers.carrier.min_billed_s": 900,
        "offers.carrier.billed_every_s": 600,
        "offers.carrier.rejection": 0.1,
        "offers.carrier.volume_exponent": exponent,
        "network.span_groups.port.enforcement": "policed" if policed else "work_conserving",
    }
    if fails:
        overrides |= {"failures.flap": {}, "failures.partial": {}, "failures.accelerate": 300.0}
    folder = tmp_path_factory.mktemp("ports")
    scenario = ports(folder, overrides, core=core, delay=delay)
    world = draw_world(scenario, "test", seed)
    plan = plan_episode(scenario, world)
    rules = rules_of(scenario, ORDERS_OF_THEIR_OWN, [world])
    context = Context(scenario.network, measured([world], 60.0), {})
    rules["random"] = OrderingRule(context, rules["two-bar"].base, RandomTiers(seed, 4))
    rules["clairvoyant"] = ClairvoyantRule([plan], scenario.network)
    for name, rule in rules.items():
        assert money(scenario, rule, [world])[0] <= plan.bound_usd_per_h, name
    drawn = np.random.default_rng(seed).uniform(
        -2e-3, 2e-3, (len(scenario.network.pools().link), 150)
    )
    earned = money(scenario, rules["clairvoyant"], [world])[0]
    assert earned <= bound_usd_per_h(scenario, world, drawn)


def test_without_delays_the_clairvoyant_is_above_every_allocator_on_average(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 240, "time.warmup_intervals": 30}, delay=0.0)
    worlds = [draw_world(scenario, "test", seed) for seed in range(4)]
    plans = [plan_episode(scenario, world) for world in worlds]
    clairvoyant = money(scenario, ClairvoyantRule(plans, scenario.network), worlds)
    bounds = np.array([plan.bound_usd_per_h for plan in plans])

    assert (clairvoyant <= bounds).all()
    record = [draw_world(scenario, "train", seed) for seed in range(4)]
    for name, rule in rules_of(scenario, (*CLASSICAL, *ORDERING), record).items():
        earned = money(scenario, rule, worlds)
        assert (earned <= bounds).all(), name
        assert earned.mean() < clairvoyant.mean(), name


def test_planned_orders_land_where_they_were_planned_to(tmp_path):
    scenario = ports(
        tmp_path,
        {"time.intervals": 240, "time.warmup_intervals": 0, "offers.carrier.rejection": 0.2},
    )
    worlds = [draw_world(scenario, "test", seed) for seed in range(3)]
    plans = [plan_episode(scenario, world) for world in worlds]
    played = play(scenario, ClairvoyantRule(plans, scenario.network), worlds)
    planned = np.stack([(plan.orders >= 0).sum(0) for plan in plans], 1)

    assert planned.sum() >= 3
    assert planned.tolist() == played.orders.tolist()
    assert 0 == played.rejected.sum()
    alone = play(scenario, ClairvoyantRule(plans, scenario.network), worlds[:1])
    assert alone.orders[:, 0].tolist() == played.orders[:, 0].tolist()


def test_a_steady_port_by_hand(tmp_path):
    """10 Gbit/s for four hours, a linear tariff: 10 G from minute 1 on is best, and near the bound.

    A Gbit earns 2e-3 USD; 10 G cost 10 USD an hour, 10 Gbit/s earn 72. In the first minute 2 G
    are there, whose hour is lost; the prices of the bound do not see these 2 USD.
    """
    terms = {"offers.carrier.usd_per_h_at_1_gbps": 1.0, **LINEAR}
    scenario = ports(tmp_path, terms, delay=0.0)
    world = steady_world(scenario, 10.0)
    plan = plan_episode(scenario, world)

    earned = 2e-3 * 60 * (10 * 239 + 2)
    bill = 2.0 + 4 * 10.0  # the last hour is paid for one minute more
    hand = 2 * (earned - bill) / 4.0
    assert hand <= plan.bound_usd_per_h <= 1.015 * hand
    played = money(scenario, ClairvoyantRule([plan], scenario.network), [world])[0]
    assert pytest.approx(hand, rel=0.01) == played
    assert [[3, 3]] == plan.orders[:1].tolist()
    assert (plan.orders[1:] == -1).all()


def test_dearer_prices_of_an_episode_are_in_its_bound(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 60}, delay=0.0)
    world = steady_world(scenario, 8.0)
    dear = replace(world, fates=replace(world.fates, price_factor=4.0))
    bounds = [plan_episode(scenario, each).bound_usd_per_h for each in (world, dear)]
    rule = rules_of(scenario, ["best-tier"], [world])["best-tier"]
    earned = [money(scenario, rule, [each])[0] for each in (world, dear)]

    assert bounds[1] < bounds[0]
    assert earned[1] < earned[0]
    assert earned[1] <= bounds[1]
