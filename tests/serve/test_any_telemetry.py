"""Whatever comes as telemetry: a decision that fits, never an error, and memory stays flat."""

from __future__ import annotations

import copy
import gc
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from supervising import HandClock, as_before, behave, bound
from wide import START, measured, wide

from bwalloc.allocate.limits import Limits, violations
from bwalloc.control import (
    Decision,
    DemandTelemetry,
    LinkTelemetry,
    Maintenance,
    SpanTelemetry,
    Telemetry,
)
from bwalloc.serve import ReplayClock

NETWORK = wide(9, 5)
LIMITS = Limits(
    floors_gbps={"demand-1": 0.5, "demand-4": 1.0},
    tenant_gbps={"tenant-2": 30.0},
    largest_step_gbps=20.0,
    least_change=0.02,
    max_usd_per_h=500.0,
)
WEIRD = st.sampled_from(
    [0.0, -0.0, -1.0, 1e-320, 1e-9, 1e3, 1e9, 1e38, 1e308, -1e308, np.nan, np.inf, -np.inf]
)
NUMBERS = st.one_of(st.floats(0, 30), WEIRD, st.floats())
ODD_OFFSETS = st.one_of(
    st.sampled_from([-10.0, -25.0, 4.0, 6.0, -86400.0, 86400.0, 1e9, -5e10]), st.floats(-60, 60)
)


mostly = st.sampled_from([True] * 7 + [False])


def names(given_names):
    """Known names in any order, some missing, and strangers."""
    strangers = st.sampled_from(["stranger", "", "demand-0 ", "DEMAND-1", "\x00", "ß" * 50])
    return st.one_of(
        st.just(list(given_names)),
        st.just(list(given_names)),
        st.permutations(list(given_names)),
        st.lists(st.one_of(st.sampled_from(given_names), strangers), max_size=12, unique=True),
    )


@st.composite
def columns(draw, count):
    """A column: plain with a few oddities, or odd throughout."""
    seed = draw(st.integers(0, 1000))
    column = np.random.default_rng(seed).gamma(1.0, 3.0, count)
    for _ in range(draw(st.integers(0, 3)) if count else 0):
        column[draw(st.integers(0, count - 1))] = draw(NUMBERS)
    with np.errstate(all="ignore"):
        return column * (1.0 if draw(mostly) else draw(st.sampled_from([1e3, 1e-3, -1.0, 0.0])))


@st.composite
def records(draw):
    """A record as its class lets it through, about `NETWORK` or nearly so, and its offset."""
    demands, links = draw(names(NETWORK.demands.name)), draw(names(NETWORK.links.name))
    count, slots = len(demands), draw(st.sampled_from([0, 1, 4]))
    capacity = np.array(
        [
            dict(zip(NETWORK.links.name, NETWORK.links.capacity_gbps, strict=True)).get(name, 7.0)
            for name in links
        ]
    )
    if not draw(mostly):
        capacity = draw(columns(len(links)))
    elif links and draw(st.booleans()):
        capacity[draw(st.integers(0, len(links) - 1))] = draw(NUMBERS)
    spans = draw(st.sampled_from([(), NETWORK.spans.name, ("span-1", "x")]))
    odd_s = st.sampled_from([12.0, 1e-300, 1e300, 3600.0])
    return 0.0 if draw(mostly) else draw(ODD_OFFSETS), {
        "interval_s": 10.0 if draw(mostly) else draw(odd_s),
        "demands": DemandTelemetry(
            tuple(demands),
            **{
                name: draw(columns(count))
                for name in (
                    "offered_gbps", "recent_gbps", "peak_gbps", "served_gbit", "expired_gbit",
                    "declared_gbit", "declared_due_s",
                )
            },
            queued_gbit=np.stack([draw(columns(count)) for _ in range(slots)], 1)
            if slots
            else np.zeros((count, 0)),
        ),
        "links": LinkTelemetry(
            tuple(links),
            capacity,
            draw(columns(len(links))),
            tuple(draw(st.lists(st.booleans(), min_size=len(links), max_size=len(links))))
            if not draw(mostly)
            else (True,) * len(links),
        ),
        "spans": SpanTelemetry(spans, *(draw(columns(len(spans))) for _ in range(3))),
        "maintenance": draw(
            st.sampled_from(
                [
                    (),
                    (Maintenance("link-1", START, START + timedelta(days=400), 1.0),),
                    (Maintenance("nowhere", START, START, -1.0),),
                    (Maintenance("link-2", START.replace(tzinfo=None), START, 1.0),),
                ]
            )
        ),
    }  # fmt: skip


@cache
def supervisor(kind):
    clock, rng = HandClock(), np.random.default_rng(0)
    made = bound(NETWORK, LIMITS if kind == "limited" else None, clock=clock)
    inner = as_before(made)
    odd = [0.0, 1.0, 1e3, 1e30, -1.0, np.nan, np.inf]

    def answer(given):
        rates = inner(given).rates_gbps
        return rates * rng.choice(odd, rates.shape if rng.random() < 0.3 else 1).astype(np.float32)

    if kind == "faulty":
        behave(made, answer)
    return made, clock


