"""The linear programme: known optima, and scenarios that hedge."""

import numpy as np
import pytest
from te_builders import NARROW, WIDE, ring, two_routes

from bwalloc.bench.te.programme import SplitProgramme


def test_one_demand_on_two_routes_fills_both_alike():
    splits, mlu = SplitProgramme(two_routes()).solve(np.array([[2.0, 0.1]]))
    assert 2.0 / (WIDE + NARROW) == pytest.approx(mlu)
    np.testing.assert_allclose([0.75, 0.25], splits[0, :, 0], atol=1e-6)


def test_the_optimum_is_the_mlu_of_its_splits():
    network, rng = ring(), np.random.default_rng(0)
    programme = SplitProgramme(network)
    for _ in range(3):
        load = rng.gamma(2.0, 0.3, (1, network.n_demands)).astype(np.float32)
        splits, mlu = programme.solve(load)
        assert mlu == pytest.approx(float(network.largest(splits, load[..., None])[0, 0]), rel=1e-4)
        assert mlu < float(network.largest(network.uniform(), load[..., None])[0, 0])


def test_several_scenarios_cost_their_weighted_mean():
    network, rng = ring(), np.random.default_rng(2)
    loads = rng.gamma(2.0, 0.3, (3, network.n_demands)).astype(np.float32)
    weights = np.array([0.5, 0.3, 0.2])
    splits, cost = SplitProgramme(network, 3, centred=True).solve(loads, weights)
    played = network.largest(splits, loads[..., None])[:, 0]
    assert cost == pytest.approx(float(weights @ played), rel=1e-4)
    for load in loads:
        alone = SplitProgramme(network).solve(load[None])[0]
        assert cost <= weights @ network.largest(alone, loads[..., None])[:, 0] + 1e-6


def test_the_centre_is_as_good_and_leans_less():
    network, rng = ring(), np.random.default_rng(5)
    load = rng.gamma(2.0, 0.3, (1, network.n_demands)).astype(np.float32)
    corner, least = SplitProgramme(network).solve(load)
    centre, same = SplitProgramme(network, centred=True).solve(load)
    assert least == pytest.approx(same, rel=1e-4)
    assert (centre**2).sum() < (corner**2).sum() - 0.5
