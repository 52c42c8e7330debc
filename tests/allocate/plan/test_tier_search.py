"""Tiers of coupled spans: a port is worth what the ports beyond it let through."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from ordering import forked, port_file, steady_world

from bwalloc.allocate.plan.tier_search import Filling, search_tiers
from bwalloc.scenario import load_scenario

SIZES = np.array([1.0, 2.0, 5.0, 10.0])
USD_PER_H = 4.0 * SIZES**0.63


def chained(folder, core_usd):
    """Two branches behind one ramp, all three sold; nothing waits, orders land at once."""
    ramp = (
        '\n[offers.ramp]\nspans = "hub--cloud"\ntiers_gbps = [2, 5, 20]\n'
        f"usd_per_h = [{core_usd[0]}, {core_usd[1]}, {core_usd[2]}]\ndelay_median_s = 0\n"
    )
    path = port_file(folder, delay=0.0, offers=ramp)
    return load_scenario(path, {"time.intervals": 240})


def load_of(scenario, world):
    steps = scenario.timing.intervals * scenario.timing.substeps
    return world.arrivals_gbit.reshape(steps, -1).T.astype(np.float64)


def names_of(scenario):
    network = scenario.network
    return [network.spans.name[span] for span in network.offers.span]


def steady_tiers(scenario, world):
    """Tier of each span in the fourth hour, Gbit/s."""
    paths = search_tiers(scenario, world, load_of(scenario, world))
    offers = scenario.network.offers
    found = [offers.tier_gbps[row, path.tiers[200]] for row, path in enumerate(paths)]
    return dict(zip(names_of(scenario), found, strict=True))


def test_ports_and_the_ramp_behind_them_grow_together(tmp_path):
    """4 Gbit/s a branch earn 28.8 USD/h each; ports of 5 G cost 11 each, a ramp of 20 G costs 8.

    From 2 G everywhere, no single port is worth more: a wider branch meets a full ramp, a wider
    ramp has full branches behind it.
    """
    scenario = chained(tmp_path, (1.0, 3.0, 8.0))
    found = steady_tiers(scenario, steady_world(scenario, 4.0))

    assert {"branch-1--hub": 5, "branch-2--hub": 5, "hub--cloud": 20} == found


def test_where_the_ramp_is_too_dear_the_ports_stay_small_too(tmp_path):
    """The ramp of 5 G costs 100 USD/h more than that of 2 G, and nothing passes it."""
    scenario = chained(tmp_path, (1.0, 101.0, 300.0))
    found = steady_tiers(scenario, steady_world(scenario, 4.0))

    assert 2 == found["hub--cloud"]
    assert {1, 2} >= {found["branch-1--hub"], found["branch-2--hub"]}


def test_the_dearest_are_served_first_and_each_takes_its_cheapest_way(tmp_path):
    """3 Gbit/s over two ports of 1 to 10 G: the span that is looked at counts as free."""
    scenario = load_scenario(forked(tmp_path, dear=8.0, core=0.0), {"time.intervals": 60})
    world = steady_world(scenario, 3.0)
    filling = Filling(scenario, world, load_of(scenario, world))
    cheap, dear = (names_of(scenario).index(f"branch-1--{to}") for to in ("hub", "other"))

    full = 3.0 * 2e-3 * 60
    # The other port counts as wide, at its median price of a Gbit/s: 8 x 1.66 / 2.5 USD/h.
    per_gbps = np.median(8.0 * SIZES**0.63 / SIZES)
    price = per_gbps / 60
    expected = [full - max(3.0 - tier, 0) * price for tier in SIZES]
    assert pytest.approx(expected, rel=1e-5) == filling.worth_usd(cheap)[30]
    filling.narrow(dear, np.zeros(60, int))
    by_hand = [2e-3 * 60 * min(3.0, tier + 1.0) for tier in SIZES]
    assert pytest.approx(by_hand, rel=1e-5) == filling.worth_usd(cheap)[30]


def test_of_two_providers_the_dearer_is_taken_where_it_comes_in_time(tmp_path):
    """6 Gbit/s for 50 minutes from minute 65 on, which may be ordered from minute 60 on.

    Express has 6 G in one minute at 14 USD/h; 5 and 10 G of the carrier take half an hour, and 5 G
    cost 11. Under a load of 5 Gbit/s that lasts, the carrier's 5 G are right.
    """
    express = (
        '\n[offers.express]\nspans = "branch-1--hub"\ntiers_gbps = [6]\nusd_per_h = [14.0]\n'
        'provider = "express"\n'
    )
    scenario = load_scenario(port_file(tmp_path, offers=express))
    minute = np.arange(240)
    wait = np.full((240, 2, 5), 30)
    wait[:, 0, 3] = 1
    refused = np.zeros(wait.shape, bool)
    refused[:60] = True
    burst = steady_world(scenario, np.where((minute >= 65) & (minute < 115), 6.0, 0.5), wait=wait)
    burst = replace(burst, fates=replace(burst.fates, is_refused=refused))
    calm = steady_world(scenario, 5.0, wait=wait)
    offers = scenario.network.offers
    provider = np.array(offers.provider[0])
    by_minute = [
        provider[search_tiers(scenario, each, load_of(scenario, each))[0].tiers]
        for each in (burst, calm)
    ]

    assert {"express"} == set(by_minute[0][65:115])
    assert "carrier" == by_minute[1][200]


@pytest.mark.parametrize("seed", range(6))
def test_two_ways_of_two_ports_each_are_ordered_nearly_as_well_as_can_be(tmp_path, seed):
    """Of all 256 choices of four tiers under a steady load, at least 95 % of what the best earn."""
    rng = np.random.default_rng(seed)
    dear, core = rng.uniform(2.0, 6.0), rng.uniform(0.5, 3.0)
    scenario = load_scenario(forked(tmp_path, dear=dear, core=core), {"time.intervals": 600})
    gbps = rng.uniform(1.0, 14.0)
    world = steady_world(scenario, gbps)
    paths = search_tiers(scenario, world, load_of(scenario, world))
    offers, names = scenario.network.offers, names_of(scenario)
    way = [[names.index(f"branch-1--{to}"), names.index(f"{to}--cloud")] for to in ("hub", "other")]

    def net(places):
        tiers = [offers.tier_gbps[row, place] for row, place in enumerate(places)]
        width = sum(min(tiers[row] for row in rows) for rows in way)
        bill = sum(offers.usd_per_h[row, place] for row, place in enumerate(places))
        return 7.2 * min(gbps, width) - bill

    best = max(net(places) for places in product(range(4), repeat=4))
    found = net([int(path.tiers[300]) for path in paths])
    assert found >= 0.95 * best
