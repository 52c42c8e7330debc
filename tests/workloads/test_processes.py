"""The random processes that the classes are made of, each against its own law."""

import numpy as np
import pytest

from bwalloc.errors import WorkloadError
from bwalloc.workloads import counts
from bwalloc.workloads import mmpp as mmpp_module
from bwalloc.workloads.churn import client_churn
from bwalloc.workloads.clock import Clock
from bwalloc.workloads.mmpp import STATE_RPS, mmpp
from bwalloc.workloads.onoff import on_off
from bwalloc.workloads.ou import decaying_sum, log_ou, mean_one
from bwalloc.workloads.seasons import SEASONS, season_factors
from bwalloc.workloads.sizes import gamma_beyond
from bwalloc.workloads.surges import multiply_by_surges


def rng(seed=0):
    return np.random.default_rng(seed)


def test_log_ou_has_its_spread_its_memory_and_a_stationary_start():
    logs = log_ou(rng(), Clock(400), 0.3, 30.0, 2000)
    assert logs.std(axis=1) == pytest.approx(np.full(400, 0.3), rel=0.08)
    assert (logs[100] * logs[130]).mean() / 0.09 == pytest.approx(np.exp(-1.0), abs=0.08)
    assert mean_one(logs, 0.3).mean() == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize("steps", [1, 63, 64, 65, 5000])
def test_decaying_sum_is_the_recursion(steps):
    values = rng().standard_normal((steps, 2), dtype=np.float32)
    expected, last = np.empty_like(values), np.zeros(2)
    for step in range(steps):
        last = 0.97 * last + values[step]
        expected[step] = last
    np.testing.assert_allclose(decaying_sum(values, 0.97), expected, atol=2e-4)


@pytest.mark.parametrize("duty", [0.0, 0.2, 0.7, 1.0])
def test_on_off_keeps_its_duty_and_its_stays(duty):
    on = on_off(rng(), Clock(2000), duty, 60.0, 300)
    assert on.mean() == pytest.approx(duty, abs=0.02)
    if 0.0 < duty < 1.0:
        starts = (on[1:] & ~on[:-1]).sum()
        assert on[1:].sum() / starts == pytest.approx(60.0, rel=0.15)


def test_mmpp_has_its_mean_and_mostly_silence():
    path = mmpp(rng(), Clock(4000), 50)
    assert path.mean() == pytest.approx(1.0, rel=0.05)
    assert (path == 0).mean() == pytest.approx(0.735, abs=0.02)
    assert len(STATE_RPS) == len(np.unique(path))
    tens = mmpp(rng(), Clock(400, 10.0), 50)
    np.testing.assert_allclose(tens, path.reshape(400, 10, 50).mean(axis=1), atol=1e-4)


def test_a_stretched_mmpp_spends_its_time_alike_in_longer_stays():
    usual, slow = mmpp(rng(), Clock(20_000), 50), mmpp(rng(), Clock(20_000), 50, 4.0)
    silence = [path == 0 for path in (usual, slow)]
    begun = [(each[1:] & ~each[:-1]).sum() for each in silence]

    assert silence[0].mean() == pytest.approx(silence[1].mean(), abs=0.02)
    assert begun[0] / begun[1] == pytest.approx(4.0, rel=0.05)


def test_churn_is_a_mean_one_factor_of_the_wanted_strength():
    clock = Clock(24 * 14, 3600.0)
    assert client_churn(rng(), clock, 1.0, 100).mean() == pytest.approx(1.0, rel=0.05)
    assert (client_churn(rng(), clock, 0.0, 3) == 1.0).all()


@pytest.mark.parametrize("name", SEASONS)
def test_a_season_has_mean_one_over_a_week_and_moves_with_its_zone(name):
    week = season_factors((name, name), (0.0, 5.0), Clock(7 * 24 * 6, 600.0))
    assert week.mean(axis=0) == pytest.approx([1.0, 1.0], rel=1e-3)
    np.testing.assert_allclose(np.roll(week[:, 0], -30), week[:, 1], rtol=1e-4)


def test_surges_only_raise_and_their_draws_do_not_depend_on_the_scale():
    clock = Clock(1440, 60.0)
    rates = {scale: np.ones((1440, 50), np.float32) for scale in (0.0, 1.0, 2.0)}
    for scale, values in rates.items():
        multiply_by_surges(rng(), values, clock, 1.0, scale)
    assert (rates[0.0] == 1.0).all()
    assert 1.0 <= rates[1.0].min()
    np.testing.assert_array_equal(rates[1.0] > 1.0, rates[2.0] > 1.0)
    assert 0.002 < (rates[1.0] > 1.0).mean() < 0.03


def test_what_a_threshold_leaves_of_a_gamma():
    mean = np.array([12_000.0, 6_000.0])
    share, excess, cv = gamma_beyond(mean, 1.3, 19_400.0)
    sizes = rng().gamma(1.3**-2, 12_000.0 * 1.3**2, 400_000)
    beyond = sizes[sizes > 19_400.0] - 19_400.0
    assert share[0] == pytest.approx((sizes > 19_400.0).mean(), rel=0.02)
    assert excess[0] == pytest.approx(beyond.mean(), rel=0.02)
    assert cv == pytest.approx(beyond.std() / beyond.mean(), rel=0.03)
    with pytest.raises(WorkloadError, match="Lower the threshold"):
        gamma_beyond(np.array([10.0]), 0.5, 19_400.0)


def test_a_clock_without_time_is_refused_and_knots_cover_all_steps():
    with pytest.raises(WorkloadError, match="steps=0"):
        Clock(0)
    clock = Clock(601, 1.0, 3.0)
    line = clock.knots().times_s()[:, None].astype(np.float32)
    np.testing.assert_allclose(clock.between_knots(line)[:, 0], clock.times_s(), rtol=1e-5)


@pytest.mark.skipif(counts.compiled_twins() is None, reason="needs numba")
@pytest.mark.parametrize("stretch", [1.0, 3.0])
@pytest.mark.parametrize("step_s", [1.0, 2.5])
def test_the_compiled_walk_gives_the_same_path_bit_for_bit(monkeypatch, step_s, stretch):
    clock = Clock(977, step_s)
    compiled = mmpp(np.random.default_rng(3), clock, 5, stretch)
    monkeypatch.setattr(mmpp_module, "compiled_twins", lambda: None)

    np.testing.assert_array_equal(compiled, mmpp(np.random.default_rng(3), clock, 5, stretch))
    assert 3 == len(np.unique(mmpp(np.random.default_rng(3), Clock(977), 5)))
