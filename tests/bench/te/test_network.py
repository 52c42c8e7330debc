"""Utilisation by hand, and the matrix form of the incidence against the sparse one."""

import numpy as np
from te_builders import NARROW, WIDE, ring, two_routes

from bwalloc.arrays import Incidence


def test_utilisation_is_load_over_capacity():
    network = two_routes()
    splits = np.array([[[0.75], [0.25]], [[1.0], [0.0]]], np.float32)
    used = network.utilisation(splits, np.array([[[2.0], [1.0]]], np.float32))
    np.testing.assert_allclose([1.5 / WIDE, 0.5 / NARROW, 1.0 / 10], used[0, :, 0], rtol=1e-6)


def test_the_narrowest_link_of_a_tunnel_and_of_no_tunnel():
    assert [[WIDE, NARROW], [10.0, 0.0]] == two_routes().narrowest_gbps.tolist()


def test_sums_as_matrix_products_are_the_sparse_ones():
    network, rng = ring(), np.random.default_rng(0)
    sparse = Incidence(network.hops.reshape(-1, network.hops.shape[2]), network.n_links)
    tunnels = rng.normal(0, 1, (5, network.exists.size, 1)).astype(np.float32)
    links = rng.normal(0, 1, (5, network.n_links, 1)).astype(np.float32)
    np.testing.assert_allclose(
        sparse.total(tunnels, 1), network.crosses.total(tunnels, 1), atol=1e-5
    )
    np.testing.assert_allclose(sparse.spread(links, 1), network.crosses.spread(links, 1), atol=1e-5)
