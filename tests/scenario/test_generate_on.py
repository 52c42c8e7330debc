"""The law of random-edge on a given network: what is given stays, what is drawn follows the law."""

import tomllib

import networkx as nx
import numpy as np
import pytest

from bwalloc.errors import BwallocError, ScenarioError, TopologyError, UnknownNameError
from bwalloc.scenario import draw_world, environment_from_graph, load_scenario, load_template
from bwalloc.scenario.build import read_env
from bwalloc.scenario.build_network import build_network_topology
from bwalloc.scenario.build_workload import site_scale
from bwalloc.scenario.digest import digest_of
from bwalloc.scenario.expand import expand_demands
from bwalloc.scenario.generate_file import environment_on_graph
from bwalloc.scenario.generate_on import generate_on
from bwalloc.scenario.provision import expected_gbps, span_load_gbps

TEMPLATE = load_template("random-edge")
LAW = TEMPLATE.env.random
CLASSES = {
    "inference", "kv_transfer", "video_uplink", "bulk_ingest", "background", "model_push"
}  # fmt: skip


def ladder():
    """Two rows of five cities, a degree apart."""
    graph = nx.ladder_graph(5)
    places = {node: (float(node % 5), 50.0 + node // 5) for node in graph}
    nx.set_node_attributes(graph, places, "pos")
    nx.set_node_attributes(graph, {node: f"City {node}" for node in graph}, "name")
    return graph


def labelled():
    """Two edge sites, one hub and two clouds that say what they are."""
    graph = nx.Graph()
    graph.add_node("north", kind="edge", scale=2.5, utc_offset_h=3)
    graph.add_node("south", kind="edge")
    graph.add_node("sky", kind="cloud")
    graph.add_edges_from([("north", "core"), ("core", "south"), ("sky", "core")], delay_ms=2.0)
    graph.add_edge("north", "sky", delay_ms=7.25)
    return graph


def drawn(graph, seed=0):
    return generate_on(
        TEMPLATE.env, LAW, graph, TEMPLATE.path, name="me/G-v1", entropy=TEMPLATE.entropy, seed=seed
    )


def written(folder, graph, **options):
    path = folder / "g.toml"
    path.write_text(environment_on_graph(graph, name="me/G-v1", **options), encoding="utf-8")
    return path


def test_all_spans_of_the_graph_are_there_and_every_class(tmp_path):
    network = load_scenario(written(tmp_path, ladder())).network
    ends = {frozenset(name.split("--")) for name in network.spans.name}
    given = {frozenset(f"hub-city-{node}" for node in edge) for edge in ladder().edges}

    assert given == {pair for pair in ends if all(name.startswith("hub") for name in pair)}
    assert len(given) + 10 + 2 == len(ends)  # access spans, on-ramps
    assert CLASSES <= set(network.demands.classes)
    assert {True, False} == set(network.links.is_work_conserving.tolist())
    assert network.offers is not None
    assert "g" == load_scenario(tmp_path / "g.toml").slug


def test_the_text_says_what_was_drawn(tmp_path):
    path = written(tmp_path, ladder(), seed=4, source="Here.")
    env, _ = read_env(path)

    assert digest_of(drawn(ladder(), 4), TEMPLATE.path) == digest_of(env, path)
    assert ("me/G-v1", "me/G-v1", "Here.") == (env.id, env.title, env.source)
    assert "random" not in tomllib.loads(path.read_text())


def test_tuned_constants_are_those_of_the_law(tmp_path):
    env, _ = read_env(written(tmp_path, ladder()))

    assert TEMPLATE.env.allocators
    assert TEMPLATE.env.allocators == env.allocators
    assert TEMPLATE.env.action == env.action
    assert TEMPLATE.env.rival.allocator == env.rival.allocator
    assert env.rival.mean_return is None


def test_the_same_seed_draws_the_same_and_another_draws_another(tmp_path):
    texts = [environment_on_graph(ladder(), name="me/G-v1", seed=seed) for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]

    scenarios = [load_scenario(written(tmp_path, ladder())) for _ in range(2)]
    worlds = [draw_world(scenario, "test", 3).arrivals_gbit for scenario in scenarios]
    np.testing.assert_array_equal(*worlds)


def test_spans_are_as_wide_as_their_load_times_the_headroom_of_their_role(tmp_path):
    file = drawn(ladder())
    topology = build_network_topology(file, TEMPLATE.path, "here")
    rows = expand_demands(file, topology, "here")
    expected = np.array([expected_gbps(row) * site_scale(file, row.site) for row in rows])
    tunnels = load_scenario(written(tmp_path, ladder())).network.tunnels
    load = span_load_gbps(topology, tunnels, expected)
    checked = {"edge": 0, "cloud": 0, "hub": 0}
    for name, gbps in zip(topology.spans.name, load, strict=True):
        kind = next(kind for kind in ("edge", "cloud", "hub") if kind in name)
        role = {"edge": LAW.spans.access, "cloud": LAW.spans.cloud, "hub": LAW.spans.metro}[kind]
        if gbps >= 0.1 * load.mean():  # detours get some room all the same
            factor = file.network.spans[name].capacity_gbps / gbps
            assert role.headroom[0] * 0.99 <= factor <= role.headroom[1] * 1.01, name
            checked[kind] += 1
    assert min(checked.values()) > 0


def test_fibres_are_longer_than_straight_lines_as_the_law_says():
    spans = drawn(ladder()).network.spans
    for name in ("hub-city-0--hub-city-5", "hub-city-3--hub-city-8"):  # a degree of latitude
        factor = spans[name].delay_ms / (111.19 * LAW.delay_us_per_km / 1000.0)
        assert LAW.detour[0] * 0.99 <= factor <= LAW.detour[1] * 1.01


def test_what_nodes_and_edges_say_stays():
    network = drawn(labelled()).network

    assert {"hub-core", "cloud-sky", "edge-north", "edge-south"} == set(network.sites)
    assert (2.5, 3.0) == (
        network.sites["edge-north"].scale,
        network.sites["edge-north"].utc_offset_h,
    )
    assert {
        "edge-north--hub-core": 2.0,
        "edge-south--hub-core": 2.0,
        "hub-core--cloud-sky": 2.0,
        "edge-north--cloud-sky": 7.25,
    } == {name: span.delay_ms for name, span in network.spans.items()}
    assert {"on-ramp"} == {network.spans[n].group for n in network.spans if "cloud" in n}


def test_a_network_without_places_is_built_from_its_delays(tmp_path):
    graph = nx.cycle_graph(6)
    nx.set_edge_attributes(graph, 4.0, "delay_ms")
    scenario = load_scenario(written(tmp_path, graph))

    assert 13 == len(scenario.network.sites.name)
    assert np.isnan(scenario.network.sites.x).all()


def test_the_law_can_be_changed_by_key(tmp_path):
    ramps: list[list[float]] = []
    for headroom in (1.0, 3.0):
        changed = {"random.spans.cloud.headroom": [headroom, headroom], "time.intervals": 40}
        env, _ = read_env(written(tmp_path, ladder(), overrides=changed))
        spans = env.network.spans.items()
        ramps.append([span.capacity_gbps for name, span in spans if "cloud" in name])

    np.testing.assert_allclose(3.0, np.divide(ramps[1], ramps[0]), rtol=0.01)
    assert 40 == env.time.intervals


def without(kind):
    graph = labelled()
    for node, data in graph.nodes(data=True):
        if data.get("kind") == kind:
            graph.nodes[node]["kind"] = "hub"
    return graph


WRONG = {
    "no cloud": (without("cloud"), {}, TopologyError, "me/G-v1: no node is of kind 'cloud'"),
    "no edge": (without("edge"), {}, TopologyError, "me/G-v1: no node is of kind 'edge'"),
    "no law": (ladder(), {"law": "tiny-edge"}, ScenarioError, r"has no \[random\]"),
    "no file": (ladder(), {"law": "randm-edge"}, UnknownNameError, "Nearest: 'random-edge'"),
    "seed": (ladder(), {"seed": -1}, ScenarioError, "seed: got -1"),
    "no seed": (ladder(), {"seed": float("nan")}, ScenarioError, "seed: got nan"),
    "text for a seed": (ladder(), {"seed": "a"}, ScenarioError, "seed: got a"),
    "key": (ladder(), {"overrides": {"random.edgs": [1, 2]}}, BwallocError, "random.edges"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_drawn_is_named(name):
    graph, options, error, says = WRONG[name]
    with pytest.raises(error, match=says):
        environment_on_graph(graph, name="me/G-v1", **options)


@pytest.mark.parametrize(
    ("key", "value"), [("scale", -1.0), ("scale", "big"), ("utc_offset_h", 20)]
)
def test_a_site_that_cannot_be_is_named_with_its_node(key, value):
    graph = ladder()
    graph.nodes[3][key] = value
    with pytest.raises(ScenarioError, match=f"me/G-v1, node 'hub-city-3', {key}: got"):
        environment_on_graph(graph, name="me/G-v1")


def test_an_id_that_is_none_is_refused():
    with pytest.raises(ScenarioError, match="id: got 'ladder'"):
        environment_on_graph(ladder(), name="ladder")


def test_where_capacities_count_a_graph_without_them_is_refused():
    demand = {"class": "background", "from": "City 0", "to": "City 9", "mean_gbps": 1.0}
    with pytest.raises(TopologyError, match="has no capacity; give default_capacity_gbps"):
        environment_from_graph(ladder(), {"backup": demand}, name="me/G-v1")


def test_a_node_without_a_place_takes_none_from_the_others():
    graph = ladder()
    for *_, edge in graph.edges(data=True):
        edge["km"] = 80.0
    del graph.nodes[4]["pos"]
    file = tomllib.loads(environment_on_graph(graph, name="mine/Ladder-v1"))
    unplaced = {name for name, site in file["network"]["sites"].items() if "x" not in site}

    assert unplaced
    assert all(name.endswith("city-4") for name in unplaced)
