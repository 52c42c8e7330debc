"""Which classes a network needs on the interfaces of a plane."""

from dataclasses import replace

import numpy as np
import pytest
from planes import file_for
from wide import wide

from bwalloc.errors import PlaneError
from bwalloc.scenario import load_scenario
from bwalloc.serve.planes.htb import layout
from bwalloc.serve.planes.htb.layout import FIRST_LEAF, FIRST_MAJOR, build_layout


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny-edge").network


def test_every_tunnel_that_crosses_a_link_has_a_class_there():
    network = wide(12, 5, tunnels=3)
    made = build_layout(network, file_for(network, tunnels=True))

    for port in made.ports:
        crossing = np.flatnonzero((network.flat_hops == port.link).any(1)).tolist()
        assert crossing == [row for leaf in port.leaves for row in leaf.rows]
        assert list(range(FIRST_LEAF, FIRST_LEAF + len(crossing))) == [
            leaf.minor for leaf in port.leaves
        ]


def test_tunnels_that_no_match_tells_apart_share_a_class():
    network = wide(4, 1, tunnels=3, hops=1)
    (port,) = build_layout(network, file_for(network)).ports

    there = [np.flatnonzero(exists) + 3 * row for row, exists in enumerate(network.tunnels.exists)]
    assert [tuple(rows.tolist()) for rows in there] == [leaf.rows for leaf in port.leaves]
    assert 3 == len(port.leaves[0].rows)


def test_one_tunnel_may_be_told_from_the_others():
    network = wide(1, 1, tunnels=3, hops=1)
    given = file_for(network)
    own = given.matches[0].model_copy(update={"tunnel": 1, "dscp": 9})
    (port,) = build_layout(
        network, given.model_copy(update={"matches": (*given.matches, own)})
    ).ports

    assert [(f"{network.demands.name[0]}", (0, 2)), (f"{network.demands.name[0]}#1", (1,))] == [
        (leaf.name, leaf.rows) for leaf in port.leaves
    ]
    assert (own,) == port.leaves[1].matches


def test_enforcement_of_the_link_decides_whether_classes_borrow_and_the_file_may_say_else(tiny):
    named = ["edge-1>hub", "hub>cloud"]
    made = {port.name: port.mode for port in build_layout(tiny, file_for(tiny, named)).ports}
    capped = build_layout(tiny, file_for(tiny, named, places={"mode": "cap"})).ports

    assert {"edge-1>hub": "guarantee", "hub>cloud": "cap"} == made
    assert ["cap", "cap"] == [port.mode for port in capped]
    assert () == capped[0].pools


def test_connections_are_pools_as_the_simulator_has_them(tiny):
    at = tiny.links.name.index("hub>cloud")
    (port,) = build_layout(tiny, file_for(tiny, ["hub>cloud"], places={"mode": "connection"})).ports
    pools = tiny.pools()
    theirs = [
        next(pool for pool in pools.hops[leaf.rows[0]] if pools.link[pool] == at)
        for leaf in port.leaves
    ]

    assert 2 == len(port.pools) == len(set(theirs))
    assert 2 == len(set(zip(theirs, port.pool_of, strict=True)))


def test_handles_are_the_mark_and_differ_by_port(tiny):
    majors = [port.major for port in build_layout(tiny, file_for(tiny)).ports]

    assert list(range(FIRST_MAJOR, FIRST_MAJOR + 6)) == majors


def test_capacity_is_scaled_and_may_be_given(tiny):
    scaled = build_layout(tiny, file_for(tiny, ["hub>cloud"], scale={"rate": 1e-3})).ports[0]
    given = file_for(tiny, ["hub>cloud"], places={"capacity_gbps": 10.0})

    assert 14_300_000 == scaled.capacity_bps
    assert 10_000_000_000 == build_layout(tiny, given).ports[0].capacity_bps


def refused(network, file, *texts):
    with pytest.raises(PlaneError) as caught:
        build_layout(network, file)
    for text in texts:
        assert text in str(caught.value)


def test_names_that_the_network_has_not_are_refused_with_the_nearest(tiny):
    refused(tiny, file_for(tiny, ["hub>clod"]), "link 'hub>clod'", "'hub>cloud'")
    file = file_for(tiny)
    match = file.matches[0].model_copy(update={"demand": "inference-down/edge-9"})
    file = file.model_copy(update={"matches": (match,)})
    refused(tiny, file, "demand 'inference-down/edge-9'", "Nearest")


def test_a_tunnel_that_the_demand_has_not_is_refused(tiny):
    file = file_for(tiny)
    match = file.matches[0].model_copy(update={"tunnel": 1})
    refused(tiny, file.model_copy(update={"matches": (match,)}), "tunnel 1", "which has 1")


def test_a_demand_without_a_match_is_refused(tiny):
    file = file_for(tiny)
    file = file.model_copy(update={"matches": file.matches[1:]})

    refused(tiny, file, f"demand '{tiny.demands.name[0]}'", "add one")


def test_two_links_on_one_interface_are_refused(tiny):
    file = file_for(tiny, ["hub>cloud", "cloud>hub"], places={"interface": "eth0"})

    refused(tiny, file, "'hub>cloud' and 'cloud>hub'", "one interface 'eth0'")


def test_more_classes_than_ids_are_refused(tiny, monkeypatch):
    assert FIRST_LEAF + layout.MOST_LEAVES - 1 <= 0xFFFF
    monkeypatch.setattr(layout, "MOST_LEAVES", 5)

    refused(tiny, file_for(tiny, ["hub>cloud"]), "6 classes", "ids have 16 bits and leave 5")


def test_more_links_than_handles_are_refused(tiny, monkeypatch):
    monkeypatch.setattr(layout, "LAST_MAJOR", FIRST_MAJOR + 4)

    refused(tiny, file_for(tiny), "6 links", "5 at most")


def test_a_link_too_small_for_the_least_of_all_its_classes_is_refused(tiny):
    file = file_for(tiny, ["hub>cloud"], places={"capacity_gbps": 5e-5})

    refused(tiny, file, "6 classes at 8000 bit/s", "lower least_kbps")


def test_a_demand_of_no_weight_borrows_like_the_lightest(tiny):
    demands = replace(tiny.demands, borrow_weight=np.zeros(tiny.n_demands))
    made = build_layout(replace(tiny, demands=demands), file_for(tiny, ["hub>cloud"]))

    assert 1.0 == made.ports[0].least_weight
