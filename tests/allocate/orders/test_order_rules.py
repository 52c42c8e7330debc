"""Rules that order: each decides what can be worked out by hand, and none breaks a limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ordering import forked, ports, steady_world

from bwalloc.allocate import CLASSICAL, ORDERING, make_allocator, make_rule, orders_of
from bwalloc.allocate.orders.rules import Newsvendor, TwoBar, best_tier, peak_tier
from bwalloc.allocate.orders.span_load import SpanLoad
from bwalloc.allocate.rule import Context
from bwalloc.observe import measured
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.sim import Episodes, Simulator, telemetry_of
from bwalloc.sim.play import play

SIZES = [1.0, 2.0, 5.0, 10.0]


def context(scenario, gbps, **tuned):
    """What rules know after a record of a steady load of interactive traffic."""
    history = measured([steady_world(scenario, gbps)], scenario.timing.interval_s)
    return Context(scenario.network, history, tuned)


def readings_of(scenario, gbps, *, tier=2.0, paid_left_s=1800.0, pending=np.nan):
    """Telemetry after an interval in which each site offered `gbps`."""
    simulator, episodes = Simulator(scenario), Episodes([steady_world(scenario, gbps)])
    rates = np.zeros((*scenario.network.tunnels.exists.shape, 1), np.float32)
    state = simulator.start(1)
    state.queued_gbit[:] = 0
    readings = simulator.step(state, rates + 1.0, episodes).readings
    spans = {
        "tier_gbps": np.full((2, 1), tier),
        "paid_left_s": np.full((2, 1), paid_left_s),
        "pending_gbps": np.full((2, 1), pending),
    }
    return replace(readings, queued_gbit=readings.queued_gbit * 0, **spans)


def asked(law, readings):
    """Tier wanted on the first span, None to wait."""
    law.reset()
    for _ in range(20):
        law.push(readings)
    place = int(law.wanted(readings)[0, 0])
    return None if place < 0 else SIZES[place]


@pytest.mark.parametrize(
    ("gbps", "tier", "paid_left_s", "expected"),
    [
        (1.5, 2.0, 1800, None),  # fits, and the hour is paid
        (1.5, 5.0, 1800, None),  # never down inside the hour
        (1.5, 5.0, 300, 2.0),  # down at renewal: 1.5 x 2^-.2 = 1.3
        (2.2, 5.0, 300, 2.0),  # 2.2 x 0.87 = 1.9
        (2.4, 2.0, 300, 5.0),  # up at renewal: 2.1
        (2.4, 2.0, 1800, None),  # 2.4 x 0.5 is no more than 2
        (4.2, 2.0, 1800, 5.0),  # twice the tier is wanted
        (30.0, 2.0, 1800, 10.0),  # no tier is large enough
    ],
)
def test_the_gate(tmp_path, gbps, tier, paid_left_s, expected):
    scenario = ports(tmp_path)
    law = TwoBar(context(scenario, gbps, renewal=-0.2, bar=-1.0))

    assert expected == asked(law, readings_of(scenario, gbps, tier=tier, paid_left_s=paid_left_s))


def test_the_lead_of_the_gate_is_a_quantile_of_the_delay_and_the_time_to_the_next_order(tmp_path):
    """Orders are placed every 5 minutes of 60 s: what waits for the next one comes 4 later."""
    scenario = ports(tmp_path)
    known = context(scenario, 0.5, lead=0.95)
    slow = ports(tmp_path, {"offers.carrier.delay_median_s": 900.0})

    lead = 300 * np.exp(0.5 * 1.6448536) + 240
    for seconds, expected in ((lead - 1, 1.0), (lead + 1, None)):
        assert expected == asked(
            TwoBar(known), readings_of(scenario, 0.5, tier=5.0, paid_left_s=seconds)
        )
    slowly = TwoBar(context(slow, 0.5, lead=0.95))
    assert asked(slowly, readings_of(slow, 0.5, tier=5.0, paid_left_s=lead + 1)) == 1.0


def test_load_goes_where_it_is_cheap_if_thrift_says_so(tmp_path):
    """Two ways to the cloud, one of them 4 times as dear: 1 and 1/4 parts, or all on the cheap."""
    path = forked(tmp_path, dear=16.0, core=0.0)
    network = load_scenario(path).network
    names = [network.spans.name[span] for span in network.offers.span]
    dear = names.index("branch-1--other")
    even, thrifty, keen = (SpanLoad(network, thrift).share[:, :, 0] for thrift in (0, 1, 9))

    assert [0.5, 0.5] == even.max(1).tolist()
    assert pytest.approx(0.2) == thrifty.max(1)[dear]
    assert pytest.approx(0.8) == thrifty.max(1)[1 - dear]
    assert keen.max(1)[dear] < 1e-4


def test_what_is_never_worth_a_port_is_no_reason_to_order(tmp_path):
    """A Gbit/s costs 1.71 to 4 USD an hour, 2.6 in the middle, and earns 7.2, 2.5, or 0.036."""
    scenario = ports(tmp_path)
    cheap = ports(tmp_path, {"classes.bulk_ingest.value_usd_per_gbit": 1e-5})
    rows = scenario.network.demands.rows_of("bulk_ingest")
    both, without = (SpanLoad(each.network).share.sum((0, 1)) for each in (scenario, cheap))

    assert (both == 1).all()
    assert (without[rows] == [0, 0]).all()
    assert (np.delete(without, rows) == 1).all()


def test_a_late_transfer_costs_its_fee_besides_its_value(tmp_path):
    scenario = ports(tmp_path)
    load, row = SpanLoad(scenario.network), scenario.network.demands.rows_of("bulk_ingest")[0]
    gbps = np.zeros(scenario.network.n_demands)
    gbps[row] = 1.0

    assert pytest.approx((5e-4 + 1e-4) * 3600) == load.worth_usd_per_h(gbps)[0].max()


def test_the_best_fixed_tier_weighs_value_against_price(tmp_path):
    """4 Gbit/s at 2e-3 USD/Gbit: 5 G earn 28.8 for 11.03 USD/h, 2 G earn 14.4 for 6.19."""
    scenario = ports(tmp_path)

    assert [2, 2] == best_tier(context(scenario, 4.0)).place.tolist()
    assert [0, 0] == best_tier(context(scenario, 4.0, worth=0.3)).place.tolist()
    assert [0, 0] == best_tier(context(scenario, 0.1)).place.tolist()
    assert [2, 2] == peak_tier(context(scenario, 4.0)).place.tolist()


def test_the_newsvendor_goes_up_for_a_load_that_pays_and_down_when_the_hour_ends(tmp_path):
    scenario = ports(tmp_path)
    law = Newsvendor(context(scenario, 4.0, sigma=0.1))
    assert asked(law, readings_of(scenario, 4.0, tier=2.0, paid_left_s=60.0)) == 5.0
    low = Newsvendor(context(scenario, 0.5, sigma=0.1))
    assert asked(low, readings_of(scenario, 0.5, tier=5.0, paid_left_s=3500.0)) == 5.0
    assert asked(low, readings_of(scenario, 0.5, tier=5.0, paid_left_s=60.0)) == 1.0


def test_the_newsvendor_pays_more_for_what_comes_in_time(tmp_path):
    """Of 5 G in 25 minutes and 6 G at once, dearer, the horizon of half an hour takes the latter.

    Over a day it takes the cheaper one.
    """
    express = (
        '[offers.express]\nspans = "branch-*"\ntiers_gbps = [6]\nusd_per_h = [13.0]\n'
        "delay_median_s = 30\n"
    )
    scenario = ports(tmp_path, {"offers.carrier.delay_median_s": 1500.0}, offers=express)
    readings = readings_of(scenario, 4.5, paid_left_s=0.0)
    wanted = []
    for horizon_h in (0.5, 24.0):
        law = Newsvendor(context(scenario, 4.5, sigma=0.05, horizon_h=horizon_h, worth=3.0))
        law.push(readings)
        law.push(readings)
        wanted.append(scenario.network.offers.tier_gbps[0, law.wanted(readings)[0, 0]])

    assert [6.0, 5.0] == wanted


def test_backlog_needs_what_meets_its_deadline(tmp_path):
    """240 Gbit due in 10 of 24 slots of a bulk job."""
    scenario = ports(tmp_path)
    load, row = SpanLoad(scenario.network), scenario.network.demands.rows_of("bulk_ingest")[0]
    readings = readings_of(scenario, 1.0)
    readings.queued_gbit[row, 9] = 240.0

    due_s = scenario.network.demands.deadline_s[row] * 10 / 24
    assert pytest.approx(240.0 / due_s) == load.due_gbps(readings)[row, 0]


@pytest.mark.parametrize("name", [*CLASSICAL, *ORDERING])
def test_every_allocator_orders_and_breaks_nothing(tmp_path, name):
    scenario = ports(tmp_path, {"time.intervals": 90})
    worlds = [draw_world(scenario, "validation", seed) for seed in range(2)]
    history = measured([draw_world(scenario, "train", 0)], scenario.timing.interval_s)
    rule = make_rule(name, scenario.network, history, scenario.tuned)
    played, again = (play(scenario, rule, worlds) for _ in range(2))

    assert 0 == played.violations
    assert (2, 2) == played.orders.shape
    assert played.bill_usd.sum(0) == pytest.approx(played.terms["bandwidth"])
    assert np.array_equal(played.net_usd, again.net_usd)
    # One by one the same, as pairing needs.
    alone = play(scenario, rule, worlds[1:])
    assert alone.net_usd[0] == pytest.approx(played.net_usd[1], rel=1e-4)
    assert np.array_equal(alone.orders[:, 0], played.orders[:, 1])


def test_rules_order_where_they_should(tmp_path):
    """A port of 2 G that is offered 8: all who look at the load order more."""
    scenario = ports(tmp_path, {"time.intervals": 60})
    world = steady_world(scenario, 8.0)
    history = measured([world], scenario.timing.interval_s)
    for name in (*CLASSICAL, *ORDERING):
        rule = make_rule(name, scenario.network, history, {})
        assert (play(scenario, rule, [world]).orders >= 1).all(), name


def test_where_nothing_is_sold_they_are_the_rules_they_were(tmp_path):
    scenario = load_scenario("tiny-edge", {"time.intervals": 40})
    world = draw_world(scenario, "train", 0)
    history = measured([world], scenario.timing.interval_s)
    forecast, two_bar = (
        make_rule(name, scenario.network, history, scenario.tuned)
        for name in ("forecast", "two-bar")
    )

    assert type(forecast) is type(two_bar)
    played = play(scenario, two_bar, [world])
    assert np.array_equal(played.net_usd, play(scenario, forecast, [world]).net_usd)
    assert (0, 1) == played.orders.shape
    rule = make_rule("forecast", scenario.network, history, scenario.tuned)
    assert orders_of(rule, None) is None


def test_a_session_says_orders_in_its_decision(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 60})
    session = make_allocator("two-bar", scenario).bind(scenario.network)
    simulator, episodes = Simulator(scenario), Episodes([steady_world(scenario, 30.0)])
    state = simulator.start(1)
    readings = simulator.first_readings(state, episodes)
    said = []
    for _ in range(7):
        decision = session.decide(telemetry_of(scenario.network, readings))
        said.append([(order.span, order.tier_gbps) for order in decision.orders])
        rates = decision.rates_gbps[:, :, None].astype(np.float32)
        step = simulator.step(state, rates, episodes)
        state, readings = step.state, step.readings

    assert [] == said[1] == said[2] == said[3] == said[4] == said[6]
    assert [("branch-1--hub", 10.0), ("branch-2--hub", 10.0)] == said[5]


def test_rules_that_follow_the_load_earn_more_than_any_fixed_tier_where_it_moves_for_hours(
    tmp_path,
):
    """Half a Gbit/s for four hours, 8 for four, half for four; no tier fits both."""
    scenario = ports(tmp_path, {"time.intervals": 720})
    load = np.repeat([0.5, 8.0, 0.5], 240)
    world = steady_world(scenario, load, wait=5)
    history = measured([world], scenario.timing.interval_s)
    base = make_rule("best-tier", scenario.network, history, {})
    fixed = []
    for place in range(4):
        base.law.place = np.full(2, place)
        fixed.append(play(scenario, base, [world]).net_usd[0])
    earned = {
        name: play(scenario, make_rule(name, scenario.network, history, {}), [world])
        for name in ("schedule", "autoscale", "newsvendor", "two-bar")
    }

    for name, played in earned.items():
        assert played.net_usd[0] > max(fixed), (name, fixed)
        assert (played.orders <= 8).all(), name
