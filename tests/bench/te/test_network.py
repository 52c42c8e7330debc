"""Utilisation and narrowest links by hand."""

import numpy as np
from te_builders import NARROW, WIDE, two_routes


def test_utilisation_is_load_over_capacity():
    network = two_routes()
    splits = np.array([[[0.75], [0.25]], [[1.0], [0.0]]], np.float32)
    used = network.utilisation(splits, np.array([[[2.0], [1.0]]], np.float32))
    np.testing.assert_allclose([1.5 / WIDE, 0.5 / NARROW, 1.0 / 10], used[0, :, 0], rtol=1e-6)


def test_the_narrowest_link_of_a_tunnel_and_of_no_tunnel():
    assert [[WIDE, NARROW], [10.0, 0.0]] == two_routes().narrowest_gbps.tolist()
