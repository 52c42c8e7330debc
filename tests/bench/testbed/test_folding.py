"""Sites folded into namespaces."""

import numpy as np

from bwalloc.bench.testbed.folding import MOST_SPACES, conflicts, fold
from bwalloc.scenario import load_scenario


def crossed(network, home, hops):
    path = hops[hops < network.n_links]
    sites = [network.links.source[path[0]], *network.links.target[path]]
    return home[sites].tolist()


def test_fifteen_sites_of_metro_fit_seven_namespaces():
    network = load_scenario("metro-inference").network
    home = fold(network)
    assert MOST_SPACES == 7
    assert set(range(7)) == set(home.tolist())
    sizes = np.bincount(home)
    assert [1, 1, 1, 3, 3, 3, 3] == sorted(sizes.tolist())


def test_no_tunnel_comes_through_a_namespace_twice():
    for name in ("metro-inference", "tiny-edge", "geo-training"):
        network = load_scenario(name).network
        home = fold(network)
        for hops in network.flat_hops:
            spaces = crossed(network, home, hops) if (hops < network.n_links).any() else []
            assert len(set(spaces)) == len(spaces)


def test_more_namespaces_are_used_only_where_conflicts_ask_for_them():
    network = load_scenario("tiny-edge").network
    assert len(network.sites.name) == len(set(fold(network).tolist()))
    tight = fold(network, 2)
    apart = conflicts(network)
    assert all(tight[a] != tight[b] for a, b in np.argwhere(apart))
