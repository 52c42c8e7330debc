"""Faults, each with the figure of what it cost: a decision always comes, and it always fits.

Each plays `metro-inference` under its agent, spoils intervals 10 to 29 of 40 in one way, and
compares the work served with the same episode undisturbed. `pytest -s` prints the figures.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from functools import cache

import numpy as np
import pytest
from supervising import HandClock, Played, as_before, behave, bound, words

from bwalloc.allocate.limits import Limits
from bwalloc.control import DemandTelemetry, LinkTelemetry
from bwalloc.scenario import load_scenario

INTERVALS, SPOILT = 40, range(10, 30)


@cache
def scenario():
    return load_scenario("metro-inference", {"time.intervals": INTERVALS})


@cache
def undisturbed():
    return Played(scenario(), bound(scenario().network)).run(INTERVALS)


def spoilt(spoil=None, *, policy=None, limits=None, before=None, at=SPOILT):
    """The episode with the fault, and the share of the undisturbed work that it lost."""
    supervisor = bound(scenario().network, limits)
    if policy is not None:
        behave(supervisor, policy(as_before(supervisor)))

    def change(interval, record):
        return spoil(record) if spoil is not None and interval in at else record

    played = Played(scenario(), supervisor).run(INTERVALS, change, before)
    return played, 1.0 - played.served_gbit / undisturbed().served_gbit


def report(fault, lost, played):
    counts = played.supervisor.status().ladder.decisions
    said = ", ".join(f"{source} {count}" for source, count in counts.items() if count)
    money = 1 - played.net_usd / undisturbed().net_usd
    print(f"\n{fault}: {100 * lost:.1f} % of the work, {100 * money:.1f} % of the money ({said})")


def demands(record, **changes):
    columns = {**vars(record.demands), **changes}
    return replace(record, demands=DemandTelemetry(**columns))


def links(record, **changes):
    columns = {**vars(record.links), **changes}
    return replace(record, links=LinkTelemetry(**columns))


LOADS = ("offered_gbps", "recent_gbps", "peak_gbps", "served_gbit", "expired_gbit", "queued_gbit")


def scaled_loads(factor):
    return lambda record: demands(
        record, **{name: getattr(record.demands, name) * factor for name in LOADS}
    )


def scaled_links(factor):
    return lambda record: links(
        record,
        capacity_gbps=record.links.capacity_gbps * factor,
        carried_gbps=record.links.carried_gbps * factor,
    )


def sources_in(played, at=SPOILT):
    return {played.sources[interval] for interval in at}


def test_undisturbed_the_policy_decides_alone():
    played = undisturbed()

    assert {"policy": INTERVALS} == {
        source: played.sources.count(source) for source in set(played.sources)
    }
    assert 0 == played.broken
    assert all(() == decision.reasons for decision in played.decisions)


def faulty(answer):
    """A policy that answers `answer(rates)` from its 11th decision to its 30th."""

    def policy(inner):
        count = iter(range(10**6))

        def decide(given):
            good = inner(given)
            return answer(good.rates_gbps) if next(count) in SPOILT else good

        return decide

    return policy


def spoil_one(value):
    def change(rates):
        rates = rates.copy()
        rates[3, 0] = value
        return rates

    return change


def fail(rates):
    del rates
    raise MemoryError


@pytest.mark.parametrize(
    ("fault", "answer", "word"),
    [
        ("NaN", spoil_one(np.nan), "policy-not-finite"),
        ("infinity", spoil_one(np.inf), "policy-not-finite"),
        ("negative", spoil_one(-1.0), "policy-negative"),
        ("all NaN", lambda rates: rates * np.nan, "policy-not-finite"),
        ("wrong shape", lambda rates: rates[1:], "policy-wrong-shape"),
        ("whole numbers", lambda rates: rates.astype(int), "policy-wrong-shape"),
        ("no answer", lambda rates: None, "policy-raised"),
        ("raises", fail, "policy-raised"),
    ],
)
def test_a_policy_that_answers_nonsense_is_replaced_by_max_min(fault, answer, word):
    played, lost = spoilt(policy=faulty(answer))
    report(f"policy answers {fault}", lost, played)

    assert {"max-min"} == sources_in(played)
    assert {word} == {each for interval in SPOILT for each in words(played.decisions[interval])}
    assert "policy" == played.sources[SPOILT.stop]
    assert 0 == played.broken
    assert lost < 0.05


def test_a_policy_that_asks_for_too_much_is_cut_to_the_links():
    played, lost = spoilt(policy=faulty(lambda rates: rates * 50))
    report("policy answers 50 times too much", lost, played)

    assert {"policy"} == sources_in(played)
    assert all("over-capacity" in words(played.decisions[interval]) for interval in SPOILT)
    assert 0 == played.broken
    assert lost < 0.1


def test_a_slow_policy_is_not_waited_for_and_its_late_answer_is_dropped():
    def slow(rates):
        time.sleep(0.05)
        return rates * 0  # would be seen if it were applied late

    begun = time.perf_counter()
    played, lost = spoilt(policy=faulty(slow), limits=Limits(decide_within_s=0.02))
    taken = time.perf_counter() - begun
    report("policy takes 50 ms of the 20 it has", lost, played)

    assert "policy" not in sources_in(played, range(10, 15))
    assert {"policy-late", "policy-busy"} >= {
        each for interval in range(10, 15) for each in words(played.decisions[interval])
    }
    assert all(decision.rates_gbps.sum() > 0 for decision in played.decisions[10:])
    assert 0 == played.broken
    assert lost < 0.05
    assert taken < 30


@pytest.mark.parametrize(
    ("fault", "spoil", "word", "most"),
    [
        ("nothing came", lambda record: None, "telemetry-missing", 0.25),
        ("no record came", lambda record: {"demands": []}, "telemetry-missing", 0.25),
        (
            "25 s old",
            lambda record: replace(
                record, interval_end=record.interval_end - timedelta(seconds=25)
            ),
            "telemetry-stale",
            0.25,
        ),
        (
            "from tomorrow",
            lambda record: replace(record, interval_end=record.interval_end + timedelta(days=1)),
            "telemetry-future",
            0.25,
        ),
        (
            "of the year 1",
            lambda record: replace(
                record, interval_end=record.interval_end.replace(year=1, tzinfo=None)
            ),
            "telemetry-stale",
            0.25,
        ),
        ("interval of 1 h", lambda r: replace(r, interval_s=3600.0), "telemetry-interval", 0.25),
        ("all loads negative", scaled_loads(-1.0), "telemetry-load-unit", 0.25),
        ("loads 1000 times too large", scaled_loads(1e3), "telemetry-load-unit", 0.25),
        ("loads 1000 times too small", scaled_loads(1e-3), "telemetry-load-unit", 0.25),
        ("capacities 1000 times too large", scaled_links(1e3), "telemetry-capacity-unit", 0.25),
        ("capacities 1000 times too small", scaled_links(1e-3), "telemetry-capacity-unit", 0.25),
        (
            "everything 1000 times too small",
            lambda record: scaled_links(1e-3)(scaled_loads(1e-3)(record)),
            "telemetry-capacity-unit",
            0.25,
        ),
        (
            "another network's",
            lambda record: demands(
                record, name=tuple(f"other-{name}" for name in record.demands.name)
            ),
            "telemetry-foreign",
            0.25,
        ),
    ],
)
def test_telemetry_that_cannot_be_used_leaves_what_was_good_and_then_the_table(
    fault, spoil, word, most
):
    played, lost = spoilt(spoil)
    report(fault, lost, played)

    assert ["last-known-good"] * 3 == played.sources[10:13]
    assert word in words(played.decisions[10])
    assert "policy" == played.sources[SPOILT.stop]
    assert 0 == played.broken
    assert lost < most


def test_loads_that_stay_at_another_level_are_believed_after_a_while():
    played, lost = spoilt(scaled_loads(1e-3))
    report("loads 1000 times too small, for 20 intervals", lost, played)

    assert ["last-known-good"] * 3 == played.sources[10:13]
    assert "policy" in played.sources[13:30]
    assert 0 == played.broken


def half_measured(record):
    offered = record.demands.offered_gbps.copy()
    offered[::2] = np.nan
    return demands(record, offered_gbps=offered)


def half_sent(record):
    kept = slice(None, None, 2)
    columns = {
        name: tuple(value[kept]) if name == "name" else value[kept]
        for name, value in vars(record.demands).items()
    }
    return replace(record, demands=DemandTelemetry(**columns))


def one_more(record):
    columns = {
        name: (*value, "stranger") if name == "name" else np.concatenate([value, value[:1]])
        for name, value in vars(record.demands).items()
    }
    return replace(record, demands=DemandTelemetry(**columns))


def shuffled(record):
    order = np.random.default_rng(0).permutation(len(record.demands.name))
    columns = {
        name: tuple(np.array(value)[order]) if name == "name" else value[order]
        for name, value in vars(record.demands).items()
    }
    turned = np.arange(len(record.links.name))[::-1]
    others = {
        name: tuple(np.array(value)[turned].tolist()) if isinstance(value, tuple) else value[turned]
        for name, value in vars(record.links).items()
    }
    return replace(record, demands=DemandTelemetry(**columns), links=LinkTelemetry(**others))


@pytest.mark.parametrize(
    ("fault", "spoil", "said", "most"),
    [
        ("every second load not measured", half_measured, {"demand-unmeasured"}, 0.1),
        ("every second demand not sent", half_sent, {"demand-missing"}, 0.1),
        ("a demand nobody knows", one_more, {"demand-unknown"}, 1e-6),
        ("rows in another order", shuffled, set(), 1e-6),
    ],
)
def test_rows_are_matched_by_name_and_the_policy_goes_on(fault, spoil, said, most):
    played, lost = spoilt(spoil)
    report(fault, lost, played)

    assert {"policy"} == sources_in(played)
    assert said == {each for interval in SPOILT for each in words(played.decisions[interval])}
    assert 0 == played.broken
    assert abs(lost) < most


def without_capacity(record, rows=slice(0, 2)):
    capacity = record.links.capacity_gbps.copy()
    capacity[rows] = 0.0
    return links(record, capacity_gbps=capacity)


def all_down(record):
    return links(record, is_up=(False,) * len(record.links.name))


def test_links_without_capacity_carry_nothing_and_the_policy_goes_on():
    played, lost = spoilt(without_capacity)
    report("two links without capacity", lost, played)
    planned = played.supervisor._core.binding.guard.projection.planned_gbps

    assert {"policy"} == sources_in(played)
    for interval in SPOILT:
        assert "link-down" in words(played.decisions[interval])
        assert 0.0 == planned(played.decisions[interval].rates_gbps)[:2].sum()
    assert 0 == played.broken


def test_when_all_links_are_down_nothing_is_granted():
    played, lost = spoilt(all_down)
    report("all links down", lost, played)

    for interval in SPOILT:
        assert 0.0 == played.decisions[interval].rates_gbps.sum()
    assert played.decisions[SPOILT.stop].rates_gbps.sum() > 0


@pytest.mark.parametrize("seconds", [3600.0, -3600.0, 40 * 365 * 86400.0])
def test_a_jump_of_this_clock_costs_nothing_while_telemetry_goes_on(seconds):
    def jump(interval, played):
        if interval == 10:
            played.clock.jump(seconds)

    played, lost = spoilt(before=jump)
    report(f"this clock jumps by {seconds:+.0f} s", lost, played)

    assert {"policy"} == set(played.sources)
    assert "clock-jump" in words(played.decisions[10])
    assert 0.0 == pytest.approx(lost, abs=1e-9)
    assert 0 == played.broken


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_a_jump_of_all_clocks_costs_nothing(seconds):
    def jump(interval, played):
        if interval == 10:
            played.clock.jump(seconds)
            played.clock.truth += timedelta(seconds=seconds)

    played, _ = spoilt(before=jump)

    assert {"policy"} == set(played.sources)
    assert ["clock-jump"] == words(played.decisions[10])
    assert [] == words(played.decisions[11])


def test_a_log_on_a_full_disk_costs_nothing_and_is_counted():
    supervisor = bound(scenario().network, audit="/dev/full")
    played = Played(scenario(), supervisor).run(INTERVALS)
    report("no space left for the log", 1 - played.served_gbit / undisturbed().served_gbit, played)

    assert played.served_gbit == undisturbed().served_gbit
    assert supervisor.status().audit_errors >= INTERVALS


def test_a_bundle_that_is_swapped_each_interval_costs_nothing():
    from supervising import agent

    def swap(interval, played):
        if interval in SPOILT:
            assert played.supervisor.swap(agent()) == interval - 8

    played, lost = spoilt(before=swap)
    report("20 hot swaps", lost, played)

    assert {"policy"} == set(played.sources), [d.reasons for d in played.decisions]
    assert 0.0 == pytest.approx(lost, abs=1e-9)


def test_reading_is_by_hand_clock_and_not_by_this_machine():
    assert HandClock().utc().year == 2026
