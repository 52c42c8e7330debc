"""What the nodes of a given network are, where its graph does not say.

Every node is a hub, since every node of a backbone carries transit, and an edge site stands beside
each. Clouds stand beside the nodes that all others are nearest to, one for every so many edge sites
as a law has at most, and have their on-ramps there and at the nodes next to it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np

from bwalloc.scenario.generate_map import Map, Node, Way
from bwalloc.scenario.generate_network import draw_count, log_uniform

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.scenario.schema_network import SiteKind
    from bwalloc.scenario.schema_random import RandomSection

BESIDE = 0.07
"""How far from its hub a site is drawn, as a share of the size of the network."""


def with_roles(given: Map, law: RandomSection, rng: np.random.Generator) -> Map:
    """The network with its nodes as hubs, and with edge sites and clouds.

    An edge site lies in a disc of the least radius of the law around its node; a cloud so far from
    its node as the radius of a drawn network is.
    """
    hubs = [replace(node, kind="hub", name=f"hub-{node.name}") for node in given.nodes]
    away_km = distances_km(given)
    ways = [replace(way, ends=(f"hub-{way.ends[0]}", f"hub-{way.ends[1]}")) for way in given.ways]
    edges = [_beside(given, row, "edge", 0.0) for row in range(len(hubs))]
    for hub, edge in zip(hubs, edges, strict=True):
        km = law.radius_km[0] * math.sqrt(rng.uniform())
        ways.append(Way((edge.name, hub.name), km, is_straight=True))
    clouds: list[Node] = []
    for host in medians(away_km, clouds_for(len(edges), law)):
        cloud = _beside(given, host, "cloud", math.pi / 2.0)
        clouds.append(cloud)
        km, ramps = log_uniform(rng, law.radius_km), draw_count(rng, law.on_ramps)
        for row in np.argsort(away_km[host], kind="stable")[:ramps]:
            length = float(away_km[host, row]) + km
            ways.append(Way((hubs[row].name, cloud.name), length, is_straight=True))
    return Map((*hubs, *clouds, *edges), tuple(ways), has_kinds=True)


def clouds_for(edges: int, law: RandomSection) -> int:
    """As many clouds that none has more edge sites than a drawn network has at most."""
    return max(law.clouds[0], math.ceil(edges / law.edges[1]))


def distances_km(given: Map) -> Float[np.ndarray, "nodes nodes"]:
    """Length of the shortest way between any two nodes."""
    graph = nx.Graph()
    graph.add_weighted_edges_from((*way.ends, way.km) for way in given.ways)
    return np.asarray(nx.floyd_warshall_numpy(graph, [node.name for node in given.nodes]))


def medians(away_km: Float[np.ndarray, "nodes nodes"], count: int) -> list[int]:
    """Rows of the nodes that all others are nearest to on average, found one after the other.

    Ref: Kuehn & Hamburger, A heuristic program for locating warehouses, Management Science (1963).
    """
    chosen: list[int] = []
    near = np.full(len(away_km), np.inf)
    for _ in range(min(count, len(away_km))):
        reached = np.minimum(near, away_km).mean(1)
        reached[chosen] = np.inf
        chosen.append(int(reached.argmin()))
        near = np.minimum(near, away_km[chosen[-1]])
    return chosen


def _beside(given: Map, row: int, kind: SiteKind, turn: float) -> Node:
    """A site of another kind at a node, drawn a little outwards from the middle, or turned.

    Beside a node without a place it has none either.
    """
    node = given.nodes[row]
    named = replace(node, name=f"{kind}-{node.name}", kind=kind)
    if math.isnan(node.longitude):
        return named
    places = np.array([(each.longitude, each.latitude) for each in given.nodes])
    out = places[row] - np.nanmean(places, 0)
    angle = math.atan2(out[1], out[0]) + turn
    step = BESIDE * float((np.nanmax(places, 0) - np.nanmin(places, 0)).max())
    return replace(
        named,
        longitude=node.longitude + step * math.cos(angle),
        latitude=node.latitude + step * math.sin(angle),
    )
