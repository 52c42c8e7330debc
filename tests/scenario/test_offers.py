"""`[offers]`: menus of tiers on spans, and the fates of orders that are drawn beforehand."""

import numpy as np
import pytest
from ordering import port_file, ports

from bwalloc.errors import ScenarioError
from bwalloc.scenario import draw_world, load_scenario, load_template

SECOND = """
[offers.express]
spans = "branch-1--hub"
provider = "express"
tiers_gbps = [3, 20]
usd_per_h = [12.0, 40.0]
delay_median_s = 30
"""


def test_a_menu_has_tiers_and_prices_and_begins_with_the_capacity(tmp_path):
    network = ports(tmp_path).network
    offers = network.offers

    assert [0, 1] == offers.span.tolist()
    assert [[1, 2, 5, 10]] * 2 == offers.tier_gbps.tolist()
    assert pytest.approx([4.0, 4 * 2**0.63, 4 * 5**0.63, 4 * 10**0.63]) == offers.usd_per_h[0]
    assert [1, 1] == offers.first.tolist()
    assert [2, 2, 20] == network.spans.tier_gbps.tolist()
    assert pytest.approx(4 * 2**0.63) == network.spans.usd_per_h[0]
    assert [10, 10, 10, 10, 20, 20] == network.links.capacity_gbps.tolist()
    assert [0, 0, 1, 1, -1, -1] == offers.links_of(network.links).tolist()


def test_two_providers_share_a_menu_and_a_tier_says_whose_it_is(tmp_path):
    offers = ports(tmp_path, offers=SECOND).network.offers

    assert [1, 2, 3, 5, 10, 20] == offers.tier_gbps[0].tolist()
    assert ("carrier", "carrier", "express", "carrier", "carrier", "express") == offers.provider[0]
    assert 12.0 == offers.usd_per_h[0, 2]
    assert [300, 300, 30, 300, 300, 30] == offers.delay_median_s[0].tolist()
    assert [True] * 4 + [False] * 2 == offers.is_sold[1].tolist()
    assert ("", "") == offers.provider[1][4:]
    assert 10.0 == offers.largest_gbps[1]


def test_the_smallest_tier_that_fits_is_the_largest_where_none_does(tmp_path):
    offers = ports(tmp_path, offers=SECOND).network.offers

    found = offers.smallest_of(np.array([[0.5, 2.5, 90.0], [0.5, 2.5, 90.0]]))
    assert [[0, 2, 5], [0, 2, 3]] == found.tolist()


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"offers.carrier.spans": "brunch-1--hub"}, r"offers\.carrier\.spans: .*branch-1--hub"),
        (
            {"offers.carrier.spans": []},
            r"carrier\.spans \(an override\): got \[\], expected a name,",
        ),
        ({"offers.carrier.spans": 4}, r"carrier\.spans \(an override\): got 4, expected a name,"),
        ({"offers.carrier.tiers_gbps": [2, 1]}, "tiers_gbps that rise"),
        ({"offers.carrier.usd_per_h": [1, 2, 3, 4]}, "either usd_per_h or usd_per_h_at_1_gbps"),
        ({"offers.carrier.first_tier_gbps": 3}, "first_tier_gbps that is among"),
        ({"offers.carrier.tiers_gbps": [1, 5]}, "which is no tier .1, 5.; set first_tier_gbps"),
        ({"offers.carrier.rejection": 1.0}, "a number below 1"),
        (
            {"offers.other": {"spans": "branch-2--hub", "tiers_gbps": [5], "usd_per_h": [1]}},
            "'branch-2--hub' is offered 5 Gbit/s twice",
        ),
    ],
)
def test_a_broken_offer_is_named(tmp_path, overrides, text):
    with pytest.raises(ScenarioError, match=text):
        ports(tmp_path, overrides)


def test_a_list_of_prices_needs_one_for_each_tier(tmp_path):
    lines = '[offers.other]\nspans = "hub--cloud"\ntiers_gbps = [1, 20]\nusd_per_h = [1]'
    with pytest.raises(ScenarioError, match="as many prices"):
        ports(tmp_path, offers=lines)


def test_offers_count_in_the_digest_and_none_does_not(tmp_path):
    plain = port_file(tmp_path)
    text = plain.read_text()
    digest = load_scenario(plain).digest
    plain.write_text(text.replace("delay_median_s = 300.0", "delay_median_s = 301.0"))
    assert load_scenario(plain).digest != digest
    assert {} == load_template("tiny-edge").env.offers


def test_delays_are_lognormal_and_capped_and_orders_are_refused_as_often_as_said(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 20_000, "offers.carrier.rejection": 0.1})
    fates = draw_world(scenario, "train", 1).fates

    assert (20_000, 2, 4) == fates.wait.shape
    assert 1 <= fates.wait.min()
    assert fates.wait.max() == 30
    assert 5 <= np.median(fates.wait) <= 6  # intervals of a minute, rounded up
    assert pytest.approx(0.1, abs=0.01) == fates.is_refused.mean()
    assert np.unique(fates.wait - fates.wait[:, :, :1]).tolist() == [0]
    assert (fates.wait[:, 0] != fates.wait[:, 1]).any()


def test_orders_change_no_traffic_and_the_same_seed_has_the_same_fates(tmp_path):
    scenario = ports(tmp_path)
    text = (tmp_path / "ports.toml").read_text()
    world, again = (draw_world(scenario, "test", 4) for _ in range(2))
    other = draw_world(scenario, "test", 5)
    slower = ports(tmp_path, {"offers.carrier.delay_median_s": 900})

    assert np.array_equal(world.fates.wait, again.fates.wait)
    assert not np.array_equal(world.fates.wait, other.fates.wait)
    assert np.array_equal(world.arrivals_gbit, draw_world(slower, "test", 4).arrivals_gbit)
    assert (draw_world(slower, "test", 4).fates.wait >= world.fates.wait).all()
    assert "offers" in text
    assert draw_world(load_scenario("tiny-edge"), "test", 4).fates is None


def test_a_shift_may_delay_orders_and_raise_prices(tmp_path):
    path = port_file(tmp_path)
    shift = '\n[[ood]]\nname = "dear"\nprice_factor = 4.0\norder_delay_factor = 3.0\n'
    path.write_text(path.read_text() + shift)
    scenario = load_scenario(path, {"time.intervals": 4_000})
    plain, dear = (draw_world(scenario, split, 2).fates for split in ("test", "ood"))

    assert 1.0 == plain.price_factor
    assert 4.0 == dear.price_factor
    assert 14 <= np.median(dear.wait) <= 16


def test_the_quantile_of_a_delay(tmp_path):
    offers = ports(tmp_path).network.offers

    assert pytest.approx(300.0) == offers.delay_s(0.5)[0, 0]
    assert pytest.approx(300.0 * np.exp(0.5 * 1.2815516), rel=1e-6) == offers.delay_s(0.9)[0, 0]
    assert 1800.0 == offers.delay_s(1.0)[0, 0]
