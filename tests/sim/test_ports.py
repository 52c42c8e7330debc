"""Tiers in the simulator: orders that land late or never, paid hours, and the two bills."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders import failing, outage
from hypothesis import given, settings
from hypothesis import strategies as st
from ordering import ports, steady_world

from bwalloc.observe import read_telemetry
from bwalloc.scenario import draw_world
from bwalloc.sim import Episodes, Simulator, telemetry_of
from bwalloc.sim.ports import NONE, Ports
from bwalloc.sim.state import State

HOUR = 60
"""Intervals of a minute in an hour."""
USD_PER_H = 4.0 * np.array([1.0, 2.0, 5.0, 10.0]) ** 0.63


def full_rates(scenario, batch=1):
    """Every demand of interactive traffic at the largest tier: cut to what there is."""
    rates = np.zeros((*scenario.network.tunnels.exists.shape, batch), np.float32)
    rates[scenario.network.demands.rows_of("kv_transfer"), 0] = 10.0
    return rates


def run(scenario, worlds, orders, compiled=False):
    """Steps under `orders`: by interval, place in the menu of each span."""
    simulator, episodes = Simulator(scenario, compiled=compiled), Episodes(worlds)
    state, steps = simulator.start(len(worlds)), []
    rates = full_rates(scenario, len(worlds))
    for interval in range(scenario.timing.intervals):
        asked = orders.get(interval) if isinstance(orders, dict) else orders[interval]
        if asked is not None:
            asked = np.broadcast_to(np.reshape(asked, (-1, 1)), (2, len(worlds)))
        steps.append(simulator.step(state, rates, episodes, asked))
        state = steps[-1].state
    return steps


def tiers(steps, span=0):
    """Place in the menu of the tier that is active after each interval."""
    return [int(step.state.ports[0, span, 0]) for step in steps]


def money(steps, name):
    return sum(float(step.terms[name].sum()) for step in steps)


def bill(steps, span=0):
    return [float(step.ports.bill_usd[span, 0]) for step in steps]


def paid(steps, span=0):
    return [float(step.ports.paid_usd[span, 0]) for step in steps]


def test_without_orders_the_first_tier_stays_and_is_billed_by_the_hour(tmp_path):
    scenario = ports(tmp_path)
    steps = run(scenario, [steady_world(scenario, 1.0)], {})

    assert {1} == set(tiers(steps))
    assert pytest.approx([USD_PER_H[1] / 60] * 240) == bill(steps)
    assert pytest.approx(USD_PER_H[1]) == paid(steps)[0]
    assert [0, 59, 119, 179] == np.flatnonzero(paid(steps)).tolist()
    assert pytest.approx(4 * 2 * USD_PER_H[1]) == money(steps, "bandwidth")


def test_an_upgrade_ordered_too_late_serves_nobody_and_is_paid_for(tmp_path):
    """A burst of 5 Gbit/s lasts from minute 60 to 70; 2 Gbit/s fit, work is lost after 30 s.

    Ordered at minute 60, the 5 Gbit/s come at minute 75, 15 minutes after the burst began: no Gbit
    more is served than without. Ordered at minute 45 they are there in time: 3 Gbit/s for ten
    minutes are 1,800 Gbit at 2e-3 USD.
    """
    scenario = ports(tmp_path, {"time.intervals": 120})
    load = np.where((np.arange(120) >= 60) & (np.arange(120) < 70), 5.0, 1.0)
    world = steady_world(scenario, load, wait=15)
    never, late, in_time = (
        run(scenario, [world], orders) for orders in ({}, {60: [2, NONE]}, {45: [2, NONE]})
    )

    assert [1, 2] == [tiers(late)[73], tiers(late)[74]]
    assert money(never, "delivered") == money(late, "delivered")
    gain = money(in_time, "delivered") - money(never, "delivered")
    assert pytest.approx(1_800 * 2e-3, rel=0.01) == gain
    extra = money(late, "bandwidth") - money(never, "bandwidth")
    # 45 minutes at the dearer price, what was left of a paid hour, what is left at the end.
    expected = 45 * (USD_PER_H[2] - USD_PER_H[1]) + 45 * USD_PER_H[1] + 15 * USD_PER_H[2]
    assert pytest.approx(expected / 60) == extra


def test_a_downgrade_inside_the_paid_hour_forfeits_what_is_left_of_it(tmp_path):
    """Landed after 10 minutes of the hour, a release loses 50; landed at its end, nothing."""
    scenario = ports(tmp_path, {"time.intervals": 180})
    world = steady_world(scenario, 0.5, wait=5)
    inside = run(scenario, [world], {5: [0, NONE]})
    at_end = run(scenario, [world], {55: [0, NONE]})

    assert [1, 0] == [tiers(inside)[8], tiers(inside)[9]]
    assert pytest.approx(51 * USD_PER_H[1] / 60) == bill(inside)[9]
    assert pytest.approx([0, 9, 69, 129]) == np.flatnonzero(paid(inside))
    # Three hours from minute 10 on are bought: the last ten minutes of them are charged at the end.
    assert pytest.approx(USD_PER_H[1] + 3 * USD_PER_H[0]) == sum(bill(inside))
    assert pytest.approx(USD_PER_H[1] + 2 * USD_PER_H[0]) == sum(bill(at_end))
    assert pytest.approx(USD_PER_H[1] / 60) == bill(at_end)[59]


def test_of_two_providers_the_dearer_is_right_where_it_comes_in_time(tmp_path):
    """6 Gbit/s in 1 minute at 14 USD/h, or 5 in 15 minutes at 11: a burst is over in 15."""
    express = (
        '[offers.express]\nspans = "branch-1--hub"\ntiers_gbps = [6]\nusd_per_h = [14.0]\n'
        'provider = "express"\n'
    )
    scenario = ports(tmp_path, offers=express)
    assert ("carrier", "carrier", "carrier", "express", "carrier") == (
        scenario.network.offers.provider[0]
    )
    load = np.where((np.arange(240) >= 20) & (np.arange(240) < 35), 6.0, 1.0)
    wait = np.full((240, 2, 5), 15)
    wait[:, 0, 3] = 1
    world = steady_world(scenario, load, wait=wait)
    cheap, dear = (run(scenario, [world], {20: [place, NONE], 40: [1, NONE]}) for place in (2, 3))

    net = [money(steps, "delivered") - money(steps, "bandwidth") for steps in (cheap, dear)]
    assert net[1] > net[0]
    assert money(dear, "bandwidth") > money(cheap, "bandwidth")
    calm = steady_world(scenario, 5.0, wait=wait)
    cheap, dear = (run(scenario, [calm], {0: [place, NONE]}) for place in (2, 3))
    net = [money(steps, "delivered") - money(steps, "bandwidth") for steps in (cheap, dear)]
    assert net[1] < net[0]


def test_a_rejected_order_vanishes_after_its_delay_and_telemetry_shows_it(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 60})
    world = steady_world(scenario, 1.0, wait=4, refused=True)
    steps = run(scenario, [world], {10: [3, NONE], 12: [2, NONE], 15: [2, NONE]})
    shown = [telemetry_of(scenario.network, step.readings).spans for step in steps]

    pending = np.array([each.pending_gbps[0] for each in shown])
    assert [10, 11, 12, 15, 16, 17] == np.flatnonzero(~np.isnan(pending)).tolist()
    assert 10.0 == pending[10]
    assert 5.0 == pending[15]
    assert {1} == set(tiers(steps))
    assert [13, 18] == [row for row, step in enumerate(steps) if step.ports.is_refused.any()]
    assert pytest.approx(sum(bill(run(scenario, [world], {})))) == sum(bill(steps))


def test_the_unpaid_minimum_is_charged_at_the_end(tmp_path):
    """Ordered so that it lands one minute before the end, a tier costs its whole hour."""
    scenario = ports(tmp_path, {"time.intervals": 120})
    world = steady_world(scenario, 1.0, wait=4)
    steps = run(scenario, [world], {115: [3, NONE]})

    assert 3 == tiers(steps)[-1]
    assert pytest.approx(USD_PER_H[3]) == bill(steps)[-1]
    assert pytest.approx(2 * USD_PER_H[1] + USD_PER_H[3]) == sum(bill(steps))
    too_late = run(scenario, [world], {115: [NONE, NONE], 120: [3, NONE]})
    assert 1 == tiers(too_late)[-1]


def test_an_order_that_would_land_after_the_end_is_never_active_and_costs_nothing(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 60})
    world = steady_world(scenario, 1.0, wait=5)
    steps = run(scenario, [world], {55: [3, NONE]})

    assert 1 == tiers(steps)[-1]
    assert pytest.approx(USD_PER_H[1]) == sum(bill(steps))


def test_orders_are_taken_every_five_minutes_one_at_a_time_and_never_taken_back(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 30})
    world = steady_world(scenario, 1.0, wait=7)
    steps = run(scenario, [world], {row: [3, NONE] for row in range(1, 30)} | {10: [0, 0]})

    accepted = [row for row, step in enumerate(steps) if step.ports.is_accepted[0, 0]]
    assert [5] == accepted  # not at 1 to 4; a release at 10 is refused, 10 G is pending
    assert [1, 3] == [tiers(steps)[10], tiers(steps)[11]]
    assert 0 == tiers(steps, 1)[16]


def test_capacity_follows_the_tier_in_both_directions_times_failures(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 20})
    world = failing(scenario, steady_world(scenario, 1.0), outage([0], 10 * 60.0, 1200.0, 0.5))
    steps = run(scenario, [world], {5: [3, NONE]})
    seen = np.array([step.readings.capacity_gbps[:, 0] for step in steps])

    assert [[2, 2]] * 5 == seen[:5, :2].tolist()
    assert pytest.approx(10) == seen[5, 0]
    assert pytest.approx([5, 10]) == seen[10, :2]
    assert (seen[:, 4:] == 20).all()
    record = telemetry_of(scenario.network, steps[9].readings, world=world, interval=10)
    assert pytest.approx(10) == record.links.capacity_gbps[0]
    later = telemetry_of(scenario.network, steps[12].readings, world=world, interval=13)
    assert pytest.approx(5) == later.links.capacity_gbps[0]


def test_rates_above_the_tier_are_cut(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 12})
    steps = run(scenario, [steady_world(scenario, 8.0)], {0: [3, 0]})

    served = np.array([step.flows.served_gbit[:, 0] for step in steps]) / 60.0
    rows = scenario.network.demands.rows_of("kv_transfer")
    assert pytest.approx([2, 2], rel=1e-3) == served[0, rows]
    assert pytest.approx([8, 1], rel=0.05) == served[-1, rows]


def test_telemetry_says_tier_order_and_for_how_long_it_is_paid(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 30})
    world = steady_world(scenario, 1.0, wait=6)
    steps = run(scenario, [world], {5: [2, NONE]})
    spans = [telemetry_of(scenario.network, step.readings).spans for step in steps]

    assert [2, 2, 20] == spans[5].tier_gbps.tolist()
    assert [5.0, 5.0] == [spans[5].pending_gbps[0], spans[9].pending_gbps[0]]
    assert np.isnan(spans[10].pending_gbps).all()
    assert 5 == spans[10].tier_gbps[0]
    assert 54 * 60 == spans[5].paid_until_s[0]
    assert 60 * 60 == spans[10].paid_until_s[0]
    assert np.isnan(spans[10].paid_until_s[2])
    read = read_telemetry(scenario.network, telemetry_of(scenario.network, steps[7].readings))
    for name in ("tier_gbps", "pending_gbps", "paid_left_s"):
        np.testing.assert_array_equal(getattr(read, name), getattr(steps[7].readings, name))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), least=st.integers(0, 90), block=st.integers(1, 90))
def test_amortised_bill_and_unexpired_rest_are_the_hourly_bill_exactly(
    tmp_path_factory, seed, least, block
):
    scenario = ports(
        tmp_path_factory.mktemp("ports"),
        {
            "time.intervals": 150,
            "offers.carrier.min_billed_s": least * 60,
            "offers.carrier.billed_every_s": block * 60,
            "offers.carrier.rejection": 0.2,
            "offers.carrier.order_every_s": 60,
        },
    )
    # Prices in 60ths of whole dollars: every sum is exact.
    scenario.network.offers.usd_per_h[:] = 60 * np.array([1, 2, 4, 8])
    rng = np.random.default_rng(seed)
    asked = rng.integers(NONE, 4, (150, 2))
    worlds = [replace(draw_world(scenario, "train", row)) for row in range(2)]
    steps = run(scenario, worlds, {row: asked[row] for row in range(150)})

    amortised = sum(step.ports.bill_usd for step in steps)
    hourly = sum(step.ports.paid_usd for step in steps)
    assert np.array_equal(amortised, hourly)
    assert amortised.min() >= 150 * 1
    # Before the end, the difference is what is left of the paid blocks.
    part = steps[:100]
    state = Ports(*part[-1].state.ports)
    left = np.maximum(state.paid_until - 100, 0) * np.array([1, 2, 4, 8])[state.tier]
    spent = sum(step.ports.bill_usd for step in part)
    assert np.array_equal(spent + left, sum(step.ports.paid_usd for step in part))


def test_torch_and_the_compiled_twin_play_the_same_tiers(tmp_path):
    torch = pytest.importorskip("torch")
    scenario = ports(tmp_path, {"time.intervals": 40, "offers.carrier.rejection": 0.3})
    worlds = [draw_world(scenario, "train", seed) for seed in range(3)]
    asked = np.random.default_rng(0).integers(NONE, 4, (40, 2))
    plain, twin = (run(scenario, worlds, asked, compiled=c) for c in (False, None))
    simulator, episodes = Simulator(scenario, compiled=False), Episodes(worlds)
    start = simulator.start(3)
    state = State(*(torch.as_tensor(getattr(start, name)) for name in State.__slots__))
    rates = torch.as_tensor(full_rates(scenario, 3))
    for interval, (step, other) in enumerate(zip(plain, twin, strict=True)):
        at = np.full(3, interval)
        load, fates = episodes.load(at), episodes.fates_of(at)
        third = simulator.advance(
            state,
            rates,
            type(load)(torch.as_tensor(load.arrivals_gbit), torch.as_tensor(load.jobs_gbit)),
            torch.as_tensor(episodes.capacity_gbps(at)),
            torch.as_tensor(episodes.start_h),
            None,
            torch.as_tensor(np.repeat(asked[interval][:, None], 3, 1)),
            type(fates)(*(torch.as_tensor(part) for part in fates)),
        )
        state = third.state
        assert np.array_equal(step.state.ports, other.state.ports)
        assert np.array_equal(step.state.ports, state.ports.numpy())
        np.testing.assert_allclose(third.terms["bandwidth"].numpy(), step.terms["bandwidth"])
        np.testing.assert_allclose(
            third.readings.capacity_gbps.numpy(), step.readings.capacity_gbps
        )
        np.testing.assert_allclose(other.terms["delivered"], step.terms["delivered"], rtol=1e-4)


def test_a_column_that_begins_anew_begins_with_the_first_tier_and_its_own_fates(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 12})
    world, other = (steady_world(scenario, 1.0, wait=wait) for wait in (2, 3))
    episodes = Episodes([world, world])
    episodes.replace(1, other)

    assert [2, 3] == episodes.fates_of(np.array([0, 0])).wait[0, 0].tolist()
