from dataclasses import replace

import numpy as np
import pytest

from bwalloc.errors import WorkloadError
from bwalloc.workloads import Clock, RequestSpec, draw_intensity

DAY = Clock(2880, 30.0)
SPEC = RequestSpec(("a", "b", "c"), burst=("chat", "code", "poisson"), surges_per_day=6.0)


def draw(spec, seed=0, clock=DAY):
    return draw_intensity(np.random.default_rng(seed), spec, clock)


def test_the_same_seed_draws_the_same_and_another_one_does_not():
    np.testing.assert_array_equal(draw(SPEC), draw(SPEC))
    assert (draw(SPEC)[:, :2] != draw(SPEC, seed=1)[:, :2]).any()
    assert draw(SPEC).dtype == np.float32
    assert draw(SPEC).shape == (2880, 3)


def test_surge_scale_changes_surges_only():
    calm, once, twice = (draw(replace(SPEC, surge_scale=scale)) for scale in (0.0, 1.0, 2.0))
    surging = once != calm
    assert 0.0 < surging[:, :2].mean() < 0.5
    np.testing.assert_array_equal(surging, twice != calm)
    none = draw(replace(SPEC, surges_per_day=0.0))
    np.testing.assert_array_equal(calm, none)
    lone = surging & (once < 1.69 * calm)  # two surges at once make 1.3 * 1.3 and more
    assert lone.any()
    np.testing.assert_allclose((twice - calm)[lone], 2 * (once - calm)[lone], rtol=1e-4)


@pytest.mark.parametrize("change", [{"churn": 0.5}, {"chat_fast_sd": 0.0}, {"code_slow_sd": 0.0}])
def test_changing_one_part_leaves_the_draws_of_others(change):
    steady = draw(SPEC)[:, 2]
    if "churn" not in change:
        np.testing.assert_array_equal(steady, draw(replace(SPEC, **change))[:, 2])
    before, after = draw(SPEC), draw(replace(SPEC, **change))
    np.testing.assert_array_equal(before[:, 1] == 0, after[:, 1] == 0)


def test_the_mean_is_the_rate():
    spec = RequestSpec(tuple(map(str, range(400))), rate_rps=2.0, surges_per_day=0.0)
    assert draw(spec, clock=Clock(1440, 60.0)).mean() == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"burst": ("chatt",)}, "'chat'"),
        ({"season": ("ofice",)}, "'office'"),
        ({"rate_rps": -1.0}, "rate_rps: got -1"),
        ({"rate_rps": (1.0, 2.0)}, "shape"),
        ({"churn": 2.0}, "churn: got 2"),
    ],
)
def test_nonsense_is_refused(wrong, says):
    with pytest.raises(WorkloadError, match=says):
        RequestSpec(("a",), **wrong)
