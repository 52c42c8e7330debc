"""Enforcement: inside which pools unused guarantees may be borrowed.

An owned, `work_conserving` link is one pool: HTB lends what guarantees leave unused to whoever is
backlogged on that link. On a `policed` link the provider meters each virtual connection (the
tunnels between one pair of sites) at the rate it was given: each connection is a pool of its own,
as large as the rates of its tunnels, and nothing crosses from one to another before the next
decision (tc-htb(8); OpenFlow 1.3 meters).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

    from bwalloc.network.demands import Demands
    from bwalloc.network.topology import Links
    from bwalloc.network.tunnels import Tunnels


@dataclass(frozen=True, slots=True)
class Pools:
    """Borrowing pools; `hops` are the pools a tunnel crosses, padded with the number of pools."""

    link: Int[np.ndarray, " pools"]
    is_shared: Bool[np.ndarray, " pools"]
    hops: Int[np.ndarray, "flat_tunnels hops"]


def build_pools(links: Links, demands: Demands, tunnels: Tunnels) -> Pools:
    """One pool per work-conserving link, and one per policed link and pair of sites.

    Both ends of the pair are those of the demand, so the classes of one site share a meter.
    """
    n_links = len(links.name)
    per_demand = tunnels.hops.shape[1]
    hops = tunnels.hops.reshape(-1, tunnels.hops.shape[2])
    index: dict[tuple[int, int, int], int] = {}
    pool_hops = np.full(hops.shape, -1, np.int64)
    for row, hop in zip(*np.nonzero(hops < n_links), strict=True):
        link = int(hops[row, hop])
        demand = row // per_demand
        pair = (int(demands.source[demand]), int(demands.target[demand]))
        key = (link, -1, -1) if links.is_work_conserving[link] else (link, *pair)
        pool_hops[row, hop] = index.setdefault(key, len(index))
    pool_hops[pool_hops < 0] = len(index)
    return Pools(
        link=np.array([key[0] for key in index], np.int64),
        is_shared=np.array([key[1] < 0 for key in index], bool),
        hops=pool_hops,
    )
