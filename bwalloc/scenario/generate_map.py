"""A given network, read from a networkx graph: its nodes, and the ways between them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

import networkx as nx

from bwalloc.errors import TopologyError, nearest
from bwalloc.network.build import rows_of
from bwalloc.network.readers.graph import FIBRE_MS_PER_KM, from_networkx
from bwalloc.scenario.schema_network import SiteKind

if TYPE_CHECKING:
    from bwalloc.network.build import SiteRow, SpanRow
    from bwalloc.network.readers.graph import Graph

FIBRE_KM = ("km", "length_km")
"""What an edge calls the length of its fibre."""
STRAIGHT_KM = ("dist", "distance")
"""What an edge calls the straight line between its ends, as TopoHub does."""
KINDS: tuple[SiteKind, ...] = ("edge", "hub", "cloud")
"""Kinds of sites that a law of `[random]` knows, in the order of the ends of a span."""
LIMITS = (("longitude", 180.0), ("latitude", 90.0))


@dataclass(frozen=True, slots=True)
class Node:
    """One place; longitude and latitude are NaN where unknown.

    `scale` is None where the law is to draw it.
    """

    name: str
    kind: SiteKind = "hub"
    region: str = ""
    utc_offset_h: float = 0.0
    longitude: float = math.nan
    latitude: float = math.nan
    scale: float | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """A connection of two nodes by name: so long is its fibre, or the straight line of its ends."""

    ends: tuple[str, str]
    km: float
    is_straight: bool


@dataclass(frozen=True, slots=True)
class Map:
    """A connected network; `has_kinds` says whether its graph said what its nodes are."""

    nodes: tuple[Node, ...]
    ways: tuple[Way, ...]
    has_kinds: bool


def read_map(graph: Graph, name: str, delay_us_per_km: float) -> Map:
    """The nodes and ways of a graph; parallel edges and both directions are one way.

    A length is that of `delay_ms`, `km` or `length_km` (fibre), else `dist` or `distance`, else of
    the great circle (both straight).

    Args:
        graph: any networkx graph.
        name: for messages.
        delay_us_per_km: of light in a fibre.

    Raises:
        TopologyError: The graph falls apart, an edge has no length, or a node has a kind or a
            place that makes no sense.
    """
    bare = nx.Graph()
    bare.add_nodes_from(graph.nodes(data=True))
    bare.add_edges_from((a, b) for a, b in graph.edges() if a != b)
    _check_connected(bare, name)
    sites, spans = _rows(bare, name)
    about = [data for _, data in bare.nodes(data=True)]
    has_kinds = any("kind" in data for data in about)
    nodes = [_node(row, data, has_kinds, name) for row, data in zip(sites, about, strict=True)]
    called = dict(zip((row.name for row in sites), _distinct(nodes), strict=True))
    places = {row.name: math.isfinite(row.x) and math.isfinite(row.y) for row in sites}
    ways: list[Way] = []
    for (a, b), row in zip(bare.edges(), spans, strict=True):
        straight = row.delay_ms / FIBRE_MS_PER_KM if all(places[end] for end in row.ends) else None
        where = f"{name}: the edge {row.ends[0]} - {row.ends[1]}"
        km, is_straight = _length(_data(graph, a, b), straight, delay_us_per_km, where)
        one, other = (called[end] for end in row.ends)
        ways.append(Way((one.name, other.name), km, is_straight))
    return Map(tuple(called.values()), tuple(ways), has_kinds)


def _node(row: SiteRow, data: Mapping[str, Any], has_kinds: bool, where: str) -> Node:
    kind = data.get("kind", "hub")
    if kind not in KINDS:
        msg = f"{where}: node '{row.name}' is of kind '{kind}', expected edge, hub or cloud"
        msg += ", the sites that laws know. " if kind in get_args(SiteKind) else ". "
        raise TopologyError(msg + nearest(str(kind), KINDS))
    for (axis, most), value in zip(LIMITS, (row.x, row.y), strict=True):
        if abs(value) > most:
            msg = f"{where}: node '{row.name}' has a {axis} of {value:g}, expected -{most:g} to "
            msg += f"{most:g}. Leave places out that are none, and give every edge delay_ms or km."
            raise TopologyError(msg)
    slug = _slug(row.name)
    is_bare = has_kinds and not slug.startswith(f"{kind}-")
    return Node(
        name=f"{kind}-{slug}" if is_bare else slug,  # patterns of laws begin with the kind
        kind=kind,
        region=row.region,
        utc_offset_h=row.utc_offset_h,
        longitude=row.x,
        latitude=row.y,
        scale=data.get("scale"),
    )


def _slug(text: str) -> str:
    """Lower-case letters, digits and hyphens: what patterns and names of demands leave alone."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "site"


def _distinct(nodes: Iterable[Node]) -> list[Node]:
    """The nodes, with a number behind a name that was there before."""
    found: dict[str, Node] = {}
    for node in nodes:
        name, count = node.name, 1
        while name in found:
            count += 1
            name = f"{node.name}-{count}"
        found[name] = replace(node, name=name)
    return list(found.values())


def _rows(graph: Graph, where: str) -> tuple[list[SiteRow], list[SpanRow]]:
    try:
        return rows_of(from_networkx(graph, name=where, default_capacity_gbps=1.0))
    except (TypeError, ValueError) as error:
        if isinstance(error, TopologyError):
            raise
        msg = f"{where}: pos or utc_offset_h of a node is no number ({error})."
        raise TopologyError(msg) from None


def _check_connected(graph: Graph, where: str) -> None:
    if len(graph) < 2:
        msg = f"{where}: the graph has too few nodes ({len(graph)}), expected two or more."
        raise TopologyError(msg)
    first, *others = (
        min(str(graph.nodes[node].get("name", node)) for node in part)
        for part in nx.connected_components(graph)
    )
    if others:
        msg = f"{where}: the graph falls apart: no way leads from '{first}' to '{others[0]}'."
        raise TopologyError(msg)


def _data(graph: Graph, a: Any, b: Any) -> Mapping[str, Any]:
    """Attributes of an edge; of the first one, where there are several."""
    data = graph.get_edge_data(a, b) or graph.get_edge_data(b, a) or {}
    return next(iter(data.values())) if graph.is_multigraph() else data


def _length(
    data: Mapping[str, Any], straight: float | None, delay_us_per_km: float, where: str
) -> tuple[float, bool]:
    """Kilometres of a way, and whether they are those of a straight line."""
    delay = _number(data, ("delay_ms",), where)
    if delay is not None:
        return delay * 1000.0 / delay_us_per_km, False
    fibre, given = (_number(data, keys, where) for keys in (FIBRE_KM, STRAIGHT_KM))
    if fibre is not None:
        return fibre, False
    km = straight if given is None else given
    if km is None:
        msg = (
            f"{where} has no length: give it delay_ms or km, or both nodes longitude and latitude."
        )
        raise TopologyError(msg)
    return km, True


def _number(data: Mapping[str, Any], keys: Iterable[str], where: str) -> float | None:
    for key in keys:
        if data.get(key) is None:
            continue
        try:
            value = float(data[key])
        except (TypeError, ValueError):
            value = math.nan
        if not (math.isfinite(value) and value >= 0.0):
            msg = f"{where} has {key} = {data[key]!r}, expected a number of at least 0."
            raise TopologyError(msg)
        return value
    return None
