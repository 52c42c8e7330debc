"""Orders of `mpc` and `stochastic-lp`: what a plan over the hours ahead does, worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ordering import ports, steady_world

from bwalloc.allocate import make_rule
from bwalloc.allocate.orders.planned import (
    SCENARIOS,
    Ahead,
    OverScenarios,
    followed,
    mpc_tiers,
    scenario_tiers,
)
from bwalloc.allocate.orders.recent import usual_gbps
from bwalloc.allocate.orders.rules import OrderingRule, load_of
from bwalloc.allocate.orders.tier_plan import TierPlanner, backwards
from bwalloc.allocate.policy.constants import CONSTANTS
from bwalloc.allocate.rule import Context
from bwalloc.bench.tuning import ORDERS, SPACES
from bwalloc.observe import measured
from bwalloc.scenario import draw_world
from bwalloc.sim import Episodes, Simulator

SIZES = [1.0, 2.0, 5.0, 10.0]
LAWS = {"mpc": mpc_tiers, "stochastic-lp": scenario_tiers}


def context(scenario, *worlds, **tuned):
    return Context(scenario.network, measured(worlds, scenario.timing.interval_s), tuned)


def readings_of(scenario, gbps, *, tier=2.0, paid_left_s=1800.0, hour=0.0):
    """Telemetry after an interval in which each site offered `gbps` and nothing waits."""
    simulator, episodes = Simulator(scenario), Episodes([steady_world(scenario, gbps)])
    state = simulator.start(1)
    rates = np.ones((*scenario.network.tunnels.exists.shape, 1), np.float32)
    readings = simulator.step(state, rates, episodes).readings
    return replace(
        readings,
        queued_gbit=readings.queued_gbit * 0,
        tier_gbps=np.full((2, 1), tier),
        paid_left_s=np.full((2, 1), paid_left_s),
        pending_gbps=np.full((2, 1), np.nan),
        hour_of_week=np.array([hour]),
    )


def asked(law, readings):
    """Tier wanted on the first span, None to wait."""
    law.reset()
    for _ in range(20):
        law.push(readings)
    place = int(law.wanted(readings)[0, 0])
    return None if place < 0 else SIZES[place]


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize(
    ("gbps", "tier", "paid_left_s", "expected"),
    [
        (4.0, 2.0, 1800, 5.0),  # 2 more of 4 Gbit/s earn 14.4 USD/h for 4.8 more
        (0.5, 5.0, 3000, None),  # fifty minutes are paid: to wait costs nothing
        (0.5, 5.0, 600, 1.0),  # they end when the order lands
        (1.9, 2.0, 1800, None),  # it fits
    ],
)
def test_orders_at_a_steady_load(tmp_path, name, gbps, tier, paid_left_s, expected):
    scenario = ports(tmp_path)
    known = context(scenario, steady_world(scenario, gbps), headroom=1.0)
    readings = readings_of(scenario, gbps, tier=tier, paid_left_s=paid_left_s)

    assert expected == asked(LAWS[name](known), readings)


def test_tiers_go_up_ahead_of_the_hour_in_which_the_load_comes(tmp_path):
    """From nothing at half past 7 to 8 Gbit/s at half past 8; an order lands within ten minutes."""
    scenario = ports(tmp_path)
    known = context(scenario, steady_world(scenario, 0.5), headroom=1.0)
    hourly = np.zeros_like(known.history.hourly_gbps)
    hourly[8:20, scenario.network.demands.rows_of("kv_transfer")] = 8.0
    law = mpc_tiers(replace(known, history=replace(known.history, hourly_gbps=hourly)))

    assert asked(law, readings_of(scenario, 0.0, hour=7.0)) is None
    assert asked(law, readings_of(scenario, 0.0, hour=7.5, paid_left_s=600.0)) == 10.0
    assert asked(law, readings_of(scenario, 0.0, hour=6.0, paid_left_s=600.0)) == 1.0
    assert asked(law, readings_of(scenario, 0.0, hour=7.9)) == 10.0
    assert asked(law, readings_of(scenario, 8.0, tier=10.0, paid_left_s=3600.0, hour=9.0)) is None


def test_scenarios_order_for_what_may_come_and_a_mean_does_not(tmp_path):
    """Half of all intervals bring 3.6 Gbit/s, half nothing: the mean of 1.8 fits into 2 Gbit/s."""
    scenario = ports(tmp_path, {"classes.kv_transfer.value_usd_per_gbit": 6e-3})
    turns = np.where(np.arange(240) % 2, 3.6, 0.0)
    known = context(scenario, steady_world(scenario, turns), headroom=1.0)
    readings = readings_of(scenario, 1.8)

    assert asked(mpc_tiers(known), readings) is None
    assert asked(scenario_tiers(known), readings) == 5.0


def test_an_order_that_lands_too_late_for_its_horizon_is_not_placed(tmp_path):
    slow = {"offers.carrier.delay_median_s": 1700.0}
    scenario = ports(tmp_path, slow)
    known = context(scenario, steady_world(scenario, 4.0), headroom=1.0)
    readings = readings_of(scenario, 4.0)

    assert asked(mpc_tiers(replace(known, tuned={"order_h": 0.5})), readings) is None
    assert asked(mpc_tiers(replace(known, tuned={"order_h": 2.0})), readings) == 5.0


def test_loads_return_to_the_usual_day(tmp_path):
    scenario = ports(tmp_path)
    known = context(scenario, steady_world(scenario, 1.0), tau_h=0.5)
    ahead, row = Ahead(known, load_of(known)), scenario.network.demands.rows_of("kv_transfer")[0]
    readings = readings_of(scenario, 5.0)
    ahead.push(readings)
    expected = ahead.load_gbps(readings)[row, :, 0]

    np.testing.assert_allclose(expected, 1.0 + 4.0 * np.exp(-ahead.after_h / 0.5), rtol=1e-3)
    assert 24 == ahead.steps
    assert 300.0 == ahead.step_s


def test_what_waits_counts_by_its_deadline_and_then_by_its_mean(tmp_path):
    scenario = ports(tmp_path)
    known = context(scenario, steady_world(scenario, 1.0))
    ahead, row = Ahead(known, load_of(known)), scenario.network.demands.rows_of("bulk_ingest")[0]
    readings = readings_of(scenario, 1.0)
    readings.queued_gbit[row, 0] = 900.0
    load = ahead.load_gbps(readings)[row, :, 0]

    assert load[0] == pytest.approx(load_of(known).due_gbps(readings)[row, 0])
    assert load[-1] == pytest.approx(known.history.mean_gbps[row], abs=1e-6)


def test_scenarios_are_what_followed_the_record(tmp_path):
    """Where the record is steady the forecast is right; without one it is taken as right."""
    scenario = ports(tmp_path)
    known = context(scenario, *[steady_world(scenario, 2.0)] * 2)
    ahead = Ahead(known, load_of(known))
    ratio = followed(known.history, ahead, 60.0)
    rows = scenario.network.demands.rows_of("kv_transfer")

    assert (SCENARIOS, scenario.network.n_demands, ahead.steps) == ratio.shape
    np.testing.assert_allclose(ratio[:, rows], 1.0, rtol=1e-2)
    short = ports(tmp_path, {"time.intervals": 60})
    little = context(short, steady_world(short, 2.0))
    assert (followed(little.history, Ahead(little, load_of(little)), 60.0) == 1.0).all()


def test_worth_over_scenarios_is_their_mean(tmp_path):
    scenario = ports(tmp_path)
    known = context(scenario, draw_world(scenario, "train", 0))
    load = load_of(known)
    ahead = Ahead(known, load)
    worth = OverScenarios(known, load, ahead)
    gbps = np.full((scenario.network.n_demands, ahead.steps, 1), 1.5)
    each = [load.worth_usd_per_h(gbps * ratio[:, :, None]) for ratio in worth.ratio]

    np.testing.assert_allclose(worth(gbps), np.mean(each, 0))
    assert np.std(each, 0).max() > 0.0


def test_columns_of_the_programme_are_planned_as_alone(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 90})
    terms = TierPlanner(scenario, draw_world(scenario, "train", 1)).terms(0)
    worth = np.random.default_rng(0).gamma(0.5, 0.3, (90, 4, 3)).cumsum(1)
    value, choice = backwards(terms, worth)

    for column in range(3):
        alone, chosen = backwards(terms, worth[:, :, column : column + 1])
        np.testing.assert_allclose(value[..., column], alone[..., 0])
        assert np.array_equal(choice[..., column], chosen[..., 0])
    assert (choice >= 0).any()


def test_the_usual_day_is_between_the_middles_of_its_hours():
    hourly = np.arange(24.0)[:, None]

    assert [[7.5, 8.0, 11.5]] == usual_gbps(hourly, np.array([8.0, 8.5, 23.0 + 0.5 + 0.5])).tolist()


@pytest.mark.parametrize("name", LAWS)
def test_both_order_by_their_own_law(tmp_path, name):
    scenario = ports(tmp_path)
    history = measured([steady_world(scenario, 1.0)], 60.0)
    rule = make_rule(name, scenario.network, history, {name: {"order_h": 1.0}})

    assert isinstance(rule, OrderingRule)
    assert type(rule.law).__name__ == "HorizonTiers"
    assert 12 == rule.law.ahead.steps
    assert set(ORDERS[name]) <= set(CONSTANTS[name])
    assert not set(ORDERS[name]) & set(SPACES[name])
