from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bwalloc.observe import Window


def reading(values):
    return SimpleNamespace(offered_gbps=np.asarray(values, np.float32))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 7), st.lists(st.lists(st.integers(0, 5), min_size=2, max_size=2), min_size=1))
def test_order_statistics_are_those_of_the_last_readings(length, pushed):
    window = Window(length)
    for values in pushed:
        window.push(reading([values]))

    recent = np.array([pushed[0]] * length + pushed[1:], np.float32)[-length:]
    for level in (0.0, 0.3, 0.5, 0.95, 1.0):
        expected = np.sort(recent, axis=0)[round(level * (length - 1))]
        np.testing.assert_array_equal(expected, window.quantile(level)[0])


def test_ewma_weighs_the_newest_most_and_the_first_reading_stands_for_the_past():
    window = Window(3)
    for value in (1.0, 2.0, 4.0, 8.0):
        window.push(reading([[value]]))

    weights = np.array([1.0, 0.5, 0.25])
    expected = (weights * [8.0, 4.0, 2.0]).sum() / weights.sum()
    np.testing.assert_allclose(expected, window.ewma(0.5)[0, 0], rtol=1e-6)


def test_a_restarted_column_is_as_new_and_the_others_go_on():
    window, alone = Window(4), Window(4)
    for value in (1.0, 5.0, 3.0):
        window.push(reading([[value, value]]))
    window.push(reading([[0.0, 7.0]]))
    window.restart(np.array([0]), reading([[0.0, 7.0]]))
    alone.push(reading([[0.0]]))

    for value in (2.0, 6.0):
        window.push(reading([[value, value]]))
        alone.push(reading([[value]]))

        assert alone.quantile(0.7)[0, 0] == window.quantile(0.7)[0, 0]
        assert sorted(alone.offered_gbps[:, 0, 0]) == sorted(window.offered_gbps[:, 0, 0])
    assert 7.0 == window.quantile(1.0)[0, 1]
