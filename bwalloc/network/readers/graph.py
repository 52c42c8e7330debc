"""From a networkx graph to a `Topology`, and back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import networkx as nx

from bwalloc.errors import TopologyError
from bwalloc.network.build import SiteRow, SpanRow, build_topology
from bwalloc.network.topology import SITE_KINDS

if TYPE_CHECKING:
    from bwalloc.network.topology import Topology

Graph: TypeAlias = Any
"""Any networkx graph, directed or not, with or without parallel edges."""

FIBRE_MS_PER_KM = 0.0049
"""Light in silica fibre, refractive index 1.468 (ITU-T G.652): 4.9 microseconds per km."""

NAMES = ("name", "label")
LONGITUDES = ("Longitude", "longitude", "lon", "x")
LATITUDES = ("Latitude", "latitude", "lat", "y")
CAPACITIES = ("capacity_gbps", "capacity", "bandwidth", "LinkSpeedRaw")
LENGTHS_KM = ("dist", "distance", "length_km", "km")

_UNITS = {"": 1.0, "k": 1e-6, "m": 1e-3, "g": 1.0, "t": 1e3}
_QUANTITY = re.compile(r"^\s*([-+0-9.eE]+)\s*([kKmMgGtT]?)\s*(?:bit/s|bps|b/s|bits)?\s*$")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What to assume where a file is silent.

    `capacity_unit_gbps` is the size of the file's unit of capacity: 1e-9 for bit/s.
    """

    capacity_unit_gbps: float = 1.0
    capacity_gbps: float | None = None
    delay_ms: float | None = None
    kind: str = "hub"
    usd_per_gbps_h: float = 0.0


def from_networkx(
    graph: Graph,
    *,
    name: str = "graph",
    capacity_unit_gbps: float = 1.0,
    default_capacity_gbps: float | None = None,
    default_delay_ms: float | None = None,
    kind: str = "hub",
    usd_per_gbps_h: float = 0.0,
) -> Topology:
    """A topology with one span per connected pair of nodes (per edge if undirected).

    Capacity is read from `capacity_gbps`, `capacity`, `bandwidth` or `LinkSpeedRaw` (bit/s, as in
    the Topology Zoo), a number or a text such as "10 Gbps". Delay is `delay_ms`, or that of fibre
    along `dist` or the great circle between the nodes, or the default.

    Raises:
        TopologyError: If a capacity is absent or is no positive number.
    """
    assumed = Defaults(
        capacity_unit_gbps, default_capacity_gbps, default_delay_ms, kind, usd_per_gbps_h
    )
    names = _site_names(graph)
    sites = [_site(names[node], data, assumed) for node, data in graph.nodes(data=True)]
    places = {site.name: (site.x, site.y) for site in sites}
    pairs = _directed_pairs(graph) if graph.is_directed() else _undirected_pairs(graph)
    taken: dict[str, int] = {}
    spans = [_span(names[a], names[b], ways, places, assumed, taken) for a, b, ways in pairs]
    return build_topology(name, sites, spans)


def to_networkx(topology: Topology) -> Graph:
    """The topology as a graph that `from_networkx` reads back."""
    sites, links = topology.sites, topology.links
    graph = nx.MultiDiGraph(name=topology.name)
    for row, name in enumerate(sites.name):
        place = {"x": float(sites.x[row]), "y": float(sites.y[row])}
        offset = float(sites.utc_offset_h[row])
        about = {"kind": sites.kind[row], "region": sites.region[row], "utc_offset_h": offset}
        graph.add_node(name, **about, **place)
    for row in range(len(links.name)):
        graph.add_edge(
            sites.name[links.source[row]],
            sites.name[links.target[row]],
            capacity_gbps=float(links.capacity_gbps[row]),
            delay_ms=float(links.delay_ms[row]),
        )
    return graph


def _site_names(graph: Graph) -> dict[Any, str]:
    """A unique name per node: its own, or its label, with its id where labels repeat."""
    wanted = {
        node: next((str(data[key]) for key in NAMES if data.get(key)), str(node))
        for node, data in graph.nodes(data=True)
    }
    counts: dict[str, int] = {}
    for label in wanted.values():
        counts[label] = counts.get(label, 0) + 1
    return {n: label if counts[label] == 1 else f"{label} #{n}" for n, label in wanted.items()}


