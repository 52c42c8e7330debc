"""Bootstrap intervals, paired gains and regret."""

from __future__ import annotations

import numpy as np
import pytest

from bwalloc.bench import statistics


def test_the_interval_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with the test group")
    values = np.random.default_rng(0).normal(10, 2, 40)
    ours = statistics.mean_interval(values)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", rng=0).confidence_interval
    assert ours.mean == pytest.approx(values.mean())
    assert (ours.lo, ours.hi) == pytest.approx((theirs.low, theirs.high), abs=0.1)


def test_a_paired_gain_is_narrower_than_the_episodes_are_wide():
    episodes = np.random.default_rng(0).normal(100, 30, 20)
    gain = statistics.paired_gain(episodes + 1.0, episodes)
    assert (gain.lo, gain.mean, gain.hi) == pytest.approx((1.0, 1.0, 1.0))


def test_regret_is_zero_at_the_bound_and_one_at_legacy():
    bound, legacy = np.array([10.0, 20.0]), np.array([4.0, 9.0])
    assert statistics.regret(bound, bound, legacy).mean == 0.0
    assert statistics.regret(bound, legacy, legacy).mean == 1.0
    middle = statistics.regret(bound, np.array([7.0, 14.0]), legacy)
    assert middle.mean == pytest.approx((3 + 6) / (6 + 11))


def test_left_is_a_share_of_the_clairvoyant():
    assert statistics.left(np.array([9.0]), np.array([10.0])) == pytest.approx(0.1)
    assert statistics.left(np.array([-12.0]), np.array([-10.0])) == pytest.approx(0.2)
