"""Freshness of telemetry by two clocks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from supervising import HandClock
from wide import START

from bwalloc.allocate.limits import Limits, Times
from bwalloc.observe import hour_of_week
from bwalloc.serve.telemetry.freshness import Freshness, utc_of

TIMES = Times.of(Limits(), 10.0)


def judged(ages, jumps=None):
    """Words of the verdict on records of these ages, 10 s apart; `jumps` by number of record."""
    clock = HandClock()
    fresh, found = Freshness(TIMES, clock), []
    for number, age_s in enumerate(ages):
        clock.go(10.0)
        clock.jump((jumps or {}).get(number, 0.0))
        end = clock.truth - timedelta(seconds=age_s)
        verdict = fresh.judge(end)
        if not verdict.faults:
            fresh.accept(end)
        found.append([text.partition(":")[0] for text in (*verdict.faults, *verdict.remarks)])
    return found


def test_ages_up_to_the_limit_are_of_now():
    assert [[], [], ["telemetry-stale"]] == judged([0.0, 20.0 - 10.0, 20.1])


def test_a_little_ahead_is_of_now_and_more_is_not():
    assert [[], ["telemetry-future"]] == judged([-5.0, -5.1])


def test_a_record_before_the_newest_is_out_of_order():
    assert [[], ["telemetry-out-of-order"]] == judged([0.0, 15.0])


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_telemetry_that_goes_on_is_of_now_when_this_clock_jumps(seconds):
    assert [[], ["clock-jump"], ["clock-jump"]] == judged([0.0, 0.0, 0.0], {1: seconds})


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_a_jump_that_is_taken_back_is_forgotten(seconds):
    assert [[], ["clock-jump"], []] == judged([0.0, 0.0, 0.0], {1: seconds, 2: -seconds})


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_when_telemetry_jumps_along_it_is_believed_once_and_for_all(seconds):
    ages = [0.0, -seconds, -seconds]

    assert [[], ["clock-jump"], []] == judged(ages, {1: seconds})


def test_telemetry_that_stopped_does_not_become_fresh_by_a_jump():
    """Stuck at one record, and this clock is set back to when it was measured."""
    found = judged([0.0, 10.0, 20.0, 30.0], {3: -15.0})

    assert [[], [], [], ["telemetry-stale", "clock-jump"]] == found


def test_a_slow_drift_of_this_clock_is_followed():
    drift = dict.fromkeys(range(100), 0.5)
    clock_lag = [-0.5 * (number + 1) for number in range(100)]

    assert [[]] * 100 == judged(clock_lag, drift)


def test_times_of_any_zone_are_the_same_moment():
    east = timezone(timedelta(hours=9))
    moment = datetime(2026, 11, 24, 3, 30, 15, 250_000, tzinfo=east)

    assert datetime(2026, 11, 23, 18, 30, 15, 250_000, tzinfo=UTC) == utc_of(moment)
    assert hour_of_week(moment) == hour_of_week(utc_of(moment).replace(tzinfo=None))
    assert hour_of_week(moment) == pytest.approx(18 + 30 / 60 + 15.25 / 3600, abs=1e-12)


def test_the_clock_that_counts_goes_on_through_a_jump():
    clock = HandClock()
    fresh = Freshness(TIMES, clock)
    clock.go(10.0)
    clock.jump(86400.0)

    assert START + timedelta(seconds=10) == fresh.now()
