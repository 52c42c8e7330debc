"""The readers on files: our own, broken ones, and public ones where they are at hand."""

import gzip
import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from bwalloc.errors import TopologyError
from bwalloc.network.readers import read_graphml, read_node_link, read_topology

PUBLIC = Path(__file__).resolve().parents[4] / "shared" / "data" / "te" / "topologies"
TRIANGLE = nx.Graph([("a", "b"), ("b", "c"), ("c", "a")])
nx.set_edge_attributes(TRIANGLE, "2.5", "capacity")


@pytest.mark.parametrize("key", ["links", "edges"])
@pytest.mark.parametrize("pack", [False, True])
def test_node_link_with_either_key_plain_or_packed(tmp_path, key, pack):
    text = json.dumps(nx.node_link_data(TRIANGLE, edges=key)).encode()
    path = tmp_path / ("triangle.json.gz" if pack else "triangle.json")
    path.write_bytes(gzip.compress(text) if pack else text)
    topology = read_node_link(path)

    assert "triangle" == topology.name
    assert 6 == len(topology.links.name)
    assert np.allclose(2.5, topology.links.capacity_gbps)


def test_graphml(tmp_path):
    path = tmp_path / "triangle.graphml"
    nx.write_graphml(TRIANGLE, path)

    assert 6 == len(read_graphml(path).links.name)
    assert 6 == len(read_topology(path).links.name)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", b"{", "is not JSON"),
        ("x.json", b"[1]", "expected node-link JSON"),
        ("x.json", b'{"nodes": []}', "expected node-link JSON"),
        ("x.json", b'{"nodes": [{"id": 1}], "links": [{"source": 1}]}', "lacks 'target'"),
        ("x.json.gz", b"not gzip", "cannot be read"),
        ("x.graphml", b"<graphml", "is not GraphML"),
        ("x.txt", b"", "expected a .graphml or node-link .json file"),
        (
            "x.json",
            b'{"nodes": [{"id": 1}, {"id": 2}], "links": [{"source": 1, "target": 2}]}',
            "give default_capacity_gbps",
        ),
    ],
)
def test_broken_files_are_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(TopologyError, match=message) as caught:
        read_topology(path)
    assert name in str(caught.value)


def test_absent_file():
    with pytest.raises(TopologyError, match=r"nowhere\.json: there is no such file"):
        read_topology("nowhere.json")


@pytest.mark.parametrize(
    ("name", "sites", "links", "unit"),
    [
        ("harp_abilene.json.gz", 12, 30, 1.0),
        ("figret_GEANT.json.gz", 22, 72, 1e-9),
        ("teal_B4.json.gz", 12, 38, 1.0),
        ("hattrick_uscarrier.json.gz", 158, 378, 1.0),
        ("zoo_Colt.graphml.gz", 153, 382, 1.0),
        ("zoo_Uninett2010.graphml.gz", 74, 202, 1.0),
    ],
)
def test_public_topologies(name, sites, links, unit):
    if not (PUBLIC / name).exists():
        pytest.skip(f"{name} is not in {PUBLIC}")
    topology = read_topology(PUBLIC / name, capacity_unit_gbps=unit, default_capacity_gbps=10.0)

    assert (sites, links) == (len(topology.sites.name), len(topology.links.name))
    assert len(set(topology.sites.name)) == sites
    assert (topology.links.capacity_gbps > 0.1).all()
