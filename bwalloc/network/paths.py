"""Paths between two sites: the shortest, a shared-risk-disjoint one, then rarely shared ones."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import networkx as nx

if TYPE_CHECKING:
    from collections.abc import Callable

    from bwalloc.network.topology import Topology

Graph: TypeAlias = Any
"""A `networkx.MultiDiGraph` of rows of sites; the key of an edge is its row of links."""

Length: TypeAlias = "Callable[[int, float], float | None]"
"""Length of a link by row and delay; None hides the link."""

REUSE_PENALTY = 4.0
"""How much longer a link looks per earlier tunnel of the demand that uses it."""

HOP_MS = 1e-6
"""Added to every delay, so that of equally long paths the one with fewer hops wins."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a path must respect: regions it may cross (empty: all) and the encryption it needs."""

    residency: tuple[str, ...] = ()
    encryption: str = "none"

    def allows_site(self, region: str) -> bool:
        """Whether a path may cross a site of `region`."""
        return not self.residency or region in self.residency

    def allows_link(self, offered: str) -> bool:
        """Whether a link that offers `offered` encryption is good enough ("any": some kind)."""
        if self.encryption == "none":
            return True
        return offered == self.encryption or (self.encryption == "any" and offered != "none")


@dataclass
class PathFinder:
    """Finds paths on one topology and remembers them. Sites of kind `edge` carry no transit."""

    topology: Topology
    _graph: Graph = field(init=False)
    _known: dict[tuple[int, int, Filters, int], tuple[tuple[int, ...], ...]] = field(
        init=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        links = self.topology.links
        self._graph = nx.MultiDiGraph()
        self._graph.add_nodes_from(range(len(self.topology.sites.name)))
        for row in range(len(links.name)):
            ends = int(links.source[row]), int(links.target[row])
            self._graph.add_edge(*ends, key=row, length=float(links.delay_ms[row]) + HOP_MS)

    def paths(
        self, source: int, target: int, filters: Filters, count: int
    ) -> tuple[tuple[int, ...], ...]:
        """Up to `count` loop-free paths as rows of links, best first; empty if there is none."""
        key = (source, target, filters, count)
        if key not in self._known:
            self._known[key] = tuple(self._search(source, target, filters, count))
        return self._known[key]

    def _search(
        self, source: int, target: int, filters: Filters, count: int
    ) -> list[tuple[int, ...]]:
        graph = self._allowed(source, target, filters)
        first = _shortest(graph, source, target, lambda row, length: length)
        if first is None:
            return []
        found = [first]
        risk = self.topology.links.risk_group
        at_risk = {risk[row] for row in first}
        disjoint = _shortest(
            graph, source, target, lambda row, length: None if risk[row] in at_risk else length
        )
        if disjoint is not None and count > 1:
            found.append(disjoint)
        return self._fill(graph, source, target, found, count)

    def _fill(
        self, graph: Graph, source: int, target: int, found: list[tuple[int, ...]], count: int
    ) -> list[tuple[int, ...]]:
        """Add shortest paths whose reused risk groups look longer, until `count` or no news."""
        while len(found) < count:
            length = self._penalised(found)
            path = _shortest(graph, source, target, length)
            if path in found:
                path = self._detour(graph, source, target, found)
            if path is None:
                break
            found.append(path)
        return found

    def _penalised(self, found: list[tuple[int, ...]], hidden: str | None = None) -> Length:
        """Delay, longer per found path that shares the risk group; None for the hidden group."""
        risk = self.topology.links.risk_group
        uses = Counter(risk[row] for path in found for row in path)

        def length(row: int, ms: float) -> float | None:
            return None if risk[row] == hidden else ms * (1 + REUSE_PENALTY * uses[risk[row]])

        return length

    def _detour(
        self, graph: Graph, source: int, target: int, found: list[tuple[int, ...]]
    ) -> tuple[int, ...] | None:
        """The shortest new path that leaves out one risk group of the found ones."""
        risk, delay = self.topology.links.risk_group, self.topology.links.delay_ms
        groups = dict.fromkeys(risk[row] for path in found for row in path)
        around = [
            _shortest(graph, source, target, self._penalised(found, group)) for group in groups
        ]
        new = [path for path in around if path is not None and path not in found]
        return min(new, key=lambda path: float(delay[list(path)].sum()), default=None)

    def _allowed(self, source: int, target: int, filters: Filters) -> Graph:
        sites, links = self.topology.sites, self.topology.links

        def is_site(site: int) -> bool:
            is_end = site in (source, target)
            may_cross = is_end or sites.kind[site] != "edge"
            return may_cross and filters.allows_site(sites.region[site])

        def is_link(_: int, __: int, row: int) -> bool:
            return filters.allows_link(links.encryption[row])

        return nx.subgraph_view(self._graph, filter_node=is_site, filter_edge=is_link)


def _shortest(
    graph: Graph,
    source: int,
    target: int,
    length: Length,
) -> tuple[int, ...] | None:
    """Shortest path as rows of links under `length(row, delay)`; None hides a link."""

    def best(parallel: dict[Any, dict[str, Any]]) -> tuple[float, int] | None:
        seen = [(length(row, data["length"]), row) for row, data in parallel.items()]
        return min(((ms, row) for ms, row in seen if ms is not None), default=None)

    def weight(_: int, __: int, parallel: dict[Any, dict[str, Any]]) -> float | None:
        found = best(parallel)
        return None if found is None else found[0]

    if source == target or source not in graph or target not in graph:
        return None
    try:
        sites = nx.dijkstra_path(graph, source, target, weight)
    except nx.NetworkXNoPath:
        return None
    hops = [best(dict(graph[a][b])) for a, b in pairwise(sites)]
    return tuple(hop[1] for hop in hops if hop is not None)


_FINDERS: dict[str, PathFinder] = {}


def finder_for(topology: Topology) -> PathFinder:
    """The path finder of a topology, shared by all equal topologies of this process."""
    sites, links = topology.sites, topology.links
    parts = (sites.kind, sites.region, links.encryption, links.risk_group)
    hashed = hashlib.sha256(repr((len(links.name), parts)).encode())
    for column in (links.source, links.target, links.delay_ms):
        hashed.update(column.tobytes())
    return _FINDERS.setdefault(hashed.hexdigest(), PathFinder(topology))
