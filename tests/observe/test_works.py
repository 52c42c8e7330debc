"""Announced works lower what a controller counts on for the intervals they touch."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from bwalloc.control import Maintenance
from bwalloc.observe.works import under_works

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
CAPACITY = np.array([8.0, 6.0])


def left(*windows):
    """Of 8 and 6 Gbit/s, noon to 12:01; windows are seconds after noon and Gbit/s of link a."""
    records = [
        Maintenance("a", NOON + timedelta(seconds=s), NOON + timedelta(seconds=e), gbps)
        for s, e, gbps in windows
    ]
    return under_works(CAPACITY, ("a", "b"), records, NOON, NOON + timedelta(minutes=1)).tolist()


@pytest.mark.parametrize(
    ("window", "expected"),
    [((0, 60, 2), 2), ((59, 99, 2), 2), ((-9, 1, 2), 2), ((60, 99, 2), 8), ((-9, 0, 2), 8)],
)
def test_a_window_counts_if_any_moment_of_it_falls_into_the_interval(window, expected):
    assert [expected, 6.0] == left(window)


def test_the_least_of_several_windows_holds_and_none_raises_a_capacity():
    assert [1.0, 6.0] == left((0, 10, 3), (20, 30, 1))
    assert [8.0, 6.0] == left((0, 60, 99))
    assert [0.0, 6.0] == left((0, 60, -1))


def test_windows_of_links_that_are_not_there_are_ignored():
    window = Maintenance("nowhere", NOON, NOON + timedelta(hours=1), 0.0)

    assert CAPACITY.tolist() == under_works(CAPACITY, ("a", "b"), [window], NOON, NOON).tolist()


@pytest.mark.parametrize("zone", [None, UTC, timezone(timedelta(hours=9))])
def test_windows_may_be_of_any_zone_and_without_one_they_are_utc(zone):
    start = NOON if zone is None else NOON.astimezone(zone)
    start = start.replace(tzinfo=None) if zone is None else start
    window = Maintenance("a", start, start + timedelta(seconds=5), 2.0)

    assert [2.0, 6.0] == under_works(
        CAPACITY, ("a", "b"), [window], NOON, NOON + timedelta(minutes=1)
    ).tolist()
