"""The ladder: which rung decides, for how long, and that each step down is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from supervising import Loop, as_before, behave, bound, broken, selling, words
from wide import wide

from bwalloc.allocate.limits import Limits
from bwalloc.control import Order
from bwalloc.serve.books.audit import read_audit
from bwalloc.serve.policy.runtime import Proposal
from bwalloc.serve.reasons import REASONS, reason, word_of

NETWORK = wide(24, 10)


def loop(limits=None, **options):
    return Loop(selling(bound(NETWORK, limits, **options)))


def nothing(record):
    del record


def refuse(*arguments):
    raise RuntimeError(arguments)


def test_without_telemetry_the_last_good_decision_stands_until_its_time_is_over():
    mine = loop(Limits(last_good_s=25.0))
    good = mine.turn()
    gone = [mine.turn(nothing) for _ in range(4)]

    assert ["last-known-good"] * 2 + ["static"] * 2 == [decision.source for decision in gone]
    np.testing.assert_array_equal(good.rates_gbps, gone[0].rates_gbps)
    assert all(["telemetry-missing"] == words(decision) for decision in gone)


def test_a_fallback_on_good_telemetry_is_a_good_decision():
    mine = loop()
    behave(mine.supervisor, refuse)
    good, gone = mine.turn(), mine.turn(nothing)

    assert ("max-min", "last-known-good") == (good.source, gone.source)
    np.testing.assert_array_equal(good.rates_gbps, gone.rates_gbps)


def test_an_override_that_was_released_does_not_live_on_in_the_last_good_decision():
    mine = loop()
    rows = np.array(NETWORK.demands.tenant) == "tenant-1"
    mine.turns(2)
    mine.supervisor.override("tenant-1", 0.0)
    fixed = mine.turn().rates_gbps
    mine.supervisor.release("tenant-1")
    gone = mine.turn(nothing)

    assert ("last-known-good", 0.0) == (gone.source, fixed[rows].sum())
    assert gone.rates_gbps[rows].sum() > 1
    assert 0 == broken(NETWORK, gone, NETWORK.links.capacity_gbps)


def test_what_stands_in_does_not_grow_older_by_standing_in():
    mine = loop(Limits(last_good_s=25.0))
    mine.turn()
    sources = [mine.turn(nothing).source for _ in range(3)]
    mine.turn()

    assert ["last-known-good", "last-known-good", "static"] == sources
    assert "last-known-good" == mine.turn(nothing).source


def test_the_last_good_decision_is_held_to_the_capacities_known_now():
    mine = loop()
    mine.turn()
    less = NETWORK.links.capacity_gbps * 0.3

    def old(record):
        return replace(record, interval_end=record.interval_end.replace(year=2025))

    stale = mine.turn(old, capacity_gbps=less)

    assert "last-known-good" == stale.source
    assert {"telemetry-stale", "over-capacity"} == set(words(stale))
    assert 0 == broken(NETWORK, stale, less)


def test_before_any_telemetry_the_static_table_stands():
    decision = loop().turn(nothing)

    assert "static" == decision.source
    assert decision.rates_gbps.sum() > 1
    assert 0 == broken(NETWORK, decision, NETWORK.links.capacity_gbps)


def test_the_static_table_is_the_operators_where_there_is_one():
    mine = loop(Limits(static_gbps={"demand-3": 0.125, "demand-4": 0.0}))
    rates = mine.turn(nothing).rates_gbps.sum(1)

    assert 0.125 == pytest.approx(rates[3], rel=1e-3)
    assert 0.0 == rates[4]
    assert np.delete(rates, [3, 4]).min() > 0.2


def test_when_max_min_fails_too_the_last_good_decision_stands():
    mine = loop()
    good = mine.turn()
    behave(mine.supervisor, refuse)
    mine.supervisor._core.binding.max_min = refuse
    decision = mine.turn()

    assert "last-known-good" == decision.source
    assert ["policy-raised", "max-min-failed"] == words(decision)[:2]
    np.testing.assert_array_equal(good.rates_gbps, decision.rates_gbps)


def test_when_everything_fails_nothing_is_granted_and_nothing_is_raised(tmp_path):
    mine = loop(audit=tmp_path / "a")
    mine.turn()
    mine.supervisor._core.binding.guard.hold = refuse
    decision = mine.turn()

    assert ["internal-error: RuntimeError"] == read_audit(tmp_path / "a")[-1]["reasons"]
    assert 0.0 == mine.supervisor.status().decision_age_s

    assert ("static", ["internal-error"]) == (decision.source, words(decision))
    assert 0.0 == decision.rates_gbps.sum()


def test_a_fault_inside_is_answered_by_the_static_table():
    mine = loop()
    mine.turn()
    core = mine.supervisor._core
    core.binding.repeated = refuse
    decision = mine.turn()

    assert ("static", ["internal-error"]) == (decision.source, words(decision))
    assert decision.rates_gbps.sum() > 1
    assert 0 == broken(NETWORK, decision, NETWORK.links.capacity_gbps)


def test_fallbacks_place_no_orders():
    mine = loop()
    inner = as_before(mine.supervisor)
    order = Order("span-1", 3.0)
    behave(mine.supervisor, lambda given: replace(inner(given), orders=(order,)))
    assert (order,) == mine.turn().orders

    for decision in (mine.turn(nothing), mine.turn(nothing)):
        assert () == decision.orders
    mine.supervisor.kill("")
    assert () == mine.turn().orders


def test_a_kill_at_the_last_moment_holds_and_withholds_the_orders():
    mine = loop()
    inner = as_before(mine.supervisor)
    order = Order("span-1", 3.0)
    behave(mine.supervisor, lambda given: replace(inner(given), orders=(order,)))
    guard = mine.supervisor._core.binding.guard
    hold, calls = guard.hold, []

    def kill_meanwhile(*arguments):
        if not calls:
            mine.supervisor.kill("now")
        calls.append(arguments)
        return hold(*arguments)

    guard.hold = kill_meanwhile
    decision = mine.turn()

    assert ("static", (), 2) == (decision.source, decision.orders, len(calls))
    assert ["kill-switch", "order-withheld"] == words(decision)


def test_an_answer_that_is_no_answer_orders_nothing():
    mine = loop()
    rates = np.full(NETWORK.tunnels.exists.shape, np.nan)
    behave(mine.supervisor, lambda given: Proposal(rates, (Order("span-1", 3.0),)))
    decision = mine.turn()

    assert ("max-min", ()) == (decision.source, decision.orders)


def test_every_step_of_the_ladder_is_counted_and_reasoned():
    mine = loop()
    mine.turns(2)
    mine.turn(nothing)
    mine.turn()
    inner = as_before(mine.supervisor)
    behave(mine.supervisor, refuse)
    mine.turns(2)
    behave(mine.supervisor, inner)
    mine.turn()
    said = mine.supervisor.status().ladder

    assert {"policy": 4, "max-min": 2, "last-known-good": 1, "static": 0} == said.decisions
    assert [
        ("last-known-good", "policy", 1),
        ("max-min", "policy", 1),
        ("policy", "last-known-good", 1),
        ("policy", "max-min", 1),
        ("start", "policy", 1),
    ] == [(t.before, t.after, t.count) for t in said.transitions]
    assert {"telemetry-missing": 1, "policy-raised": 2} == said.reasons
    assert not said.is_fallback


def test_valid_until_is_the_end_of_the_coming_interval_also_of_a_fallback():
    mine = loop()
    for change in (None, nothing):
        decision = mine.turn(change)
        assert 10.0 == (decision.valid_until - mine.clock.utc()).total_seconds()


def test_reasons_have_stable_words():
    assert "order-waits: 3" == reason("order-waits", 3)
    assert "order-waits" == word_of(reason("order-waits"))
    with pytest.raises(AssertionError):
        reason("never-heard-of")
    assert all(word == word.lower() and ":" not in word for word in REASONS)
