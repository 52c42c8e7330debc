"""What is known after telemetry: by name, for how long, and what stands in for what is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from supervising import HandClock
from wide import measured, wide

from bwalloc.allocate.limits import Limits, Times
from bwalloc.control import DemandTelemetry, LinkTelemetry, Maintenance
from bwalloc.serve.telemetry.intake import Receiver

NETWORK = wide(10, 4)
BUILT = NETWORK.links.capacity_gbps
STATIC = np.linspace(1.0, 2.0, 10)


class Station:
    """A receiver whose clock goes on by an interval with each record."""

    def __init__(self, limits=None):
        limits = limits or Limits()
        self.clock = HandClock()
        times = Times.of(limits, 10.0)
        self.receiver = Receiver(NETWORK, limits, times, self.clock, STATIC)
        self.interval = 0

    def take(self, change=None, **changes):
        self.interval += 1
        self.clock.go(10.0)
        record = measured(NETWORK, self.interval, **changes)
        return self.receiver.take(record if change is None else change(record))


def words(intake):
    return [text.partition(":")[0] for text in intake.reasons]


def only(rows, kind):
    """Makes a record hold only these rows of its demands or links."""

    def change(record):
        part = getattr(record, kind)
        columns = {
            name: tuple(value[row] for row in rows) if isinstance(value, tuple) else value[rows]
            for name, value in vars(part).items()
        }
        made = (DemandTelemetry if kind == "demands" else LinkTelemetry)(**columns)
        return replace(record, **{kind: made})

    return change


def test_a_link_without_a_row_has_its_last_capacity_and_then_none():
    station = Station()
    station.take(capacity_gbps=BUILT * 0.5)
    gone = [station.take(only([0, 1, 3], "links")) for _ in range(4)]

    assert [BUILT[2] * 0.5] * 3 + [0.0] == [intake.capacity_gbps[2] for intake in gone]
    assert all("link-missing" in words(intake) for intake in gone)
    np.testing.assert_allclose(BUILT[[0, 1, 3]], gone[0].capacity_gbps[[0, 1, 3]])


def test_a_link_that_was_never_heard_of_carries_nothing():
    assert 0.0 == Station().take(only([0, 1, 3], "links")).capacity_gbps[2]


@pytest.mark.parametrize("value", [np.nan, -1.0, np.inf, 1e6])
def test_a_link_that_is_up_without_a_credible_capacity_has_its_last_or_what_was_built(value):
    capacity = BUILT.copy()
    capacity[1] = value
    fresh, known = Station(), Station()
    known.take(capacity_gbps=BUILT * 0.5)

    assert BUILT[1] == fresh.take(capacity_gbps=capacity).capacity_gbps[1]
    intake = known.take(capacity_gbps=capacity)
    assert BUILT[1] * 0.5 == intake.capacity_gbps[1]
    assert ["link-unmeasured"] == words(intake)


def test_a_link_that_is_down_carries_nothing_whatever_its_capacity():
    intake = Station().take(is_up=(True, False, True, True))

    assert 0.0 == intake.capacity_gbps[1]
    assert ["link-down"] == words(intake)


def test_when_nothing_comes_links_keep_what_was_known_and_then_count_as_built():
    station = Station()
    station.take(capacity_gbps=BUILT * 0.5)
    gone = [station.take(lambda record: None) for _ in range(4)]

    np.testing.assert_array_equal(BUILT * 0.5, gone[2].capacity_gbps)
    np.testing.assert_array_equal(BUILT, gone[3].capacity_gbps)


def test_a_record_that_is_too_old_may_take_capacity_away_and_gives_none():
    station = Station()
    station.take(capacity_gbps=BUILT * 0.5)
    less = np.array([0.1, 1.0, 0.4, 1.0]) * BUILT
    old = station.take(
        lambda record: replace(record, interval_end=record.interval_end - timedelta(days=1)),
        capacity_gbps=less,
        is_up=(True, True, True, False),
    )

    assert old.readings is None
    np.testing.assert_allclose(np.array([0.1, 0.5, 0.4, 0.0]) * BUILT, old.capacity_gbps)


@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_of_capacities_in_a_wrong_unit_only_what_is_down_is_believed(factor):
    station = Station()
    station.take()
    intake = station.take(capacity_gbps=BUILT * factor, is_up=(True, True, True, False))

    assert intake.readings is None
    assert "telemetry-capacity-unit" in words(intake)
    np.testing.assert_allclose([*BUILT[:3], 0.0], intake.capacity_gbps)


def test_a_single_link_may_be_as_good_as_down():
    capacity = BUILT.copy()
    capacity[0] *= 1e-4
    intake = Station().take(capacity_gbps=capacity)

    assert intake.readings is not None
    assert capacity[0] == intake.capacity_gbps[0]


def test_a_demand_without_a_row_has_its_last_load_and_then_that_of_the_static_table():
    station = Station()
    first = station.take().readings.offered_gbps[4, 0]
    gone = [
        station.take(only([0, 1, 2, 3, 5, 6, 7, 8, 9], "demands")).readings.offered_gbps[4, 0]
        for _ in range(4)
    ]

    np.testing.assert_allclose([first] * 3 + [STATIC[4]], gone, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, -0.1, np.inf, 1e5])
def test_a_load_that_is_none_is_not_measured_and_the_static_table_stands_in_at_first(value):
    offered = np.full(10, 1.0)
    offered[7] = value
    intake = Station().take(offered_gbps=offered)

    assert STATIC[7] == pytest.approx(intake.readings.offered_gbps[7, 0])
    assert ["demand-unmeasured"] == words(intake)


def test_other_columns_without_sense_are_nothing_or_the_load():
    odd = np.full(10, 1.0)
    odd[:4] = [np.nan, -5.0, np.inf, 1e30]
    intake = Station().take(
        offered_gbps=np.full(10, 2.0), recent_gbps=odd, served_gbit=odd, queued_gbit=odd[:, None]
    )
    readings = intake.readings

    assert [2.0, 0.0, 2.0] == readings.recent_gbps[:3, 0].tolist()
    assert [0.0, 0.0, 0.0] == readings.served_gbit[:3, 0].tolist()
    assert np.isfinite(readings.queued_gbit).all()
    assert readings.queued_gbit[3, 0, 0] < 1e6


def test_a_night_without_load_makes_no_wrong_unit_of_the_morning():
    station = Station()
    station.take(offered_gbps=np.full(10, 5.0))
    for _ in range(200):
        station.take(offered_gbps=np.zeros(10))
    morning = station.take(offered_gbps=np.full(10, 5.0))

    assert morning.readings is not None
    assert [] == words(morning)


def test_a_level_that_stays_is_believed_and_the_one_before_again_at_once():
    station = Station()
    for _ in range(3):
        station.take(offered_gbps=np.full(10, 5.0))
    low = [station.take(offered_gbps=np.full(10, 0.005)).readings for _ in range(5)]
    high = station.take(offered_gbps=np.full(10, 5.0)).readings

    assert [True, True, True, False, False] == [readings is None for readings in low]
    assert high is not None


def test_announced_maintenance_counts_for_the_interval_it_falls_into():
    station = Station()
    at = station.clock.day

    def announced(record):
        window = Maintenance("link-1", at + timedelta(seconds=25), at + timedelta(seconds=40), 0.5)
        naive = Maintenance("link-2", window.start.replace(tzinfo=None), window.end, 0.25)
        other = Maintenance("nowhere", window.start, window.end, 0.0)
        return replace(record, maintenance=(window, naive, other))

    found = [station.take(announced).capacity_gbps[1:3].tolist() for _ in range(4)]
    whole, less = BUILT[1:3].tolist(), [0.5, 0.25]

    assert [whole, less, less, whole] == found


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"interval_s": 25.0}, "telemetry-interval"),
        ({"interval_s": 4.0}, "telemetry-interval"),
        ({"interval_s": 12.0}, None),
    ],
)
def test_an_interval_of_another_length_is_another_network(change, word):
    intake = Station().take(lambda record: replace(record, **change))

    assert ([] if word is None else [word]) == words(intake)


def test_a_record_about_no_demand_or_no_link_is_not_about_this_network():
    for kind in ("demands", "links"):
        assert ["telemetry-foreign"] == words(Station().take(only([], kind)))


def test_rows_nobody_knows_are_counted_and_ignored():
    def more(record):
        part = record.links
        columns = {
            name: (*value, value[0]) if isinstance(value, tuple) else np.append(value, 1.0)
            for name, value in vars(part).items()
        }
        columns["name"] = (*part.name, "x>y")
        return replace(record, links=LinkTelemetry(**columns))

    intake = Station().take(more)

    assert ["link-unknown"] == words(intake)
    np.testing.assert_array_equal(BUILT, intake.capacity_gbps)
