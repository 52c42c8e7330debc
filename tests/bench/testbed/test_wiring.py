"""Interfaces, addresses and routes of a testbed, and the plane over them."""

from pathlib import Path

import numpy as np

from bwalloc.bench.testbed.folding import fold
from bwalloc.bench.testbed.spaces import Spaces
from bwalloc.bench.testbed.wiring import (
    Scale,
    addresses,
    inside_lines,
    link_lines,
    plane_file,
)
from bwalloc.scenario import load_scenario
from bwalloc.serve.planes.htb.layout import build_layout

NETWORK = load_scenario("tiny-edge").network
HOME = fold(NETWORK)
NAMES = [f"n{space}" for space in HOME]


def routes(network, names):
    """(namespace, target) to the interface."""
    found = {}
    for name, lines in inside_lines(network, names).items():
        for line in lines:
            words = line.split()
            if words[:2] == ["route", "add"]:
                assert (name, words[2]) not in found
                found[name, words[2]] = words[4]
    return found


def test_every_tunnel_is_routed_there_and_back_along_its_links():
    table, links = routes(NETWORK, NAMES), NETWORK.links
    for flow, hops in enumerate(NETWORK.flat_hops):
        source, target = addresses(flow)
        for link in hops[hops < NETWORK.n_links].tolist():
            assert f"o{link}" == table[NAMES[links.source[link]], f"{target}/32"]
            assert f"i{link}" == table[NAMES[links.target[link]], f"{source}/32"]


def test_interfaces_are_made_in_their_namespaces_and_never_on_the_host():
    lines = link_lines(NETWORK, NAMES)
    assert NETWORK.n_links == len(lines)
    for line in lines:
        assert 2 == line.count("netns n")
        assert 2 == line.count("arp off")


def test_addresses_tell_all_tunnels_apart():
    found = [addresses(flow) for flow in range(2000)]
    assert 4000 == len({each for pair in found for each in pair})
    assert all(0 <= int(part) <= 255 for pair in found for part in pair[0].split("."))


def test_the_plane_has_a_class_for_every_tunnel_and_connections_on_policed_links():
    network = load_scenario("metro-inference").network
    home = fold(network)
    spaces = Spaces(tuple(f"n{space}" for space in range(7)), Path("/nowhere"))
    layout = build_layout(network, plane_file(network, home, spaces, Scale(5e-4, 10.0)))
    assert network.n_links == len(layout.ports)
    for port in layout.ports:
        is_owned = network.links.is_work_conserving[port.link]
        assert ("guarantee" if is_owned else "connection") == port.mode
        crossing = (network.flat_hops == port.link).any(1).sum()
        assert crossing == len(port.leaves)


def test_work_is_scaled_by_rate_and_time():
    assert np.isclose(1e9 / 8 * 5e-4 / 10, Scale(5e-4, 10.0).bytes_per_gbit)
