"""What a Gbit is worth to rules that decide rate by rate, where demands of a group stall GPUs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.network import Network

HURRY = 4.0
"""Into which part of an interval the work that a member holds should fit."""


@dataclass(frozen=True, slots=True)
class StallWorth:
    """A linear stand-in for stall: a Gbit of a member costs its group the time it takes to send.

    Attributes:
        usd_per_gbit: cost of a second of the group over the rate of all tunnels of the demand, at
            their narrowest links; 0 outside groups, (demands,).
        hurry: by how much a backlog counts above its share of an interval, since a rate that just
            drains it stalls the group to the end, (demands,).
    """

    usd_per_gbit: Float[np.ndarray, " demands"]
    hurry: Float[np.ndarray, " demands"]


def stall_worth(network: Network) -> StallWorth:
    """The stand-in for each demand of a network."""
    usd_per_s = np.append(network.groups.usd_per_s, 0.0)[network.groups.member]
    widths = np.append(network.links.capacity_gbps, np.inf)[network.tunnels.hops].min(2)
    gbps = np.where(network.tunnels.exists, widths, 0.0).sum(1)
    usd_per_gbit = usd_per_s / np.maximum(gbps, TINY_GBPS)
    return StallWorth(usd_per_gbit, np.where(usd_per_s > 0, HURRY, 1.0))


TINY_GBPS = 1e-9
