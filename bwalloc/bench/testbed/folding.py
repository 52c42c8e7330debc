"""Sites folded into few namespaces, so that no tunnel comes through one namespace twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bwalloc.network import Network

MOST_SPACES = 7


def fold(network: Network, most: int = MOST_SPACES) -> np.ndarray:
    """The namespace of each site, (sites,), counted from 0.

    Sites of one tunnel, and the two ends of a link, are in different namespaces: there packets are
    told apart by their addresses alone. More than `most` are used only where that asks for them.
    """
    apart = conflicts(network)
    home = np.full(len(network.sites.name), -1, np.int64)
    sizes: list[int] = []
    for site in np.argsort(-apart.sum(1), kind="stable").tolist():
        taken = set(home[apart[site]].tolist())
        free = [space for space in range(len(sizes)) if space not in taken]
        if len(sizes) < most or not free:
            sizes.append(0)
            free = [len(sizes) - 1]
        home[site] = min(free, key=sizes.__getitem__)
        sizes[home[site]] += 1
    return home


def conflicts(network: Network) -> np.ndarray:
    """Which sites may not share a namespace, (sites, sites)."""
    links, count = network.links, len(network.sites.name)
    apart = np.zeros((count, count), bool)
    paths = [[link] for link in range(network.n_links)]
    paths += [hops[hops < network.n_links].tolist() for hops in network.flat_hops]
    for path in paths:
        sites = {int(site) for link in path for site in (links.source[link], links.target[link])}
        for one in sites:
            apart[one, list(sites - {one})] = True
    return apart
