"""Shadow prices: what the bound gains by a little more of a link."""

import numpy as np
import pytest
from ordering import ports, steady_world

from bwalloc.allocate.plan import prices as plan_prices
from bwalloc.allocate.plan.bound import bound_usd_per_h
from bwalloc.allocate.plan.prices import Valuation, standing_world, valuation_of
from bwalloc.allocate.plan.rates import plan_chunks
from bwalloc.scenario import draw_world, load_scenario

SHORT = {"time.intervals": 40, "time.warmup_intervals": 10}


def valued(env, seed, **resized):
    """Valuation of an episode, spans given in Gbit/s by name."""
    sizes = {f"network.capacity_gbps.{name}": gbps for name, gbps in resized.items()}
    scenario = load_scenario(env, {**SHORT, **sizes})
    return scenario, valuation_of(scenario, draw_world(scenario, "test", seed))


def of_span(scenario, found, name):
    """Shadow price of both directions together, and the capacity of the span."""
    row = scenario.network.spans.name.index(name)
    return found.usd_per_gbps_h[scenario.network.links.span == row].sum(), float(
        scenario.network.spans.tier_gbps[row]
    )


@pytest.mark.parametrize(
    ("env", "seed", "span"),
    [
        ("tiny-edge", 0, "hub--cloud"),
        ("tiny-edge", 1, "hub--cloud"),
        ("metro-inference", 0, "hub-a--cloud"),
        ("metro-inference", 0, "edge-06--hub-a"),
    ],
)
def test_the_shadow_price_predicts_what_one_percent_more_or_less_changes(env, seed, span):
    scenario, found = valued(env, seed)
    price, gbps = of_span(scenario, found, span)
    ends = [valued(env, seed, **{span: gbps * f})[1].gross_usd_per_h for f in (0.99, 1.01)]

    assert price > 0.01  # a real price, USD per Gbit/s and hour
    assert price == pytest.approx((ends[1] - ends[0]) / (0.02 * gbps), rel=0.1)


def test_a_link_that_is_never_full_is_worth_nothing():
    _, found = valued("tiny-edge", 0, **{"hub--cloud": 500.0})

    assert np.abs(found.usd_per_gbps_h).max() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("env", ["tiny-edge", "metro-inference"])
def test_programmes_that_overlap_prove_no_looser_bound(env):
    scenario, found = valued(env, 0)
    world = draw_world(scenario, "test", 0)
    apart = bound_usd_per_h(scenario, world, plan_chunks(scenario, world).prices)

    assert isinstance(found, Valuation)
    assert found.gross_usd_per_h - scenario.network.fixed_usd_per_h <= apart + 1e-6


def test_a_sold_span_is_valued_at_its_first_tier(tmp_path):
    """Two ports of 2 Gbit/s are offered 3 all the time: a Gbit/s more of either carries 1 Gbit/s,
    for 3,600 s at 2e-3 USD per Gbit, but at 1 Gbit/s they have all they need."""
    scenario = ports(tmp_path, {"time.intervals": 60})
    full, idle = (valuation_of(scenario, steady_world(scenario, gbps)) for gbps in (3.0, 1.0))
    sold = scenario.network.offers.links_of(scenario.network.links) >= 0

    assert full.usd_per_gbps_h[sold].max() == pytest.approx(7.2, rel=0.05)
    assert idle.usd_per_gbps_h[sold].max() == pytest.approx(0.0, abs=1e-9)
    standing = standing_world(scenario, steady_world(scenario, 1.0))
    assert np.unique(standing.capacity_gbps[:, sold]).tolist() == [2.0]


def test_programmes_that_look_around_come_close_to_a_single_one(monkeypatch):
    """Caches that wait across the edge of a programme are misjudged by those that end there."""
    timing = {"time.intervals": 18, "time.warmup_intervals": 3}
    scenario = load_scenario("metro-inference", timing)
    world = draw_world(scenario, "test", 0)
    whole = bound_usd_per_h(scenario, world, plan_chunks(scenario, world, 18).prices)
    around = bound_usd_per_h(scenario, world, plan_prices.best_prices(scenario, world))
    monkeypatch.setattr(plan_prices, "AROUND", 0)
    apart = bound_usd_per_h(scenario, world, plan_prices.best_prices(scenario, world))

    assert whole <= around + 1e-6
    assert around - whole < 0.2 * (apart - whole)
