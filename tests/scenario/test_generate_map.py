"""Given networks: what is read from a graph, and what is refused."""

import networkx as nx
import numpy as np
import pytest

from bwalloc.errors import TopologyError
from bwalloc.scenario import load_template
from bwalloc.scenario.generate_map import read_map
from bwalloc.scenario.generate_roles import clouds_for, distances_km, medians, with_roles

LAW = load_template("random-edge").env.random
US_PER_KM = 5.0


def triangle():
    """Three cities in a row, and a span between the outer ones."""
    graph = nx.Graph()
    for name, longitude in (("Bonn", 7.1), ("Köln", 7.0), ("Berlin", 13.4)):
        graph.add_node(name, pos=(longitude, 51.0))
    nx.add_cycle(graph, graph.nodes)
    return graph


def long_line(count):
    graph = nx.path_graph(count)
    nx.set_edge_attributes(graph, 100.0, "km")
    nx.set_node_attributes(graph, {n: (float(n), 0.0) for n in graph}, "pos")
    return graph


def read(graph):
    return read_map(graph, "here", US_PER_KM)


def way(graph, *ends):
    (found,) = (each for each in read(graph).ways if set(ends) == set(each.ends))
    return found


def test_places_names_and_time_zones_arrive():
    bonn, koeln, berlin = read(triangle()).nodes

    assert ("bonn", "koln", "berlin") == (bonn.name, koeln.name, berlin.name)
    assert (7.1, 51.0) == (bonn.longitude, bonn.latitude)
    assert [0.0, 1.0] == [koeln.utc_offset_h, berlin.utc_offset_h]
    assert not read(triangle()).has_kinds


@pytest.mark.parametrize(
    ("given", "km", "is_straight"),
    [
        ({}, 440.7, True),
        ({"dist": 450.0}, 450.0, True),
        ({"dist": 450.0, "km": 600.0}, 600.0, False),
        ({"dist": 450.0, "km": 600.0, "delay_ms": 4.0}, 800.0, False),
        ({"delay_ms": 0.0}, 0.0, False),
    ],
)
def test_the_length_is_that_of_the_delay_the_fibre_or_the_straight_line(given, km, is_straight):
    graph = triangle()
    graph.add_edge("Bonn", "Berlin", **given)
    found = way(graph, "bonn", "berlin")

    assert km == pytest.approx(found.km, abs=0.1)
    assert is_straight == found.is_straight


@pytest.mark.parametrize("kind", [nx.MultiGraph, nx.DiGraph, nx.MultiDiGraph])
def test_both_directions_and_parallel_edges_are_one_way(kind):
    plain = triangle()
    for a, b in plain.edges:
        plain.edges[a, b]["km"] = 10.0
    graph = kind(plain)
    graph.add_edge("Köln", "Bonn", km=10.0)
    graph.add_edge("Köln", "Köln", km=1.0)

    assert sorted(tuple(sorted(each.ends)) for each in read(plain).ways) == sorted(
        tuple(sorted(each.ends)) for each in read(graph).ways
    )
    assert {10.0} == {each.km for each in read(graph).ways}


def test_names_that_are_the_same_as_plain_letters_get_a_number():
    graph = nx.Graph([("São Luís", "sao luis")], km=1.0)
    nx.set_edge_attributes(graph, 1.0, "km")

    assert ["sao-luis", "sao-luis-2"] == [node.name for node in read(graph).nodes]
    assert ("sao-luis", "sao-luis-2") == read(graph).ways[0].ends


def test_kinds_stand_before_names_once():
    graph = nx.Graph()
    graph.add_node("edge-1", kind="edge")
    graph.add_node("Frankfurt", kind="cloud")
    graph.add_edge("edge-1", "Core", km=3.0)
    graph.add_edge("Core", "Frankfurt", km=30.0)

    assert {"edge-1": "edge", "cloud-frankfurt": "cloud", "hub-core": "hub"} == {
        node.name: node.kind for node in read(graph).nodes
    }
    assert read(graph).has_kinds


def changed(change):
    graph = triangle()
    change(graph)
    return graph


