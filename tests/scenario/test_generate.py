"""Laws of drawn networks, over many seeds and over many laws."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bwalloc.errors import ScenarioError, UnknownNameError
from bwalloc.scenario import SPLITS, draw_world, load_template
from bwalloc.scenario.build import label
from bwalloc.scenario.build_network import build_network_topology
from bwalloc.scenario.build_workload import site_scale
from bwalloc.scenario.expand import expand_demands
from bwalloc.scenario.generate_demands import draw_demands
from bwalloc.scenario.generate_network import draw_sites, gabriel, middles, most_links
from bwalloc.scenario.provision import expected_gbps, span_load_gbps

TEMPLATE = load_template("random-edge")
CLASSES = {
    "inference", "kv_transfer", "video_uplink", "bulk_ingest", "background", "model_push"
}  # fmt: skip
"""What every network has; a training job brings the others."""
SEEDS = st.integers(0, 10**9)
NETWORKS = st.builds(TEMPLATE.scenario, st.sampled_from(SPLITS), SEEDS)
POINTS = st.lists(
    st.tuples(st.integers(-500, 500), st.integers(-500, 500)), min_size=2, max_size=9, unique=True
)
LAWS = st.fixed_dictionaries(
    {
        "random.edges": st.sampled_from([(1, 1), (2, 3), (5, 12)]),
        "random.hubs": st.sampled_from([(1, 1), (2, 2), (3, 6)]),
        "random.clouds": st.sampled_from([(1, 1), (2, 3)]),
        "random.homes": st.sampled_from([(1, 1), (2, 3)]),
        "random.on_ramps": st.sampled_from([(1, 1), (1, 3)]),
        "random.sizes.links": st.just(200),
    }
)


def graph_of(network):
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(network.sites.name)))
    graph.add_edges_from(zip(network.links.source, network.links.target, strict=True))
    return graph


def fits(network, sizes):
    return (
        network.n_demands <= sizes.demands
        and network.n_tunnels <= sizes.tunnels
        and network.n_links <= sizes.links
    )


@settings(max_examples=25, deadline=None)
@given(NETWORKS)
def test_every_network_holds_together_fits_and_has_every_class(scenario):
    network = scenario.network

    assert nx.is_strongly_connected(graph_of(network))
    assert fits(network, scenario.sizes)
    assert CLASSES <= set(network.demands.classes)
    assert network.tunnels.exists[:, 0].all()
    assert (network.links.capacity_gbps > 0).all()


@settings(max_examples=25, deadline=None)
@given(LAWS, SEEDS)
def test_so_does_every_network_of_other_laws(law, seed):
    template = load_template("random-edge", law)
    scenario = template.scenario("train", seed)
    network, kinds = scenario.network, scenario.network.sites.kind

    assert nx.is_strongly_connected(graph_of(network))
    assert fits(network, scenario.sizes)
    assert network.n_links <= most_links(template.env.random)
    assert network.tunnels.exists[:, 0].all()
    for kind in ("edge", "cloud"):
        low, high = law[f"random.{kind}s"]
        assert low <= kinds.count(kind) <= high
    assert 1 <= kinds.count("hub") <= law["random.hubs"][1]


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(SPLITS), SEEDS)
def test_the_same_seed_draws_the_same_network_and_world(split, seed):
    one, other = (load_template("random-edge").scenario(split, seed) for _ in range(2))
    worlds = [draw_world(scenario, split, seed) for scenario in (one, other)]

    assert one.digest == other.digest
    np.testing.assert_array_equal(worlds[0].arrivals_gbit, worlds[1].arrivals_gbit)


def test_splits_and_seeds_draw_different_networks():
    digests = {TEMPLATE.scenario(split, seed).digest for split in SPLITS for seed in range(6)}

    assert 4 * 6 == len(digests)


def test_spans_are_as_wide_as_their_load_times_the_headroom_of_their_role():
    law = TEMPLATE.env.random
    checked = 0
    for seed in range(8):
        file = TEMPLATE.file("train", seed)
        where = label(TEMPLATE.path)
        topology = build_network_topology(file, TEMPLATE.path, where)
        rows = expand_demands(file, topology, where)
        expected = np.array([expected_gbps(row) * site_scale(file, row.site) for row in rows])
        tunnels = TEMPLATE.scenario("train", seed).network.tunnels
        load = span_load_gbps(topology, tunnels, expected)
        for name, gbps in zip(topology.spans.name, load, strict=True):
            role = law.spans.cloud if "cloud" in name else law.spans.metro
            role = law.spans.access if "edge" in name else role
            if gbps < 0.1 * load.mean():
                continue  # detours get some room all the same
            factor = file.network.spans[name].capacity_gbps / gbps
            assert role.headroom[0] * 0.99 <= factor <= role.headroom[1] * 1.01, name
            checked += 1
    assert checked > 50


def test_what_is_drawn_varies():
    networks = [TEMPLATE.scenario("train", seed).network for seed in range(40)]
    kinds = [network.sites.kind for network in networks]

    assert {6, 7, 8, 9, 10, 11, 12} == {kind.count("edge") for kind in kinds}
    assert {2, 3, 4} == {kind.count("hub") for kind in kinds}
    assert {1, 2} == {kind.count("cloud") for kind in kinds}
    assert 12 < len({network.n_demands for network in networks})
    owned = [network.links.is_work_conserving.mean() for network in networks]
    assert min(owned) < 0.6 < max(owned)


def test_a_demand_of_low_probability_is_missing_in_as_many_networks():
    law, rng = TEMPLATE.env.random, np.random.default_rng(0)
    places = draw_sites(law, rng)
    networks = [draw_demands(TEMPLATE.env, law, places, rng) for _ in range(400)]
    having = [any(name.startswith("kv_transfer-peer/") for name in drawn) for drawn in networks]

    assert law.presence["kv_transfer-peer"].probability == pytest.approx(np.mean(having), abs=0.08)


@given(POINTS)
def test_a_gabriel_graph_is_connected_planar_and_by_its_definition(points):
    at = np.array(points, float)
    pairs = gabriel(at)
    graph = nx.Graph(pairs)
    graph.add_nodes_from(range(len(at)))

    assert nx.is_connected(graph)
    assert len(pairs) <= (3 * len(at) - 6 if len(at) > 2 else 1)
    for a, b in combinations(range(len(at)), 2):
        centre, radius = (at[a] + at[b]) / 2, np.hypot(*(at[a] - at[b])) / 2
        away = np.hypot(*(np.delete(at, [a, b], 0) - centre).T)
        if (np.abs(away - radius) > 1e-6).all():
            assert ((a, b) in pairs) == (away > radius).all()


@given(POINTS, SEEDS)
def test_middles_are_inside_their_points(points, seed):
    at = np.array(points, float)
    centres = middles(at, min(3, len(at)), np.random.default_rng(seed))

    assert (centres >= at.min(0) - 1e-9).all()
    assert (centres <= at.max(0) + 1e-9).all()


@pytest.mark.parametrize(
    ("split", "seed", "error", "says"),
    [
        ("tets", 0, UnknownNameError, "Nearest: 'test'"),
        ("test", -1, ScenarioError, "seed: got -1"),
    ],
)
def test_a_wrong_episode_is_named(split, seed, error, says):
    with pytest.raises(error, match=says):
        TEMPLATE.scenario(split, seed)
