"""The spend guard: whatever is ordered, however often, the caps hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from supervising import Loop, as_before, behave, bound, selling, words
from wide import wide

from bwalloc.allocate.limits import Limits, Times
from bwalloc.control import Order, SpanTelemetry
from bwalloc.errors import UnknownNameError
from bwalloc.money import Tariff
from bwalloc.network.offers import Offers
from bwalloc.serve.orders.bill import Bill, hours_left
from bwalloc.serve.orders.prices import Prices
from bwalloc.serve.orders.spend import SpendGuard
from bwalloc.serve.policy.runtime import Proposal

NETWORK = wide(6, 4)
BUILT = NETWORK.spans.tier_gbps
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TIMES = Times.of(Limits(), 10.0)


ANY_TIER = dict.fromkeys(NETWORK.spans.name, Tariff(1.0))


def guard(prices=None, **limits):
    """Four spans, sold at any tier at 1 USD an hour per Gbit/s."""
    made = SpendGuard(prices or Prices(NETWORK, ANY_TIER), Limits(**limits), TIMES)
    made.account(NOW, 0.0)
    return made


def placed(made, *orders, at_s=0.0):
    """Spans ordered and reasons, `at_s` seconds after `NOW`."""
    now = NOW + timedelta(seconds=at_s)
    made.account(now, at_s)
    orders, reasons = made.consider([Order(*each) for each in orders], now, at_s)
    return [order.span for order in orders], list(reasons)


def seen(made, tiers=None, pending=None):
    names = NETWORK.spans.name
    tier = BUILT if tiers is None else np.array(tiers, float)
    coming = np.full(4, np.nan) if pending is None else np.array(pending, float)
    made.see(SpanTelemetry(names, tier, coming, coming))


def test_an_order_within_all_caps_is_placed():
    assert (["span-1"], []) == placed(guard(), ("span-1", 50.0))


@pytest.mark.parametrize(
    ("order", "word"),
    [
        (("nowhere", 1.0), "order-unknown-span: 1"),
        (("span-1", float("inf")), "order-invalid: 1"),
        (("span-1", float(BUILT[1])), "order-no-change: 1"),
    ],
)
def test_what_is_no_order_is_refused(order, word):
    assert ([], [word]) == placed(guard(), order)


def test_what_is_not_offered_is_not_for_sale():
    assert ([], ["order-not-for-sale: 1"]) == placed(guard(Prices(NETWORK)), ("span-2", 1.0))


def sold():
    """Span 1 is sold by a menu, live within 300 s and paid by the hour; the others are built."""
    menu = np.array([[0.0, 10.0, 40.0]])
    fill = np.ones_like(menu)
    offers = Offers(
        span=np.array([1]),
        first=np.array([1]),
        tier_gbps=menu,
        usd_per_h=menu * 2.0,
        provider=(("isp",) * 3,),
        delay_median_s=fill * 60.0,
        delay_sigma=fill * 0.5,
        delay_cap_s=fill * 300.0,
        rejection=fill * 0.0,
        min_billed_s=fill * 3600.0,
        billed_every_s=fill * 3600.0,
        order_every_s=fill * 300.0,
    )
    return Prices(replace(NETWORK, offers=offers))


def test_a_span_is_sold_by_its_menu():
    made = guard(sold())
    seen(made, tiers=[BUILT[0], 10.0, BUILT[2], BUILT[3]])
    built = float(np.delete(NETWORK.spans.usd_per_h, 1).sum())

    assert ([], ["order-not-on-menu: 1"]) == placed(made, ("span-1", 11.0))
    assert made.usd_per_h == pytest.approx(built + 20.0)
    assert (["span-1"], ["order-not-for-sale: 1"]) == placed(
        made, ("span-1", 40.0), ("span-0", 1.0)
    )
    assert made.usd_per_h == pytest.approx(built + 80.0)


def test_what_was_ordered_counts_while_it_may_be_paid_for():
    """Up, live, and down again at once: the hour is paid all the same."""
    built = float(np.delete(NETWORK.spans.usd_per_h, 1).sum())
    made = guard(sold(), max_orders_per_h=10)
    seen(made, tiers=[BUILT[0], 10.0, BUILT[2], BUILT[3]])
    placed(made, ("span-1", 40.0))
    seen(made, tiers=[BUILT[0], 40.0, BUILT[2], BUILT[3]])
    assert ["span-1"] == placed(made, ("span-1", 0.0), at_s=100.0)[0]
    seen(made, tiers=[BUILT[0], 0.0, BUILT[2], BUILT[3]])
    made.account(NOW, 200.0)
    assert made.usd_per_h == pytest.approx(built + 80.0)
    made.account(NOW, 100.0 + 3900.0 + 1.0)
    assert made.usd_per_h == pytest.approx(built)


def test_a_span_is_ordered_once_at_a_time():
    made = guard()
    assert ["order-invalid: 1"] == placed(made, ("span-1", 50.0), ("span-1", 60.0))[1]
    assert ["order-pending: 1"] == placed(made, ("span-1", 60.0), at_s=10.0)[1]
    seen(made, pending=[np.nan, 50.0, np.nan, np.nan])
    assert ["order-pending: 1"] == placed(made, ("span-1", 60.0), at_s=100.0)[1]
    seen(made, tiers=[BUILT[0], 50.0, BUILT[2], BUILT[3]])
    assert (["span-1"], []) == placed(made, ("span-1", 60.0), at_s=110.0)


def test_the_hourly_bill_counts_what_is_under_way():
    cap = float(BUILT.sum()) + 30.0
    made = guard(max_usd_per_h=cap)
    assert (["span-0"], ["order-over-hourly-cap: 1"]) == placed(
        made, ("span-0", BUILT[0] + 20.0), ("span-1", BUILT[1] + 20.0)
    )
    assert made.usd_per_h == pytest.approx(cap - 10.0)


def test_a_release_is_placed_even_above_the_cap_but_frees_nothing_before_it_is_done():
    made = guard(max_usd_per_h=10.0)

    assert (["span-0"], ["order-over-hourly-cap: 1"]) == placed(
        made, ("span-0", 0.0), ("span-1", BUILT[1] + 1.0)
    )


def test_the_monthly_cap_holds_even_if_nothing_is_ever_released():
    left = hours_left(NOW)
    cap = left * (float(BUILT.sum()) + 10.0)
    made = guard(max_usd_per_month=cap)

    assert 180.0 == left
    assert ["order-over-monthly-cap: 1"] == placed(made, ("span-0", BUILT[0] + 11.0))[1]
    assert (["span-0"], []) == placed(made, ("span-0", BUILT[0] + 9.0))


def test_orders_within_an_hour_are_counted_by_a_clock_that_does_not_jump():
    made = guard(max_orders_per_h=2)
    tiers = iter(range(100, 200))

    def order(at_s, span):
        return placed(made, (span, float(next(tiers))), at_s=at_s)[0]

    assert [["span-0"], ["span-1"], []] == [
        order(0.0, "span-0"), order(10.0, "span-1"), order(20.0, "span-2")
    ]  # fmt: skip
    made.account(NOW + timedelta(days=3), 30.0)
    assert () == made.consider([Order("span-2", 99.0)], NOW + timedelta(days=3), 30.0)[0]
    assert 2 == made.money(30.0).orders_last_hour
    assert ["span-2"] == order(3601.0, "span-2")
    assert [] == order(3602.0, "span-3")


def test_an_order_above_the_threshold_waits_once_and_is_placed_when_approved():
    made = guard(approval_above_usd_per_h=5.0)
    big = ("span-1", float(BUILT[1]) + 6.0)
    for at_s in (0.0, 10.0, 20.0):
        assert ([], ["order-waits: 1"]) == placed(made, big, at_s=at_s)
    (waiting,) = made.approvals.waiting

    assert 6.0 == pytest.approx(waiting.more_usd_per_h)
    made.approvals.approve(waiting.id)
    assert (["span-1"], ["order-approved: 1", "order-invalid: 1"]) == placed(made, big, at_s=30.0)
    assert () == made.approvals.waiting


def test_small_orders_need_no_approval():
    assert ["span-1"] == placed(guard(approval_above_usd_per_h=5.0), ("span-1", BUILT[1] + 4.0))[0]


def test_an_approved_order_is_held_to_the_caps_again():
    made = guard(approval_above_usd_per_h=5.0, max_usd_per_h=float(BUILT.sum()) + 10.0)
    placed(made, ("span-1", float(BUILT[1]) + 8.0))
    made.approvals.approve(made.approvals.waiting[0].id)
    seen(made, tiers=BUILT + np.array([5.0, 0, 0, 0]))
    made.account(NOW, 1.0)

    assert ([], ["order-over-hourly-cap: 1"]) == placed(made, at_s=1.0)
    assert () == made.approvals.waiting


def test_an_order_that_was_rejected_is_refused_for_as_long_as_it_would_have_waited():
    made = guard(approval_above_usd_per_h=5.0, approval_waits_s=100.0)
    big = ("span-1", float(BUILT[1]) + 8.0)
    placed(made, big)
    made.approvals.reject(made.approvals.waiting[0].id, 0.0)

    assert ["order-rejected: 1"] == placed(made, big, at_s=50.0)[1]
    assert ["order-waits: 1"] == placed(made, big, at_s=101.0)[1]
    assert ["order-lapsed: 1"] == placed(made, at_s=202.0)[1]
    with pytest.raises(UnknownNameError, match="No waiting order"):
        made.approvals.approve("x")


def test_what_was_bought_is_billed_by_the_hour_and_a_month_begins_at_0():
    bill = Bill()
    bill.run(NOW, 0.0, 100.0)
    bill.run(NOW + timedelta(hours=2), 7200.0, 12.0)
    assert 24.0 == bill.spent_usd
    bill.run(datetime(2026, 12, 1, 0, 30, tzinfo=UTC), 7200.0 + 3600.0 * 200, 12.0)
    assert ("2026-12", 6.0) == (bill.month, bill.spent_usd)


def test_a_clock_that_goes_astray_finds_its_month_again():
    bill = Bill()
    bill.run(NOW, 0.0, 10.0)
    bill.run(NOW, 3600.0, 10.0)
    bill.run(NOW.replace(year=2099), 3601.0, 10.0)
    assert bill.spent_usd < 0.01
    bill.run(NOW, 3602.0, 10.0)
    assert 10.0 == pytest.approx(bill.spent_usd, abs=0.01)


def test_a_bill_goes_on_in_another_process():
    bill, other = Bill(), Bill()
    bill.run(NOW, 0.0, 10.0)
    bill.run(NOW, 1800.0, 10.0)
    bill.ordered(1800.0)
    other.restore(bill.to_record(1800.0), 600.0, NOW, 50.0, 12.0)

    assert 7.0 == pytest.approx(other.spent_usd)
    assert 1 == other.orders_within_hour(50.0)
    assert 0 == other.orders_within_hour(50.0 + 3001.0)


def test_tiers_outlive_telemetry_that_says_nothing_of_them():
    """Else a record without spans would make room below the cap."""
    made = guard(max_usd_per_h=float(BUILT.sum()) + 60.0)
    seen(made, tiers=BUILT + np.array([0, 50.0, 0, 0]))
    made.see(SpanTelemetry((), *(np.zeros(0),) * 3))

    assert ["order-over-hourly-cap: 1"] == placed(made, ("span-2", BUILT[2] + 50.0))[1]
    assert float(BUILT.sum()) + 50.0 == pytest.approx(made.usd_per_h)


def test_tiers_and_orders_outlive_a_changed_topology_by_name():
    made = guard()
    seen(made, tiers=BUILT + np.array([0, 50.0, 0, 0]))
    placed(made, ("span-3", BUILT[3] + 7.0))
    spans = NETWORK.spans
    order = np.array([3, 1, 2])
    changed = replace(
        NETWORK,
        topology=replace(
            NETWORK.topology,
            spans=replace(
                spans,
                name=tuple(spans.name[row] for row in order),
                tier_gbps=spans.tier_gbps[order],
                usd_per_h=spans.usd_per_h[order],
                provider=tuple(spans.provider[row] for row in order),
            ),
        ),
    )
    made.rebind(Prices(changed, {name: Tariff(1.0) for name in changed.spans.name}), TIMES)

    assert float(BUILT[1:].sum()) + 57.0 == pytest.approx(made.usd_per_h)


def test_tariffs_may_be_given():
    made = Prices(NETWORK, {"span-0": Tariff(0.5, 0.5)})

    assert 1.0 == pytest.approx(made.of(0, 4.0))
    assert NETWORK.spans.usd_per_h[1] == pytest.approx(made.of(1, 4.0))


ORDERS = st.lists(
    st.tuples(st.sampled_from(["span-0", "span-1", "span-2", "span-3", "x"]), st.floats(0, 500)),
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(ORDERS, st.sampled_from([0.0, 30.0, 900.0])), max_size=20))
def test_no_storm_of_orders_gets_past_a_cap(storm):
    hourly = float(BUILT.sum()) + 120.0
    monthly = hours_left(NOW) * (float(BUILT.sum()) + 60.0)
    made = guard(max_usd_per_h=hourly, max_usd_per_month=monthly, max_orders_per_h=3)
    tiers, at_s, times = BUILT.copy(), 0.0, []
    for orders, pause_s in storm:
        at_s += pause_s
        seen(made, tiers=tiers)
        spans, _ = placed(made, *orders, at_s=at_s)
        for span in spans:
            wanted = dict(reversed(orders))[span]
            tiers[int(span[-1])] = wanted
            times.append(at_s)
        assert sum(at_s - when < 3600 for when in times) <= 3
        assert tiers.sum() <= hourly * (1 + 1e-6)
        month = made.bill.spent_usd + tiers.sum() * hours_left(NOW + timedelta(seconds=at_s))
        assert month <= monthly * (1 + 1e-6) or tiers.sum() <= BUILT.sum() * (1 + 1e-6)


def test_a_policy_that_orders_without_end_is_held_in_the_loop():
    limits = Limits(max_orders_per_h=5, max_usd_per_h=float(BUILT.sum()) + 40.0)
    mine = Loop(selling(bound(NETWORK, limits)))
    inner, rng = as_before(mine.supervisor), np.random.default_rng(0)

    def storm(given):
        orders = [
            Order(f"span-{rng.integers(0, 4)}", float(rng.uniform(0, 200))) for _ in range(500)
        ]
        return Proposal(inner(given).rates_gbps, orders)

    behave(mine.supervisor, storm)
    decisions = mine.turns(60)
    placed_orders = sum(len(decision.orders) for decision in decisions)
    money = mine.supervisor.status().money
    refused = sum(mine.supervisor.status().ladder.reasons.values())
    print(f"\norder storm: 30,000 orders, {placed_orders} placed, {refused} reasons given")

    assert 0 < placed_orders <= 5
    assert {"policy"} == {decision.source for decision in decisions}
    assert money.orders_last_hour == placed_orders
    assert mine.supervisor._core.spend.usd_per_h <= money.max_usd_per_h
    assert "order-over-rate" in words(decisions[-1])


@pytest.mark.parametrize("orders", [None, [1, 2], ["span-1"], 7])
def test_orders_that_are_none_cost_the_rates_nothing(orders):
    mine = Loop(bound(NETWORK))
    inner = as_before(mine.supervisor)
    behave(mine.supervisor, lambda given: Proposal(inner(given).rates_gbps, orders))
    decision = mine.turn()

    assert ("policy", ()) == (decision.source, decision.orders)
    assert decision.rates_gbps.sum() > 1


def test_approval_by_the_supervisor():
    mine = Loop(selling(bound(NETWORK, Limits(approval_above_usd_per_h=1.0))))
    inner = as_before(mine.supervisor)
    order = Order("span-1", 90.0)
    behave(mine.supervisor, lambda given: Proposal(inner(given).rates_gbps, (order,)))
    assert () == mine.turn().orders
    (waiting,) = mine.supervisor.status().waiting
    mine.supervisor.approve(waiting.id)
    assert mine.supervisor.status().waiting[0].is_approved
    assert (order,) == mine.turn().orders
