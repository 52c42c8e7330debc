import tomllib

import networkx as nx
import numpy as np
import pytest

import bwalloc
from bwalloc.errors import ScenarioError, TopologyError
from bwalloc.scenario import draw_world, environment_from_graph, load_scenario, write_environment

BACKUP = {"class": "background", "from": "plant-*", "to": "cloud", "mean_gbps": 2.0}
CACHES = {"class": "kv_transfer", "from": "plant-*", "to": "cloud", "mean_gbps": 3.0}


@pytest.fixture
def graph():
    graph = nx.Graph()
    graph.add_node("plant-a", kind="hub", region="eu", scale=2.0)
    graph.add_node("plant-b", kind="edge", region="us", utc_offset_h=-6)
    graph.add_node("cloud", kind="cloud")
    graph.add_edge("plant-a", "cloud", capacity_gbps=10, delay_ms=1.5)
    graph.add_edge("plant-b", "cloud", capacity_gbps=5.0, delay_ms=4.0)
    graph.add_edge("plant-a", "plant-b", capacity_gbps=2.5, delay_ms=3.0)
    return graph


def written(folder, graph, demands, **options):
    path = write_environment(folder / "plants.toml", graph, demands, name="me/P-v1", **options)
    return load_scenario(path)


def test_nodes_and_edges_arrive(graph, tmp_path):
    network = written(tmp_path, graph, {"backup": BACKUP}, enforcement="work_conserving").network

    assert ("plant-a", "plant-b", "cloud") == network.sites.name
    assert ("hub", "edge", "cloud") == network.sites.kind
    assert ("eu", "us", "") == network.sites.region
    assert [0.0, -6.0, 0.0] == network.sites.utc_offset_h.tolist()
    assert [10, 10, 2.5, 2.5, 5, 5] == network.links.capacity_gbps.tolist()
    assert [1.5, 1.5, 3, 3, 4, 4] == network.links.delay_ms.tolist()
    assert network.links.is_work_conserving.all()


def test_demands_follow_the_scale_of_their_node(graph, tmp_path):
    scenario = written(tmp_path, graph, {"backup": BACKUP, "caches": CACHES})
    worlds = [draw_world(scenario, "train", seed).arrivals_gbit for seed in range(8)]
    backup = np.mean(worlds, axis=(0, 1, 2))[:2]

    assert 4 == scenario.network.n_demands
    assert 2.0 == pytest.approx(backup[0] / backup[1], rel=0.2)


def test_length_price_and_paths_are_set(graph, tmp_path):
    options = {"intervals": 40, "interval_s": 5.0, "usd_per_gbps_h": 0.5, "tunnels_per_demand": 2}
    scenario = written(tmp_path, graph, {"backup": BACKUP}, **options)

    assert (40, 5.0) == (scenario.timing.intervals, scenario.timing.interval_s)
    assert 0.5 * 17.5 == pytest.approx(scenario.network.spans.usd_per_h.sum())
    assert 2 == scenario.network.n_tunnels


def test_the_text_is_the_file(graph, tmp_path):
    text = environment_from_graph(graph, {"backup": BACKUP}, name="me/P-v1")
    path = bwalloc.write_environment(tmp_path / "p.toml", graph, {"backup": BACKUP}, name="me/P-v1")

    assert text == path.read_text()
    assert "me/P-v1" == tomllib.loads(text)["id"]


def test_what_the_graph_is_silent_about_is_assumed(graph, tmp_path):
    del graph.edges["plant-a", "plant-b"]["capacity_gbps"]
    with pytest.raises(TopologyError, match="plant-a - plant-b has no capacity"):
        written(tmp_path, graph, {"backup": BACKUP})

    network = written(tmp_path, graph, {"backup": BACKUP}, default_capacity_gbps=7.0).network
    assert 7.0 in network.links.capacity_gbps


def test_a_misspelt_key_is_named_and_nothing_is_written(graph, tmp_path):
    with pytest.raises(ScenarioError, match=r"me/P-v1, demands\.backup\.mean_gbp: is no known key"):
        written(tmp_path, graph, {"backup": {**BACKUP, "mean_gbp": 2.0}})
    assert [] == list(tmp_path.iterdir())


def test_a_wrong_node_is_named_and_nothing_is_written(graph, tmp_path):
    with pytest.raises(ScenarioError, match="Nearest: 'cloud'"):
        written(tmp_path, graph, {"backup": {**BACKUP, "to": "clod"}})
    assert [] == list(tmp_path.iterdir())


def test_capacities_that_differ_by_direction_are_refused(graph):
    directed = graph.to_directed()
    directed.edges["plant-a", "cloud"]["capacity_gbps"] = 1.0

    with pytest.raises(ScenarioError, match="1 Gbit/s one way and 10 the other"):
        environment_from_graph(directed, {"backup": BACKUP}, name="me/P-v1")


def test_another_ending_is_refused(graph, tmp_path):
    with pytest.raises(ScenarioError, match=r"ends in \.toml"):
        write_environment(tmp_path / "p.json", graph, {"backup": BACKUP}, name="me/P-v1")


def test_a_pattern_leaves_out_the_other_end(graph, tmp_path):
    scenario = written(tmp_path, graph, {"backup": {**BACKUP, "from": "*"}})

    assert ("backup/plant-a", "backup/plant-b") == scenario.network.demands.name
