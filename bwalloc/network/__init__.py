"""Sites, links, spans, demands and tunnels, and the readers of topologies."""

from bwalloc.network.demands import Demands
from bwalloc.network.enforcement import Pools
from bwalloc.network.network import Network
from bwalloc.network.offers import Offers
from bwalloc.network.topology import ENFORCEMENTS, SITE_KINDS, Links, Sites, Spans, Topology
from bwalloc.network.tunnels import Tunnels

__all__ = [
    "ENFORCEMENTS",
    "SITE_KINDS",
    "Demands",
    "Links",
    "Network",
    "Offers",
    "Pools",
    "Sites",
    "Spans",
    "Topology",
    "Tunnels",
]
