"""Reader of tunnel lists as DOTE and FIGRET publish them: `source target:path,path,..`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.bench.te.network import SplitNetwork
from bwalloc.errors import TopologyError
from bwalloc.network.readers.files import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from bwalloc.network.topology import Topology

Row = tuple[tuple[str, str], list[list[str]]]
"""The ends of a demand, and the sites along each of its tunnels."""


def read_tunnels(path: Path, topology: Topology) -> SplitNetwork:
    """The demands and tunnels in a file; one line per demand, sites of a path joined by `-`.

    Args:
        path: the file, plain or gzipped.
        topology: has every site and link of the paths.

    Raises:
        TopologyError: a line is malformed, or a path leaves the topology; names file and line.
    """
    sites = {name: row for row, name in enumerate(topology.sites.name)}
    ends = zip(topology.links.source, topology.links.target, strict=True)
    links = {(int(a), int(b)): row for row, (a, b) in enumerate(ends)}
    pairs: list[tuple[int, int]] = []
    tunnels: list[list[list[int]]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            (source, target), paths = _parsed(line)
            pairs.append((sites[source], sites[target]))
            tunnels.append([_links(each, (source, target), sites, links) for each in paths])
        except (KeyError, ValueError) as error:
            msg = f"{path}, line {number}: {_reason(error)}"
            raise TopologyError(msg) from None
    if not pairs:
        msg = f"{path}: lists no tunnels."
        raise TopologyError(msg)
    if len(set(pairs)) < len(pairs):
        msg = f"{path}: lists a pair of sites twice."
        raise TopologyError(msg)
    return split_network(topology.name, topology.links.capacity_gbps, pairs, tunnels)


def split_network(
    name: str,
    capacity_gbps: np.ndarray,
    pairs: list[tuple[int, int]],
    tunnels: list[list[list[int]]],
) -> SplitNetwork:
    """A network from the link rows of each demand's tunnels."""
    most = max(len(paths) for paths in tunnels)
    longest = max(len(path) for paths in tunnels for path in paths)
    hops = np.full((len(pairs), most, longest), len(capacity_gbps))
    for demand, paths in enumerate(tunnels):
        for tunnel, path in enumerate(paths):
            hops[demand, tunnel, : len(path)] = path
    exists = hops[:, :, 0] < len(capacity_gbps)
    return SplitNetwork(
        name, np.asarray(capacity_gbps, np.float32), np.array(pairs), hops, exists
    )  # fmt: skip


def _parsed(line: str) -> Row:
    head, colon, tail = line.partition(":")
    ends, paths = head.split(), [path.split("-") for path in tail.strip().split(",")]
    if not colon or len(ends) != 2 or any(len(path) < 2 for path in paths):
        msg = f"expected 'source target:site-site,site-site-site', got '{line.strip()[:60]}'."
        raise ValueError(msg)
    return (ends[0], ends[1]), paths


def _links(
    path: list[str],
    ends: tuple[str, str],
    sites: dict[str, int],
    links: dict[tuple[int, int], int],
) -> list[int]:
    if (path[0], path[-1]) != ends:
        msg = f"the path {'-'.join(path)} does not lead from {ends[0]} to {ends[1]}."
        raise ValueError(msg)
    rows = [sites[site] for site in path]
    for a, b in pairwise(rows):
        if (a, b) not in links:
            msg = f"the path {'-'.join(path)} uses a link that the topology lacks."
            raise ValueError(msg)
    return [links[hop] for hop in pairwise(rows)]


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the topology has no site {error}."
    return str(error)
