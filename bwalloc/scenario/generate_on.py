"""The law of `[random]` on a given network: where it is, is given; who uses it, is drawn."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import TopologyError
from bwalloc.scenario.generate import Built, filled, parts
from bwalloc.scenario.generate_map import KINDS, Map, Node, read_map
from bwalloc.scenario.generate_network import Places, delay_ms, draw_scales, draw_span
from bwalloc.scenario.generate_roles import with_roles
from bwalloc.scenario.schema_network import SiteSection
from bwalloc.scenario.validate import validate

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.network.readers.graph import Graph
    from bwalloc.scenario.schema import EnvFile
    from bwalloc.scenario.schema_network import SiteKind
    from bwalloc.scenario.schema_random import RandomSection, SpansSection

GIVEN = 0x676976
"""Sets the seeds of what is drawn on given networks apart from those of drawn ones."""
KM_PER_DEGREE = 111.19
"""Of a great circle, at a radius of 6,371 km."""


def generate_on(
    env: EnvFile,
    law: RandomSection,
    graph: Graph,
    path: Path,
    *,
    name: str,
    entropy: int,
    seed: int = 0,
) -> EnvFile:
    """The file of one network: `env` without `random`, its sites and spans those of a graph.

    Nodes may say what they are (`kind` edge, hub or cloud; hub where only others do). If none
    does, roles follow the rule of `generate_roles`. Capacities are made from the load, as in
    drawn networks, whatever the graph says of them.

    Args:
        env: the checked file with the law.
        law: its `[random]`.
        graph: any networkx graph; see `generate_map.read_map` for the lengths of its edges.
        path: where the file with the law lies.
        name: of the network, or id of an environment: its last part.
        entropy: of the file with the law.
        seed: of demands, jobs, prices and the rest that is drawn.

    Raises:
        TopologyError: The graph falls apart, lacks lengths, an edge site or a cloud.
        ScenarioError: A node has a scale or a time zone that no site may have.
    """
    rng = parts([GIVEN, entropy, seed])
    given = read_map(graph, name, law.delay_us_per_km)
    if not given.has_kinds:
        given = with_roles(given, law, rng["sites"])
    given = _ordered(given, name)
    places = _places(given, law, rng["sites"], name)
    network = env.network.model_copy(update={"name": name.rsplit("/", maxsplit=1)[-1]})
    renamed = env.model_copy(update={"network": network})
    return filled(renamed, law, _built(given, places, law, rng["spans"]), path, rng)


def _ordered(given: Map, where: str) -> Map:
    """Hubs, clouds, edge sites: the order of drawn networks; there must be some of the last two."""
    for kind in ("cloud", "edge"):
        if not any(node.kind == kind for node in given.nodes):
            msg = f"{where}: no node is of kind '{kind}'. Give one that kind, or no node any kind: "
            raise TopologyError(msg + "then every node becomes a hub with an edge site.")
    order = ("hub", "cloud", "edge")
    return replace(given, nodes=tuple(sorted(given.nodes, key=lambda node: order.index(node.kind))))


def _places(given: Map, law: RandomSection, rng: np.random.Generator, where: str) -> Places:
    at_km = _projected_km(given.nodes)
    drawn = at_km / max(float(np.nanmax(np.hypot(*at_km.T), initial=0.0)), 1e-9)
    of_kind = {kind: np.array([node.kind == kind for node in given.nodes]) for kind in KINDS}
    scales = iter(draw_scales(law, rng, int(of_kind["edge"].sum())))
    sections = {
        node.name: _site(node, point, float(next(scales)) if node.kind == "edge" else 1.0, where)
        for node, point in zip(given.nodes, drawn, strict=True)
    }
    edges, hubs, clouds = (at_km[of_kind[kind]] for kind in KINDS)
    return Places(sections, edges, hubs, clouds)


def _site(node: Node, point: Float[np.ndarray, " axes"], scale: float, where: str) -> SiteSection:
    x, y = (round(float(value), 3) if math.isfinite(value) else None for value in point)
    about = {
        "kind": node.kind,
        "region": node.region or None,
        "utc_offset_h": node.utc_offset_h,
        "scale": scale if node.scale is None else node.scale,
        "x": x,
        "y": y,
    }
    return validate(SiteSection, about, f"{where}, node '{node.name}'")


def _projected_km(nodes: tuple[Node, ...]) -> Float[np.ndarray, "nodes 2"]:
    """Equirectangular, about the middle of the nodes."""
    at = np.array([(node.longitude, node.latitude) for node in nodes], float)
    if not np.isfinite(at).any():
        return at
    middle = (np.nanmin(at, 0) + np.nanmax(at, 0)) / 2.0
    narrow = np.array([math.cos(math.radians(float(middle[1]))), 1.0])
    return (at - middle) * narrow * KM_PER_DEGREE


def _built(given: Map, places: Places, law: RandomSection, rng: np.random.Generator) -> Built:
    kinds: dict[str, SiteKind] = {node.name: node.kind for node in given.nodes}
    built = Built(places, {}, {})
    for way in given.ways:
        one, other = sorted(way.ends, key=lambda end: KINDS.index(kinds[end]))
        role = _role(law, {kinds[one], kinds[other]})
        span = draw_span(law, role, (one, other), way.km, rng)
        if not way.is_straight:
            span = span.model_copy(update={"delay_ms": delay_ms(law, way.km)})
        built.spans[f"{one}--{other}"] = span
        built.headroom[f"{one}--{other}"] = role.headroom
    return built


def _role(law: RandomSection, kinds: set[SiteKind]) -> SpansSection:
    if "cloud" in kinds:
        return law.spans.cloud
    return law.spans.access if "edge" in kinds else law.spans.metro
