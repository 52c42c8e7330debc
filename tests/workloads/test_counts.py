import numpy as np
import pytest

from bwalloc.workloads import counts
from bwalloc.workloads.counts import poisson_counts, summed_sizes


@pytest.mark.parametrize("mean", [0.0, 0.01, 0.7, 3.3, 7.99, 8.5, 21.3, 39.99, 50.0])
def test_counts_are_poisson(mean):
    counts = poisson_counts(np.random.default_rng(0), np.full((20_000, 10), mean, np.float32))
    assert counts.mean() == pytest.approx(mean, abs=5 * (mean / 2e5) ** 0.5)
    assert counts.var() == pytest.approx(mean, rel=0.05)
    assert (counts == 0).mean() == pytest.approx(np.exp(-mean), abs=0.005)


@pytest.mark.parametrize("cv", [0.5, 0.96, 1.1, 2.0])
def test_sums_of_sizes_have_mean_and_spread_of_gammas(cv):
    counts = np.tile(np.array([0.0, 1.0, 4.0], np.float32), (100_000, 1))
    sums = summed_sizes(np.random.default_rng(0), counts, 100.0, cv)
    assert (sums[:, 0] == 0).all()
    assert sums.mean(axis=0)[1:] == pytest.approx([100.0, 400.0], rel=0.03)
    assert sums.std(axis=0)[1:] == pytest.approx([100.0 * cv, 200.0 * cv], rel=0.04)


def test_draws_do_not_depend_on_the_rows_worked_at_a_time(monkeypatch):
    mean = np.random.default_rng(0).gamma(1.0, 4.0, (500, 7)).astype(np.float32)

    def drawn(block):
        monkeypatch.setattr(counts, "_BLOCK_CELLS", block)
        rng = np.random.default_rng(1)
        requests = counts.poisson_counts(rng, mean)
        return [requests, *(counts.summed_sizes(rng, requests, 3.0, cv) for cv in (0.96, 2.0))]

    for few, many in zip(drawn(50), drawn(10_000), strict=True):
        np.testing.assert_array_equal(few, many)


@pytest.mark.skipif(counts.compiled_twins() is None, reason="needs numba")
def test_compiled_twins_give_the_same_numbers_bit_for_bit(monkeypatch):
    mean = np.random.default_rng(0).gamma(0.3, 30.0, (3000, 7)).astype(np.float32)
    assert mean.max() > counts.LARGEST_TABLED_MEAN

    def drawn():
        rng = np.random.default_rng(1)
        requests = counts.poisson_counts(rng, mean)
        return [requests, *(counts.summed_sizes(rng, requests, 3.0, cv) for cv in (0.96, 2.0))]

    compiled = drawn()
    monkeypatch.setattr(counts, "compiled_twins", lambda: None)

    for twin, plain in zip(compiled, drawn(), strict=True):
        np.testing.assert_array_equal(twin, plain)