def check(kind, offset_s, fields):
    mine, clock = supervisor(kind)
    clock.go(10.0)
    try:
        end = clock.day + timedelta(seconds=offset_s)
    except OverflowError:
        end = datetime.max.replace(tzinfo=UTC)
    record = Telemetry(interval_end=end, **fields)
    decision = mine.decide(record)
    check_decision(decision, record)
    again = mine.decide(record)
    if decision.source in ("policy", "max-min"):
        assert decision is again
    check_decision(again, record)


def check_decision(decision, record):
    assert isinstance(decision, Decision)
    assert decision.demands == NETWORK.demands.name
    assert "internal-error" not in {text.partition(":")[0] for text in decision.reasons}
    built = NETWORK.links.capacity_gbps
    most = dict(zip(NETWORK.links.name, 16.0 * built, strict=True))
    is_answered = decision.source in ("policy", "max-min")
    said = zip(record.links.name, record.links.capacity_gbps, record.links.is_up, strict=True)
    for name, capacity, is_up in said:
        if name in most and (not is_up or capacity == 0):
            most[name] = 0.0
        elif name in most and is_answered and 0 <= capacity <= most[name]:
            most[name] = float(capacity)
    rates = decision.rates_gbps[:, :, None]
    capacity = np.array([most[name] for name in NETWORK.links.name])[:, None]
    assert 0 == violations(NETWORK, rates, capacity)[0]
    assert set(decision.orders) == set()


SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(st.sampled_from(["limited", "plain", "faulty"]), records())
def test_any_record_is_answered_by_rates_that_fit(kind, record):
    check(kind, *record)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=SLOW)
@given(st.sampled_from(["limited", "plain", "faulty"]), records())
def test_ten_thousand_records_are_answered_by_rates_that_fit(kind, record):
    check(kind, *record)


def forged(**changes):
    """A record made around the checks of its class."""
    record = copy.copy(measured(NETWORK, 1, start=START))
    for path, value in changes.items():
        part, _, name = path.partition("__")
        if name:
            whole = copy.copy(getattr(record, part))
            object.__setattr__(whole, name, value)
            object.__setattr__(record, part, whole)
        else:
            object.__setattr__(record, part, value)
    return record


@pytest.mark.parametrize(
    "changes",
    [
        {"demands__offered_gbps": np.zeros(3)},
        {"demands__offered_gbps": None},
        {"demands__offered_gbps": np.array(["x"] * 9)},
        {"demands__queued_gbit": np.zeros(9)},
        {"demands__name": ("demand-0",) * 9},
        {"demands__name": None},
        {"demands__name": (1, 2, 3)},
        {"demands": None},
        {"links": None},
        {"links__is_up": (True,)},
        {"links__capacity_gbps": np.full((5, 2), 1.0)},
        {"links__capacity_gbps": np.full(5, 1 + 1j)},
        {"spans": None},
        {"spans__name": ("span-1",)},
        {"interval_end": "today"},
        {"interval_end": None},
        {"interval_end": datetime.min},
        {"interval_end": datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))},
        {"interval_s": 0.0},
        {"interval_s": float("nan")},
        {"interval_s": None},
        {"maintenance": (None,)},
        {"maintenance": 3},
    ],
    ids=str,
)
def test_a_record_made_around_its_checks_is_answered_too(changes):
    mine = bound(NETWORK)
    mine._core.clock.go(10.0)
    decision = mine.decide(forged(**changes))

    assert 0 == violations(
        NETWORK, decision.rates_gbps[:, :, None], NETWORK.links.capacity_gbps[:, None]
    )
    assert "internal-error" not in {text.partition(":")[0] for text in decision.reasons}
    mine._core.clock.go(10.0)
    assert "policy" == mine.decide(measured(NETWORK, 2, start=START)).source


def test_a_replay_of_the_last_day_of_the_calendar_is_answered_too():
    replay = bound(NETWORK, clock=ReplayClock())
    ends = datetime.max.replace(tzinfo=UTC)
    decision = replay.decide(measured(NETWORK, 0, start=ends))

    assert ("static", 0) == (decision.source, len(decision.orders))
    assert "policy" == replay.decide(measured(NETWORK, 0)).source


@pytest.mark.parametrize("what", [None, 7, "telemetry", {}, [], b"{}", object(), float("nan")])
def test_what_is_no_record_is_no_telemetry(what):
    decision = bound(NETWORK).decide(what)

    assert "static" == decision.source
    assert decision.reasons[0].startswith("telemetry-missing")


@pytest.mark.slow
def test_memory_stays_flat_over_thousands_of_decisions():
    clock = HandClock()
    mine = bound(NETWORK, LIMITS, clock=clock)

    def decide(count):
        for interval in range(count):
            clock.go(10.0)
            offered = np.full(9, float(interval % 7))
            mine.decide(
                measured(NETWORK, 0, start=clock.day, offered_gbps=offered)
                if interval % 5
                else None
            )

    tracemalloc.start()
    held = []
    for _ in range(3):
        decide(1000)
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()

    assert held[2] - held[1] < 100_000
