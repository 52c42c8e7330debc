"""Training windows: what came before, what came, and varied copies with an optimum of their own."""

import numpy as np
import pytest
from te_builders import ring_dataset

from bwalloc.bench.te.dataset import HISTORY
from bwalloc.bench.te.programme import SplitProgramme
from bwalloc.bench.te.score import least_mlu
from bwalloc.bench.te.windows import windows_of, with_varied


@pytest.fixture(scope="module")
def ring():
    dataset = ring_dataset()
    return dataset, windows_of(dataset, least_mlu(dataset), dataset.splits["validation"])


def test_windows_hold_the_history_and_what_came(ring):
    dataset, windows = ring
    targets = dataset.splits["validation"]
    assert len(targets) == len(windows)
    assert np.array_equal(dataset.history(targets), windows.load_gbps[:HISTORY])
    assert np.array_equal(dataset.load_gbps[targets].T, windows.load_gbps[HISTORY])


def test_a_varied_demand_keeps_its_course(ring):
    dataset, windows = ring
    varied = with_varied(dataset.network, windows, copies=2, spread=0.3, seed=0)
    n = len(windows)
    assert 3 * n == len(varied)
    assert np.array_equal(windows.load_gbps, varied.load_gbps[..., :n])
    factors = varied.load_gbps[..., n : 2 * n] / windows.load_gbps
    np.testing.assert_allclose(np.repeat(factors[:1], HISTORY + 1, 0), factors, rtol=1e-4)
    assert np.log(factors[0]).std() == pytest.approx(0.3, rel=0.2)


def test_the_least_mlu_of_a_varied_matrix_is_its_own(ring):
    dataset, windows = ring
    varied, programme = (
        with_varied(dataset.network, windows, copies=1, spread=0.5, seed=3),
        SplitProgramme(dataset.network),
    )
    last = len(varied) - 1
    expected = programme.solve(varied.load_gbps[HISTORY:, :, last])[1]
    assert expected == pytest.approx(varied.least[last], rel=1e-5)
    assert varied.least[last] != pytest.approx(windows.least[-1], rel=1e-3)


def test_without_copies_nothing_is_varied(ring):
    dataset, windows = ring
    same = with_varied(dataset.network, windows, copies=0, spread=0.3, seed=0)
    assert np.array_equal(windows.load_gbps, same.load_gbps)
