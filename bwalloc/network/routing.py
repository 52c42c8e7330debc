"""Routing: the tunnels each demand may use, searched for or given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from bwalloc.errors import TopologyError, nearest
from bwalloc.network.demands import Demands
from bwalloc.network.paths import Filters, PathFinder, finder_for
from bwalloc.network.topology import Topology
from bwalloc.network.tunnels import Tunnels


def route(
    topology: Topology,
    demands: Demands,
    *,
    tunnels_per_demand: int = 3,
    explicit: Mapping[str, Sequence[Sequence[str]]] | None = None,
) -> Tunnels:
    """Tunnels of every demand, best first.

    Tunnel 0 is the shortest by delay; tunnel 1 shares no risk group with it where such a path
    exists; the others are shortest with reused links penalised. `explicit` gives the tunnels of
    a demand as lists of site names instead.

    Raises:
        TopologyError: If a demand has no path, or an explicit tunnel does not exist.
    """
    given = dict(explicit or {})
    for name in given:
        if name not in demands.name:
            msg = f"Tunnels are given for '{name}', which is no demand. "
            raise TopologyError(msg + nearest(name, demands.name))
        if not given[name]:
            msg = f"Demand '{name}' is given an empty list of tunnels: add one, or drop the list."
            raise TopologyError(msg)
    finder = finder_for(topology)
    paths: list[list[tuple[int, ...]]] = []
    for row, name in enumerate(demands.name):
        if name in given:
            paths.append([explicit_path(topology, demands, row, sites) for sites in given[name]])
        else:
            paths.append(_searched(finder, topology, demands, row, tunnels_per_demand))
    return pack_tunnels(topology, paths)


def pack_tunnels(topology: Topology, paths: Sequence[Sequence[tuple[int, ...]]]) -> Tunnels:
    """Pad lists of link rows, per demand and tunnel, into `Tunnels`."""
    links = topology.links
    n_links = len(links.name)
    n_tunnels = max((len(each) for each in paths), default=0)
    n_hops = max((len(path) for each in paths for path in each), default=0)
    hops = np.full((len(paths), n_tunnels, n_hops), n_links, np.int64)
    exists = np.zeros((len(paths), n_tunnels), bool)
    for row, each in enumerate(paths):
        for tunnel, path in enumerate(each):
            hops[row, tunnel, : len(path)] = path
            exists[row, tunnel] = True
    delay = np.append(links.delay_ms, 0.0)[hops].sum(axis=2)
    egress = np.append(links.egress_usd_per_gbit, 0.0)[hops].sum(axis=2)
    return Tunnels(hops, exists, delay, egress)


def explicit_path(
    topology: Topology, demands: Demands, row: int, sites: Sequence[str]
) -> tuple[int, ...]:
    """Link rows of a tunnel given as site names, checked against its demand and the topology."""
    where = f"Tunnel {' > '.join(sites)} of demand '{demands.name[row]}'"
    known = topology.sites.name
    for site in sites:
        if site not in known:
            msg = f"{where}: there is no site '{site}'. {nearest(site, known)}"
            raise TopologyError(msg)
    ends = known[demands.source[row]], known[demands.target[row]]
    if len(sites) < 2 or (sites[0], sites[-1]) != ends:
        msg = f"{where}: must lead from '{ends[0]}' to '{ends[1]}'."
        raise TopologyError(msg)
    if len(set(sites)) < len(sites):
        msg = f"{where}: crosses a site twice."
        raise TopologyError(msg)
    filters = _filters(demands, row)
    path = tuple(_hop(topology, a, b, filters, where) for a, b in pairwise(sites))
    _check_filters(topology, path, sites, filters, where)
    return path


def _hop(topology: Topology, a: str, b: str, filters: Filters, where: str) -> int:
    """The shortest link from `a` to `b`, of those that are encrypted as needed if any is."""
    links, site = topology.links, topology.sites.name.index
    rows = np.flatnonzero((links.source == site(a)) & (links.target == site(b)))
    if not len(rows):
        reach = [topology.sites.name[t] for t in links.target[links.source == site(a)]]
        msg = f"{where}: there is no link from '{a}' to '{b}'; '{a}' reaches {', '.join(reach)}."
        raise TopologyError(msg)
    fit = [row for row in rows if filters.allows_link(links.encryption[row])]
    rows = np.array(fit, np.int64) if fit else rows
    return int(rows[np.argmin(links.delay_ms[rows])])


def _check_filters(
    topology: Topology, path: tuple[int, ...], sites: Sequence[str], filters: Filters, where: str
) -> None:
    for name in sites:
        region = topology.sites.region[topology.sites.name.index(name)]
        if not filters.allows_site(region):
            msg = f"{where}: '{name}' is in region '{region}', outside {list(filters.residency)}."
            raise TopologyError(msg)
    for row in path:
        if not filters.allows_link(topology.links.encryption[row]):
            link = topology.links.name[row]
            msg = f"{where}: link '{link}' offers no {filters.encryption}."
            raise TopologyError(msg)


def _filters(demands: Demands, row: int) -> Filters:
    return Filters(tuple(demands.residency[row]), demands.encryption[row] or "none")


def _searched(
    finder: PathFinder, topology: Topology, demands: Demands, row: int, count: int
) -> list[tuple[int, ...]]:
    source, target = int(demands.source[row]), int(demands.target[row])
    filters = _filters(demands, row)
    paths = finder.paths(source, target, filters, count)
    if paths:
        return list(paths)
    names = topology.sites.name[source], topology.sites.name[target]
    why = _why_unroutable(finder, source, target, filters)
    msg = f"Demand '{demands.name[row]}' cannot be routed from '{names[0]}' to '{names[1]}': {why}"
    raise TopologyError(msg)


def _why_unroutable(finder: PathFinder, source: int, target: int, filters: Filters) -> str:
    if source == target:
        return "both ends are the same site."
    if not finder.paths(source, target, Filters(), 1):
        return "no path connects them (edge sites carry no transit). Add a span."
    if not finder.paths(source, target, Filters(residency=filters.residency), 1):
        return f"every path leaves the allowed regions {list(filters.residency)} (residency)."
    if not finder.paths(source, target, Filters(encryption=filters.encryption), 1):
        return f"no path offers {filters.encryption} on every link (encryption)."
    return "no path keeps both its residency and its encryption."