BROKEN = {
    "no length": (
        lambda graph: graph.add_edge("Bonn", "Ulm"),
        "the edge Bonn - Ulm has no length: give it delay_ms or km, or both nodes longitude",
    ),
    "negative": (
        lambda graph: graph.add_edge("Bonn", "Ulm", km=-1.0),
        "the edge Bonn - Ulm has km = -1.0, expected a number of at least 0",
    ),
    "text": (
        lambda graph: graph.add_edge("Bonn", "Ulm", delay_ms="5 ms"),
        "Bonn - Ulm has delay_ms = '5 ms', expected a number",
    ),
    "pixels": (
        lambda graph: graph.add_node("Bonn", pos=(283.0, 248.0)),
        "node 'Bonn' has a longitude of 283, expected -180 to 180",
    ),
    "apart": (
        lambda graph: graph.add_edge("Ulm", "Augsburg", km=80.0),
        "falls apart: no way leads from 'Berlin' to 'Augsburg'",
    ),
    "gpu": (
        lambda graph: graph.add_node("Bonn", kind="gpu"),
        "of kind 'gpu', expected edge, hub or cloud, the sites that laws know",
    ),
    "misspelt": (lambda graph: graph.add_node("Bonn", kind="clod"), "Nearest: 'cloud'"),
    "no time": (
        lambda graph: graph.add_node("Bonn", utc_offset_h="CET"),
        "pos or utc_offset_h of a node is no number",
    ),
    "no node": (lambda graph: graph.clear(), "too few nodes (0), expected two or more"),
    "one node": (
        lambda graph: graph.remove_nodes_from(["Bonn", "Berlin"]),
        "too few nodes (1), expected two or more",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_makes_no_network_is_refused(name):
    change, says = BROKEN[name]
    with pytest.raises(TopologyError) as caught:
        read(changed(change))

    assert str(caught.value).startswith("here: ")
    assert says in str(caught.value)


def test_medians_are_the_middle_then_what_is_far_from_it():
    line = np.abs(np.subtract.outer(np.arange(9.0), np.arange(9.0)))

    assert [4] == medians(line, 1)
    assert 4 == medians(line, 2)[0]
    assert 9 == len(set(medians(line, 20)))


def test_each_node_is_a_hub_with_an_edge_site_and_clouds_are_in_the_middle():
    given = read(long_line(9))
    made = with_roles(given, LAW, np.random.default_rng(0))
    kinds = [node.kind for node in made.nodes]
    ramps = [each for each in made.ways if each.ends[1].startswith("cloud-")]

    assert (9, 9, 1) == tuple(kinds.count(kind) for kind in ("hub", "edge", "cloud"))
    assert {("hub-4", "cloud-4"), ("hub-3", "cloud-4")} == {each.ends for each in ramps}
    near, far = sorted(each.km for each in ramps)
    assert 100.0 == pytest.approx(far - near)
    access = [each for each in made.ways if each.ends[0].startswith("edge-")]
    assert [f"hub-{row}" for row in range(9)] == [each.ends[1] for each in access]
    assert all(0.0 <= each.km <= LAW.radius_km[0] for each in access)


def test_more_edge_sites_than_a_drawn_network_has_need_another_cloud():
    most = LAW.edges[1]

    assert [1, 1, 2, 3] == [clouds_for(n, LAW) for n in (2, most, most + 1, 2 * most + 1)]


def test_roles_keep_ways_and_names_apart_whatever_nodes_are_called():
    graph = nx.Graph([("hub-a", "a"), ("a", "edge-a")])
    nx.set_edge_attributes(graph, 10.0, "km")
    made = with_roles(read(graph), LAW, np.random.default_rng(0))
    names = [node.name for node in made.nodes]

    assert 3 + 3 + 1 == len(set(names)) == len(names)
    assert set(names) == {end for each in made.ways for end in each.ends}


def test_distances_go_along_the_ways():
    assert [0.0, 100.0, 200.0, 300.0] == distances_km(read(long_line(4)))[0].tolist()
