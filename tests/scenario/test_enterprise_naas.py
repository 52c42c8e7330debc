"""enterprise-naas is what its page says: worth over price of 3 to 5, and ports that are coupled."""

from __future__ import annotations

import numpy as np
import pytest

from bwalloc.allocate import CLASSICAL, ORDERING, make_rule
from bwalloc.allocate.plan.clairvoyant import ClairvoyantRule, plan_episode
from bwalloc.bench.tasks import history_of
from bwalloc.scenario import draw_world, load_scenario, load_template
from bwalloc.sim.play import play

USUAL = {"metro": 5, "fabric": 5, "alpha": 10, "beta": 10}
"""Tiers that are usual by day, Gbit/s."""


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("enterprise-naas")


def usual_usd_per_gbps_h(offers):
    """Price of a Gbit/s at the usual tier of each span."""
    prices = []
    for row, provider in enumerate(offers.provider):
        tier = USUAL[provider[0]]
        place = offers.tier_gbps[row].tolist().index(tier)
        prices.append(offers.usd_per_h[row, place] / tier)
    return np.array(prices)


def test_a_gbit_is_worth_three_to_five_times_its_way(scenario):
    network, law = scenario.network, scenario.network.law
    menu = network.offers.links_of(network.links)
    price = np.where(menu >= 0, usual_usd_per_gbps_h(network.offers)[menu], 0.0)
    ways = np.append(price, 0.0)[network.tunnels.hops].sum(2)
    rows = network.demands.rows_of("kv_transfer")
    over = law.whole_usd_per_gbit[rows, None] * 3600 / ways[rows]
    load = history_of(scenario).mean_gbps[rows]

    assert 2.5 < over.min()
    assert over.max() < 6.0
    assert 3.0 < np.average(over.mean(1), weights=load) < 5.0


def test_every_way_of_caches_needs_two_ports_and_every_ramp_serves_most_branches(scenario):
    network, offers = scenario.network, scenario.network.offers
    menu = np.append(offers.links_of(network.links), -1)[network.tunnels.hops]
    crossed = {
        (network.demands.name[row], tunnel): {int(span) for span in menu[row, tunnel] if span >= 0}
        for row in network.demands.rows_of("kv_transfer")
        for tunnel in np.flatnonzero(network.tunnels.exists[row])
    }
    names = [network.spans.name[span] for span in offers.span]
    branches = {
        name: {demand.split("/")[1] for (demand, _), spans in crossed.items() if row in spans}
        for row, name in enumerate(names)
    }

    assert {2} == {len(spans) for spans in crossed.values()}
    assert {2} == set(network.tunnels.exists[network.demands.rows_of("kv_transfer")].sum(1))
    assert all(len(branches[name]) >= 6 for name in names if "cloud" in name)
    assert 16 == len(names)


def test_it_is_a_day_by_the_minute_of_at_most_forty_demands(scenario):
    assert (1440, 60.0) == (scenario.timing.intervals, scenario.timing.interval_s)
    assert scenario.network.n_demands <= 40
    shifts = [shift.name for shift in load_template("enterprise-naas").env.ood]
    assert ["prices", "delays", "surges", "capacity", "no-backups"] == shifts
    worlds = [draw_world(scenario, "ood", seed) for seed in range(5)]
    usual = draw_world(scenario, "test", 0)
    assert 4.0 == worlds[0].fates.price_factor
    assert 2.3 < worlds[1].fates.wait.mean() / usual.fates.wait.mean() < 3.1
    assert worlds[3].capacity_gbps.max() == pytest.approx(0.7 * usual.capacity_gbps.max())
    assert 0 == worlds[4].jobs_gbit[:, scenario.network.demands.rows_of("bulk_ingest")].sum()


@pytest.mark.slow
def test_without_delays_the_clairvoyant_is_above_every_allocator_on_average():
    terms = {"delay_median_s": 0.0, "rejection": 0.0}
    sold = ("metro", "fabric", "alpha", "beta")
    overrides = {f"offers.{name}.{key}": value for name in sold for key, value in terms.items()}
    scenario = load_scenario("enterprise-naas", {**overrides, "time.intervals": 300})
    worlds = [draw_world(scenario, "test", seed) for seed in range(3)]
    plans = [plan_episode(scenario, world) for world in worlds]
    hours = scenario.timing.counted_h
    planned = play(scenario, ClairvoyantRule(plans, scenario.network), worlds).net_usd / hours
    bounds = np.array([plan.bound_usd_per_h for plan in plans])

    assert (planned <= bounds).all()
    for name in (*CLASSICAL, *ORDERING):
        rule = make_rule(name, scenario.network, history_of(scenario), scenario.tuned)
        played = play(scenario, rule, worlds)
        assert 0 == played.violations
        earned = played.net_usd / hours
        assert (earned <= bounds).all(), name
        assert earned.mean() < planned.mean(), name