def _site(name: str, data: Mapping[str, Any], assumed: Defaults) -> SiteRow:
    x, y = _number(data, LONGITUDES), _number(data, LATITUDES)
    if "pos" in data:
        x, y = (float(value) for value in data["pos"])
    kind = data.get("kind", assumed.kind)
    offset = float(data.get("utc_offset_h", 0.0 if math.isnan(x) else round(x / 15.0)))
    region = str(data.get("region", data.get("Country", "")))
    return SiteRow(name, kind if kind in SITE_KINDS else assumed.kind, region, offset, x, y)


def _number(data: Mapping[str, Any], keys: Iterable[str]) -> float:
    for key in keys:
        try:
            return float(data[key])
        except (KeyError, TypeError, ValueError):
            continue
    return float("nan")


Ways = tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]


def _undirected_pairs(graph: Graph) -> list[tuple[Any, Any, Ways]]:
    return [(a, b, (data, data)) for a, b, data in graph.edges(data=True) if a != b]


def _directed_pairs(graph: Graph) -> list[tuple[Any, Any, Ways]]:
    """Edges of a directed graph, the k-th from a to b joined with the k-th from b to a."""
    edges: dict[tuple[Any, Any], list[Mapping[str, Any]]] = {}
    for a, b, data in graph.edges(data=True):
        if a != b:
            edges.setdefault((a, b), []).append(data)
    pairs: list[tuple[Any, Any, Ways]] = []
    done: set[tuple[Any, Any]] = set()
    for (a, b), there in edges.items():
        if (b, a) in done:
            continue
        done.add((a, b))
        back = edges.get((b, a), [])
        for k in range(max(len(there), len(back))):
            ways = (there[k] if k < len(there) else None, back[k] if k < len(back) else None)
            pairs.append((a, b, ways))
    return pairs


def _span(
    a: str,
    b: str,
    ways: Ways,
    places: Mapping[str, tuple[float, float]],
    assumed: Defaults,
    taken: dict[str, int],
) -> SpanRow:
    there, back = (0.0 if way is None else _capacity(way, a, b, assumed) for way in ways)
    name = f"{a}--{b}"
    taken[name] = taken.get(name, 0) + 1
    data = ways[0] if ways[0] is not None else ways[1] or {}
    return SpanRow(
        name=name if taken[name] == 1 else f"{name}#{taken[name]}",
        ends=(a, b),
        capacity_gbps=(there, back),
        delay_ms=_delay_ms(data, places[a], places[b], assumed),
        usd_per_h=assumed.usd_per_gbps_h * max(there, back),
    )


def _capacity(data: Mapping[str, Any], a: str, b: str, assumed: Defaults) -> float:
    key = next((key for key in CAPACITIES if data.get(key) is not None), None)
    if key is None and assumed.capacity_gbps is None:
        msg = f"The link {a} - {b} has no capacity; give default_capacity_gbps."
        raise TopologyError(msg)
    if key is None:
        return float(assumed.capacity_gbps or 0.0)
    found = _QUANTITY.match(str(data[key]))
    try:
        value = float(found.group(1)) if found else float("nan")
    except ValueError:
        value = float("nan")
    if not (math.isfinite(value) and value > 0):
        msg = f"The link {a} - {b} has {key} = {data[key]!r}, expected a number above 0."
        raise TopologyError(msg)
    prefix = found.group(2).lower() if found else ""
    return value * (_UNITS[prefix] if prefix else _unit_of(key, assumed))


def _unit_of(key: str, assumed: Defaults) -> float:
    return {"LinkSpeedRaw": 1e-9, "capacity_gbps": 1.0}.get(key, assumed.capacity_unit_gbps)


def _delay_ms(
    data: Mapping[str, Any], a: tuple[float, float], b: tuple[float, float], assumed: Defaults
) -> float:
    given = _number(data, ("delay_ms",))
    if not math.isnan(given):
        return given
    km = _number(data, LENGTHS_KM)
    if math.isnan(km):
        km = _great_circle_km(a, b)
    return (assumed.delay_ms or 0.0) if math.isnan(km) else km * FIBRE_MS_PER_KM


def _great_circle_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Distance of two (longitude, latitude) places by the haversine formula."""
    lon_a, lat_a, lon_b, lat_b = (math.radians(value) for value in (*a, *b))
    half = math.sin((lat_b - lat_a) / 2) ** 2
    half += math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(half)) if math.isfinite(half) else float("nan")
