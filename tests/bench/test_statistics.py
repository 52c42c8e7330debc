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


def test_the_same_seed_gives_the_same_interval_and_another_seed_nearly_so():
    values = np.random.default_rng(1).normal(5, 1, 30)
    assert statistics.mean_interval(values) == statistics.mean_interval(list(values), seed=0)
    other = statistics.mean_interval(values, seed=1, resamples=4000)
    assert other != statistics.mean_interval(values)
    assert other.lo == pytest.approx(statistics.mean_interval(values).lo, abs=0.1)


@pytest.mark.parametrize(("shift", "scale"), [(100.0, 1.0), (0.0, 3.0), (-7.0, 0.5)])
def test_an_interval_moves_and_grows_with_the_values(shift, scale):
    values = np.random.default_rng(2).normal(0, 1, 25)
    plain, moved = (
        statistics.mean_interval(values),
        statistics.mean_interval(values * scale + shift),
    )
    expected = tuple(end * scale + shift for end in (plain.mean, plain.lo, plain.hi))
    assert (moved.mean, moved.lo, moved.hi) == pytest.approx(expected)
    assert moved.lo <= moved.mean <= moved.hi


def test_one_episode_has_an_interval_without_width():
    assert statistics.mean_interval([3.0]) == statistics.Interval(3.0, 3.0, 3.0)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    intervals = [statistics.mean_interval(rng.normal(0, 1, 30), resamples=400) for _ in range(200)]
    assert 0.88 <= np.mean([one.lo <= 0.0 <= one.hi for one in intervals]) <= 0.99


def test_regret_is_resampled_together():
    bound = np.random.default_rng(4).normal(100, 30, 20)
    halfway = statistics.regret(bound, bound - 5.0, bound - 10.0)
    assert (halfway.lo, halfway.mean, halfway.hi) == pytest.approx((0.5, 0.5, 0.5))


def test_regret_without_room_is_not_a_number():
    same = np.array([1.0, 2.0])
    assert np.isnan(statistics.regret(same, same, same).mean)


def test_the_gain_over_oneself_is_nothing_and_the_other_way_round_is_the_opposite():
    x, y = np.random.default_rng(5).normal(0, 1, (2, 15))
    assert statistics.paired_gain(x, x) == statistics.Interval(0.0, 0.0, 0.0)
    there, back = statistics.paired_gain(x, y), statistics.paired_gain(y, x)
    assert (there.mean, there.lo, there.hi) == pytest.approx((-back.mean, -back.hi, -back.lo))


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]]])
def test_episodes_are_one_row_of_numbers(values):
    with pytest.raises(ValueError, match="one number per episode"):
        statistics.mean_interval(values)


def test_paired_numbers_need_the_same_episodes():
    with pytest.raises(ValueError, match="same episodes"):
        statistics.paired_gain([1.0, 2.0], [1.0])
