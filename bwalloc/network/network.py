"""The network as a controller knows it: topology, demands, tunnels, and what they are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.network.enforcement import Pools, build_pools

if TYPE_CHECKING:
    from bwalloc.money import GroupLaw, ValueLaw
    from bwalloc.network.demands import Demands
    from bwalloc.network.offers import Offers
    from bwalloc.network.topology import Links, Sites, Spans, Topology
    from bwalloc.network.tunnels import Tunnels


@dataclass(frozen=True, slots=True)
class Network:
    """Everything an allocator is bound to.

    `interval_s` is the control interval; `offers` is what can be ordered (None: nothing).
    """

    topology: Topology
    demands: Demands
    tunnels: Tunnels
    law: ValueLaw
    groups: GroupLaw
    interval_s: float
    offers: Offers | None = None

    @property
    def name(self) -> str:
        """Name of the topology."""
        return self.topology.name

    @property
    def sites(self) -> Sites:
        """The nodes."""
        return self.topology.sites

    @property
    def links(self) -> Links:
        """The directed links."""
        return self.topology.links

    @property
    def spans(self) -> Spans:
        """The paid connections."""
        return self.topology.spans

    @property
    def fixed_usd_per_h(self) -> float:
        """The bill of the spans whose tier stays as it is."""
        usd = self.spans.usd_per_h
        return float((usd if self.offers is None else np.delete(usd, self.offers.span)).sum())

    @property
    def n_demands(self) -> int:
        """Number of demands."""
        return len(self.demands.name)

    @property
    def n_links(self) -> int:
        """Number of directed links."""
        return len(self.links.name)

    @property
    def n_tunnels(self) -> int:
        """Tunnels per demand, padding included."""
        return self.tunnels.exists.shape[1]

    @property
    def flat_hops(self) -> np.ndarray:
        """Hops of every (demand, tunnel) pair, row `d * n_tunnels + k`; (demands*tunnels, hops)."""
        return self.tunnels.hops.reshape(-1, self.tunnels.hops.shape[2])

    def pools(self) -> Pools:
        """The pools inside which unused guarantees are borrowed."""
        return build_pools(self.links, self.demands, self.tunnels)
