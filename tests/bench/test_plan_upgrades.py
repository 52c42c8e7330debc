"""Candidates for more capacity: their price, their worth, and who comes first."""

import numpy as np
import pytest
from ordering import ports

from bwalloc.bench.plan_upgrades import (
    STANDING,
    advised,
    by_span,
    marginal_usd_per_gbps_h,
    upgrades_of,
)
from bwalloc.scenario import load_scenario


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny-edge")


def priced(scenario, **worth):
    """Shadow prices of two episodes, by name of the span with _ for -; others are 0."""
    shadow = np.zeros((2, len(scenario.network.spans.name)))
    for name, usd in worth.items():
        shadow[:, scenario.network.spans.name.index(name.replace("_", "-"))] = usd
    return shadow


def test_both_directions_of_a_span_count_together(tiny):
    by_link = np.arange(1.0, tiny.network.n_links + 1)[None]
    spans = by_span(tiny, by_link)

    assert by_link.sum() == spans.sum()
    row = tiny.network.spans.name.index("hub--cloud")
    assert by_link[0, tiny.network.links.span == row].sum() == spans[0, row]


def test_ten_per_cent_more_costs_what_the_tariff_says(tiny):
    (first, *_) = upgrades_of(tiny, priced(tiny, hub__cloud=0.6), 1.0)

    assert ("hub--cloud", 14.3) == (first.span, first.from_gbps)
    assert 15.73 == pytest.approx(first.to_gbps)
    assert 1.43 * 0.25 == pytest.approx(first.price_usd_per_h)
    assert 1.43 * 0.6 == pytest.approx(first.worth_usd_per_h.mean)
    assert 2.4 == pytest.approx(first.payback)
    wide = load_scenario("tiny-edge", first.overrides)
    assert first.price_usd_per_h == pytest.approx(
        wide.network.fixed_usd_per_h - tiny.network.fixed_usd_per_h
    )


def test_a_discount_for_volume_makes_the_next_gbps_cheaper(tiny):
    row = tiny.network.spans.name.index("hub--cloud")

    assert 0.25 == pytest.approx(marginal_usd_per_gbps_h(tiny, 1.0)[row])
    assert 0.25 * 0.63 == pytest.approx(marginal_usd_per_gbps_h(tiny, 0.63)[row])


def test_who_pays_comes_first_then_who_has_no_price_then_the_rest(tiny):
    worth = {"edge_1__hub": 0.5, "edge_2__hub": 0.1}
    paying = upgrades_of(tiny, priced(tiny, hub__cloud=0.3, **worth), 1.0)
    dear = upgrades_of(tiny, priced(tiny, hub__cloud=0.2, **worth), 1.0)

    assert ["hub--cloud", "edge-1--hub", "edge-2--hub"] == [each.span for each in paying]
    assert ["edge-1--hub", "edge-2--hub", "hub--cloud"] == [each.span for each in dear]
    assert advised(dear).payback is None


def test_where_nothing_is_worth_anything_nothing_is_advised(tiny):
    assert advised(upgrades_of(tiny, priced(tiny), 1.0)) is None


def test_a_sold_span_takes_its_next_tier_and_the_others_keep_theirs(tmp_path):
    scenario = ports(tmp_path)
    first = upgrades_of(scenario, priced(scenario, branch_1__hub=9.0), 1.0)[0]
    usd = 4.0 * (5**0.63 - 2**0.63)

    assert ("branch-1--hub", 2.0, 5.0) == (first.span, first.from_gbps, first.to_gbps)
    assert usd == pytest.approx(first.price_usd_per_h)
    assert 27.0 == pytest.approx(first.worth_usd_per_h.mean)
    row = scenario.network.spans.name.index("branch-1--hub")
    assert usd / 3.0 == pytest.approx(marginal_usd_per_gbps_h(scenario, 1.0)[row])
    higher = ports(tmp_path, {**STANDING, **first.overrides}).network
    assert [5.0, 2.0] == higher.spans.tier_gbps[higher.offers.span].tolist()


def test_the_last_tier_of_a_menu_has_no_upgrade(tmp_path):
    scenario = ports(tmp_path, {"offers.carrier.tiers_gbps": [1, 2]})
    sold = {scenario.network.spans.name[row] for row in scenario.network.offers.span}

    assert not sold & {each.span for each in upgrades_of(scenario, priced(scenario), 1.0)}


def test_a_larger_tier_that_another_provider_sells_for_less_comes_first(tmp_path):
    cheap = '[offers.cheap]\nspans = "branch-1--hub"\ntiers_gbps = [3]\nusd_per_h = [0.5]\n'
    scenario = ports(tmp_path, offers=cheap)
    first, second, *_ = upgrades_of(
        scenario, priced(scenario, branch_1__hub=0.1, branch_2__hub=9.0), 1.0
    )

    assert ("branch-1--hub", 3.0) == (first.span, first.to_gbps)
    assert 0.5 - 4.0 * 2**0.63 == pytest.approx(first.price_usd_per_h)
    assert first.payback is None
    assert "branch-2--hub" == second.span
    assert second.payback > 1.0
    assert advised([first, second]) is first


def test_spans_that_begin_without_capacity_keep_that_beside_an_upgrade(tmp_path):
    nothing = {"offers.carrier.tiers_gbps": [0, 2, 5], "offers.carrier.first_tier_gbps": 0}
    scenario = ports(tmp_path, nothing)
    first = upgrades_of(scenario, priced(scenario, branch_2__hub=9.0), 1.0)[0]

    assert ("branch-2--hub", 0.0, 2.0) == (first.span, first.from_gbps, first.to_gbps)
    higher = ports(tmp_path, {**nothing, **STANDING, **first.overrides}).network
    assert [0.0, 2.0] == higher.spans.tier_gbps[higher.offers.span].tolist()
