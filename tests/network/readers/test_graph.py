import networkx as nx
import numpy as np
import pytest

from bwalloc.errors import TopologyError
from bwalloc.network.readers import from_networkx, to_networkx


def pair(**edge):
    graph = nx.Graph()
    graph.add_node(0, label="Rome", Longitude=12.5, Latitude=41.9)
    graph.add_node(1, label="Paris", Longitude=2.35, Latitude=48.86)
    graph.add_edge(0, 1, **edge)
    return graph


def test_delay_is_that_of_fibre_along_the_great_circle():
    topology = from_networkx(pair(capacity=10))

    assert ("Rome", "Paris") == topology.sites.name
    assert np.allclose(1105 * 0.0049, topology.links.delay_ms, rtol=0.01)
    assert [1.0, 0.0] == topology.sites.utc_offset_h.tolist()


@pytest.mark.parametrize(
    ("edge", "gbps"),
    [
        ({"capacity": 10}, 10.0),
        ({"capacity": "9.92"}, 9.92),
        ({"capacity": "400 Mbps"}, 0.4),
        ({"capacity": "1 Tbit/s"}, 1000.0),
        ({"LinkSpeedRaw": 1e10}, 10.0),
        ({}, 7.0),
    ],
)
def test_capacity_is_a_number_or_a_text(edge, gbps):
    topology = from_networkx(pair(**edge), default_capacity_gbps=7.0)

    assert np.allclose(gbps, topology.links.capacity_gbps)


def test_capacity_unit_scales_plain_numbers():
    topology = from_networkx(pair(capacity=1e10), capacity_unit_gbps=1e-9)

    assert np.allclose(10.0, topology.links.capacity_gbps)


@pytest.mark.parametrize("value", [-1, "fast", 0, float("nan"), "1e", "--"])
def test_senseless_capacity_names_the_link(value):
    with pytest.raises(TopologyError, match="Rome - Paris has capacity"):
        from_networkx(pair(capacity=value))


def test_absent_capacity_names_the_remedy():
    with pytest.raises(TopologyError, match="default_capacity_gbps"):
        from_networkx(pair())


def test_repeated_labels_get_their_id():
    graph = nx.Graph([(0, 1)])
    nx.set_node_attributes(graph, "UiO", "label")

    topology = from_networkx(graph, default_capacity_gbps=1.0)
    assert ("UiO #0", "UiO #1") == topology.sites.name


def test_directed_edges_pair_up_and_parallels_stay():
    graph = nx.MultiDiGraph()
    graph.add_edge("a", "b", capacity=1)
    graph.add_edge("b", "a", capacity=2)
    graph.add_edge("a", "b", capacity=3)
    topology = from_networkx(graph)

    assert ("a>b", "b>a", "a>b#2") == topology.links.name
    assert [1.0, 2.0, 3.0] == topology.links.capacity_gbps.tolist()
    assert ("a--b", "a--b#2") == topology.spans.name


def test_round_trip():
    first = from_networkx(pair(capacity=10, delay_ms=3.0), name="x")
    again = from_networkx(to_networkx(first), name="x")

    assert first.sites.name == again.sites.name
    assert first.sites.kind == again.sites.kind
    assert first.links.name == again.links.name
    assert first.links.capacity_gbps.tolist() == again.links.capacity_gbps.tolist()
    assert first.links.delay_ms.tolist() == again.links.delay_ms.tolist()
