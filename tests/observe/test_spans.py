"""What policies see of spans, and what orders are made from."""

from types import SimpleNamespace

import numpy as np
import pytest
from ordering import ports

from bwalloc.observe import Recent, SpanObserver, SpanOutlook, UsualDay, measured, usual_day
from bwalloc.observe.feature import SPAN_FEATURES
from bwalloc.scenario import load_scenario, train_worlds

NAMES = [feature.name for feature in SPAN_FEATURES]


def readings(offered, **spans):
    return SimpleNamespace(offered_gbps=np.array(offered, np.float32), **spans)


def test_features_of_a_port_worked_out_by_hand(tmp_path):
    """Tiers 1, 2, 5, 10 at 4 USD x tier ** .63 an hour; at 2, an order of 5 since 10 minutes."""
    scenario = ports(tmp_path)
    seen = readings(
        np.zeros((4, 1)),
        tier_gbps=np.array([[2.0], [10.0]], np.float32),
        pending_gbps=np.array([[5.0], [np.nan]], np.float32),
        paid_left_s=np.array([[1800.0], [0.0]], np.float32),
    )
    outlook = SpanOutlook(np.array([[4.0], [5.0]]), np.full((2, 1), 1e-3), np.array([[600.0], [0]]))
    rows = SpanObserver(scenario.network)(seen, outlook)
    port, other = (dict(zip(NAMES, rows[:, row, 0].tolist(), strict=True)) for row in (0, 1))
    price = [4.0 * tier**0.63 for tier in (1, 2, 5, 10)]

    assert 0.2 == pytest.approx(port["tier"])
    assert np.log2(4 / 2) == pytest.approx(port["load"], abs=0.01)
    assert 0.5 == pytest.approx(port["paid"])
    assert 1 == port["pending"]
    assert np.log2(5 / 2) == pytest.approx(port["coming"], abs=0.01)
    assert 1 / 6 == pytest.approx(port["age"])
    assert np.log2((price[2] - price[1]) / 3 / 3.6) == pytest.approx(port["up"], abs=1e-5)
    assert np.log2((price[1] - price[0]) / 3.6) == pytest.approx(port["down"], abs=1e-5)
    assert 300 * np.exp(0.5 * 1.645) / 3600 == pytest.approx(port["delay"], rel=1e-3)
    assert (1, 0, 0, 6) == (other["tier"], other["pending"], other["coming"], other["up"])


def test_what_was_seen_is_read_back_from_its_features(tmp_path):
    observer = SpanObserver(ports(tmp_path).network)
    seen = readings(
        np.zeros((4, 3)),
        tier_gbps=np.array([[2.0, 1.0, 10.0], [10.0, 5.0, 2.0]], np.float32),
        pending_gbps=np.array([[5.0, np.nan, np.nan], [np.nan, 10.0, np.nan]], np.float32),
        paid_left_s=np.array([[1800.0, 60.5, 0.0], [0.0, 3599.0, 7.0]], np.float32),
    )
    load = np.array([[4.0, 0.3, 9.0], [5.0, 0.0, 1e6]])
    outlook = SpanOutlook(load, np.full((2, 3), 1e-3), np.zeros((2, 3)))
    back = observer.undone(observer(seen, outlook))

    np.testing.assert_allclose(back.tier_gbps, seen.tier_gbps, rtol=1e-6)
    np.testing.assert_array_equal(back.is_pending, ~np.isnan(seen.pending_gbps))
    np.testing.assert_array_equal(back.paid_left_s, seen.paid_left_s)
    assert [[True] * 3, [True, False, False]] == back.is_load_known.tolist()
    np.testing.assert_allclose(back.load_gbps[back.is_load_known], load[back.is_load_known], 1e-5)


def test_a_network_that_sells_nothing_has_no_rows():
    network = load_scenario("tiny-edge").network

    assert (9, 0, 3) == SpanObserver(network)(readings(np.zeros((8, 3))), None).shape


def test_the_mean_is_of_what_was_seen_since_the_first_load():
    recent = Recent.nothing(3, 1, 2)
    means = []
    for load in ([0, 0], [0, 6], [3, 0], [6, 3], [9, 3]):
        recent = recent.pushed(readings([load]))
        means.append(recent.mean(np.full((1, 2), 99.0))[0].tolist())

    assert [[99, 99], [99, 6], [3, 3], [4.5, 3], [6, 2]] == means


def test_columns_begin_anew_alone():
    recent = Recent.nothing(3, 1, 2)
    for load in ([4, 4], [8, 8]):
        recent = recent.pushed(readings([load]))
    recent = recent.without(np.array([1])).pushed(readings([[6, 6]]))

    assert [[6, 6]] == recent.mean(np.zeros((1, 2))).tolist()
    assert [3, 1] == recent.seen.tolist()


def test_loads_go_on_by_name_and_those_of_new_demands_stand_for_all():
    recent = Recent.nothing(3, 2, 1)
    for load in ([[1], [10]], [[3], [30]]):
        recent = recent.pushed(readings(load))
    moved = recent.carried(np.array([1, -1]), readings([[0], [7]]))

    assert [[20], [7]] == moved.mean(np.zeros((2, 1))).tolist()


def test_the_usual_day_is_that_of_the_record_and_even_for_unknown_demands(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 60})
    names = scenario.network.demands.name
    record = measured(train_worlds(scenario), scenario.timing.interval_s)
    day = usual_day(scenario)

    np.testing.assert_array_equal(record.hourly_gbps, day.of(names))
    found = UsualDay(("a", "b"), np.arange(48.0).reshape(24, 2)).of(("b", "c"))
    assert [[1, 0], [3, 0]] == found[:2].tolist()
    assert day is usual_day(scenario)
