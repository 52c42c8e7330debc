"""The rhythm of loads: what a clock looks like to a policy."""

from __future__ import annotations

import numpy as np
import pytest

from bwalloc.observe.feature import RHYTHM_FEATURES
from bwalloc.observe.rhythm import FAR, ROWS, rhythm_features, updated

NAMES = [feature.name for feature in RHYTHM_FEATURES]


def seen(load):
    """Features after these loads, by name; the trailing mean is that of all loads."""
    rhythm, mean = np.zeros((ROWS, 1, 1), np.float32), np.full((1, 1), np.mean(load), np.float32)
    for each in load:
        rhythm = updated(rhythm, np.full((1, 1), each, np.float32), mean)
    rows = rhythm_features(rhythm)
    return {name: float(row[0, 0]) for name, row in zip(NAMES, rows, strict=True)}


def every(period, length, *, burst=9.0, first=2):
    return [burst if n >= first and (n - first) % period == 0 else 0.0 for n in range(length)]


@pytest.mark.parametrize("since", range(5))
def test_a_clock_tells_when_the_next_burst_is_due(since):
    found = seen(every(5, 28 + since))  # the last one began in interval 27

    assert found["until"] == pytest.approx(4 - since)
    assert found["phase"] == pytest.approx((since + 1) / 5)
    assert found["gap"] == pytest.approx(np.log10(5))
    assert found["uneven"] == pytest.approx(0, abs=1e-3)


def test_a_burst_of_many_intervals_begins_once():
    load = [0.0, 0.0, *([9.0, 9.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0] * 4)]

    assert seen(load)["gap"] == pytest.approx(np.log10(8))


def test_gaps_that_differ_are_uneven():
    gaps = [3, 9, 3, 9, 3, 9]
    load = [0.0, 0.0] + [load for gap in gaps for load in (9.0, *[0.0] * (gap - 1))]

    assert 0.3 < seen(load)["uneven"] < 0.8


@pytest.mark.parametrize("load", [[1.0] * 30, [0.0] * 30, [0.0] * 9 + [9.0] + [0.0] * 20])
def test_without_a_second_burst_nothing_is_known(load):
    found = seen(load)

    assert found == {"phase": 0, "until": FAR, "gap": 0, "uneven": 1}


def test_numpy_and_torch_remember_alike():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    one, other = np.zeros((ROWS, 6, 3), np.float32), torch.zeros((ROWS, 6, 3))
    for _ in range(60):
        load = rng.gamma(0.3, 3.0, (6, 3)).astype(np.float32)
        mean = np.full_like(load, 1.0)
        one = updated(one, load, mean)
        other = updated(other, torch.as_tensor(load), torch.as_tensor(mean))

    np.testing.assert_allclose(one, other.numpy(), rtol=1e-5)
    for mine, its in zip(rhythm_features(one), rhythm_features(other), strict=True):
        np.testing.assert_allclose(mine, its.numpy(), rtol=1e-4, atol=1e-5)
