"""`plan` as a whole: prices, advice, and the advised upgrade made and played."""

import numpy as np
import pytest
from ordering import port_file

from bwalloc.bench.plan import plan, value
from bwalloc.bench.plan_document import plan_document
from bwalloc.errors import BwallocError, UnknownNameError
from bwalloc.scenario import load_scenario

SHORT = {"time.intervals": 40, "time.warmup_intervals": 10}
DEAR_WORK = {"classes.kv_transfer.value_usd_per_gbit": 4e-3, "classes.kv_transfer.deadline_s": 2.0}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tight(cache):
    """tiny-edge where caches are worth so much that its leased core is too narrow."""
    overrides = SHORT | DEAR_WORK | {"network.capacity_gbps.hub--cloud": 8.0}
    return plan("tiny-edge", allocators=["forecast"], episodes=2, overrides=overrides)


def test_the_advised_upgrade_is_made_and_found(tight):
    document = plan_document("bwalloc plan tiny-edge", tight)
    advised = document["advised"]

    assert "hub--cloud" == advised["span"]
    assert 8.8 == pytest.approx(advised["to_gbps"])
    promised, bound = (advised[f"{name}_net_usd_per_h"]["mean"] for name in ("promised", "bound"))
    # Worth falls as a span grows, so the promise is the most that can be found.
    assert 0.0 < bound <= promised + 1e-6
    assert bound == pytest.approx(promised, rel=0.35)
    found = advised["found_net_usd_per_h"]
    assert {"static-peak", "forecast", "clairvoyant"} == set(found)
    assert 0.0 < found["clairvoyant"]["mean"] <= promised


def test_what_was_found_is_the_difference_of_two_comparisons(tight):
    document = plan_document("bwalloc plan tiny-edge", tight)
    before, after = tight.checked.before, tight.checked.after
    hours = tight.scenario.timing.counted_h
    net = (after.played["forecast"].net_usd - before.played["forecast"].net_usd) / hours

    assert net.mean() == pytest.approx(
        document["advised"]["found_net_usd_per_h"]["forecast"]["mean"]
    )
    more = value(after.setting).gross_usd_per_h - value(before.setting).gross_usd_per_h
    np.testing.assert_allclose(more, tight.checked.gross_gain_usd_per_h, rtol=1e-9)
    wide = load_scenario("tiny-edge", after.setting.overrides)
    row = wide.network.spans.name.index("hub--cloud")
    assert 8.8 == pytest.approx(wide.network.spans.tier_gbps[row])
    assert before is tight.comparison


def test_the_document_holds_every_link_and_what_legacy_costs(tight):
    document = plan_document("bwalloc plan tiny-edge", tight)
    network = tight.scenario.network

    assert list(network.links.name) == [row["link"] for row in document["links"]]
    assert set(network.spans.name) == {row["span"] for row in document["spans"]}
    both = [row for row in document["links"] if row["span"] == "hub--cloud"]
    (span,) = [row for row in document["spans"] if row["span"] == "hub--cloud"]
    assert span["usd_per_gbps_h"]["mean"] == pytest.approx(
        sum(row["usd_per_gbps_h"]["mean"] for row in both)
    )
    legacy = document["legacy"]
    nets = document["comparison"]["allocators"]
    more = nets["forecast"]["net_usd_per_h"]["mean"] - nets["static-peak"]["net_usd_per_h"]["mean"]
    assert more == pytest.approx(legacy["costs_usd_per_h"]["forecast"]["mean"])
    assert legacy["net_usd_per_h"] == nets["static-peak"]["net_usd_per_h"]


def test_prices_over_several_processes_are_those_of_one(cache):
    from bwalloc.bench.tasks import Setting

    setting = Setting("tiny-edge", episodes=2, overrides={"time.intervals": 32})
    one, two = value(setting), value(setting, jobs=2)

    np.testing.assert_array_equal(one.shadow, two.shadow)
    np.testing.assert_array_equal(one.gross_usd_per_h, two.gross_usd_per_h)


def test_where_capacity_is_sold_nobody_orders_in_the_check(cache, tmp_path):
    overrides = {"time.intervals": 120, "time.warmup_intervals": 0, "demands.*.mean_gbps": 3.0}
    path = str(port_file(tmp_path))
    found = plan(path, allocators=["forecast"], episodes=1, overrides=overrides)
    document = plan_document("bwalloc plan ports", found)

    assert document["sells"]
    assert 1 == len({row["capacity_gbps"] for row in document["spans"] if "branch" in row["span"]})
    assert found.comparison.played["forecast"].orders.sum() > 0
    bills = {
        name: comparison.played["forecast"].bill_usd.sum(1)
        for name, comparison in (("before", found.checked.before), ("after", found.checked.after))
    }
    hours = found.scenario.timing.counted_h
    price = found.advised.price_usd_per_h
    assert price * hours == pytest.approx((bills["after"] - bills["before"]).sum(), rel=1e-6)


def test_a_wrong_rival_in_the_file_is_named_before_the_work(tmp_path):
    path = port_file(tmp_path)
    path.write_text(path.read_text() + '[rival]\nallocator = "stochastic-pl"\n')
    told: list[str] = []

    with pytest.raises(UnknownNameError, match=r"'stochastic-pl'.*'stochastic-lp'"):
        plan(str(path), episodes=1, progress=lambda what, *_: told.append(what))
    assert not told


def test_a_drawn_network_and_a_wrong_name_are_refused():
    with pytest.raises(BwallocError, match="draws a network for every episode"):
        plan("random-edge")
    with pytest.raises(UnknownNameError, match="tiny-edge"):
        plan("tiny-edg")
    with pytest.raises(UnknownNameError, match="forecast"):
        plan("tiny-edge", allocators=["forcast"])
