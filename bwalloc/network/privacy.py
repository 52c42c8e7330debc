"""Which tunnels keep what their demand asks of them: regions they may cross, links encrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.network.paths import Filters
from bwalloc.network.remembered import Remembered

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from bwalloc.network.demands import Demands
    from bwalloc.network.network import Network
    from bwalloc.network.topology import Links
    from bwalloc.network.tunnels import Tunnels

OVERHEAD_BYTES = {"none": 0, "macsec": 32, "ipsec": 56}
"""By kind of encryption. MACsec: tag of 16 bytes and check value of 16 (IEEE 802.1AE-2018). IPsec:
outer header 20, ESP 8, initialisation vector 8, trailer and padding 4, check value 16 (RFC 4303
in tunnel mode with AES-GCM, RFC 4106)."""
PACKET_BYTES = 1500
"""Of a full packet, before encryption."""


def private_tunnels(network: Network) -> Bool[np.ndarray, "demands tunnels"]:
    """Tunnels that exist and keep residency and encryption; the last few networks are known.

    Routing makes no others: this looks at what a decision would use, whoever built the network.
    """
    return _MASKS(network)


def _checked(network: Network) -> np.ndarray:
    mask = np.array(network.tunnels.exists)
    for row, residency in enumerate(network.demands.residency):
        filters = Filters(tuple(residency), network.demands.encryption[row] or "none")
        if filters == Filters():
            continue
        for tunnel in np.flatnonzero(mask[row]):
            mask[row, tunnel] = _keeps(network, filters, network.tunnels.hops[row, tunnel])
    return mask


_MASKS = Remembered(_checked)


def _keeps(network: Network, filters: Filters, hops: np.ndarray) -> bool:
    links, region = network.links, network.sites.region
    rows = hops[hops < network.n_links]
    ends = np.concatenate([links.source[rows], links.target[rows]])
    return all(filters.allows_site(region[site]) for site in ends) and all(
        filters.allows_link(links.encryption[row]) for row in rows
    )


def wire_factor(links: Links, demands: Demands, tunnels: Tunnels) -> Float[np.ndarray, " demands"]:
    """Gbit on the wire per Gbit before encryption, of each demand.

    A demand that takes any kind pays for the dearest that the links of its tunnels offer.
    """
    factor = np.ones(len(demands.name))
    for row, kind in enumerate(demands.encryption):
        kinds = [kind]
        if kind == "any":
            hops = tunnels.hops[row][tunnels.exists[row]]
            kinds = [links.encryption[link] for link in hops[hops < len(links.name)]]
        most = max((OVERHEAD_BYTES[each or "none"] for each in kinds), default=0)
        factor[row] = 1.0 + most / PACKET_BYTES
    return factor
