"""What a single failure leaves of each demand: disjoint tunnels, single points of failure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from bwalloc.network.network import Network


@dataclass(frozen=True, slots=True)
class Diversity:
    """How the demands of a network stand up to the failure of one risk group.

    Attributes:
        groups: risk groups that any tunnel crosses.
        disjoint: most tunnels of a demand that share no risk group, (demands,).
        is_cut_off: which groups leave a demand no tunnel, (demands, groups).
        left: share of the width of its tunnels that each group leaves a demand, where the width of
            a tunnel is that of its narrowest link, (demands, groups).
    """

    groups: tuple[str, ...]
    disjoint: Int[np.ndarray, " demands"]
    is_cut_off: Bool[np.ndarray, "demands groups"]
    left: Float[np.ndarray, "demands groups"]

    @property
    def survives(self) -> Bool[np.ndarray, " demands"]:
        """Which demands keep a tunnel whatever single group fails."""
        return np.logical_not(self.is_cut_off.any(1))

    @property
    def survivability(self) -> float:
        """Share of demands that keep a tunnel, averaged over the failures of single groups."""
        return 1.0 - float(self.is_cut_off.mean()) if self.is_cut_off.size else 1.0

    @property
    def worst(self) -> Float[np.ndarray, " demands"]:
        """Share of the width of its tunnels that the worst single failure leaves each demand."""
        return self.left.min(1, initial=1.0)


def diversity_of(network: Network) -> Diversity:
    """Diversity of the tunnels of a network; ends of demands (sites) are taken to stay up."""
    risk = network.links.risk_group
    groups = tuple(dict.fromkeys(risk))
    group = np.array([groups.index(name) for name in risk], np.int64)
    hops, exists = network.tunnels.hops, network.tunnels.exists
    crosses = np.zeros((*exists.shape, len(groups) + 1), bool)
    padded = np.append(group, len(groups))
    np.put_along_axis(crosses, padded[hops], values=True, axis=2)
    crosses = crosses[:, :, :-1] & exists[:, :, None]
    used = np.flatnonzero(crosses.any((0, 1)))
    crosses = crosses[:, :, used]
    capacity = np.append(network.links.capacity_gbps, np.inf)
    width = np.where(exists, capacity[hops].min(2, initial=np.inf), 0.0)
    kept = (width[:, :, None] * ~crosses).sum(1)
    return Diversity(
        groups=tuple(groups[row] for row in used),
        disjoint=np.array([_most_disjoint(*each) for each in zip(crosses, exists, strict=True)]),
        is_cut_off=np.logical_not((exists[:, :, None] & ~crosses).any(1)),
        left=kept / np.maximum(width.sum(1), 1e-12)[:, None],
    )


def _most_disjoint(crosses: np.ndarray, exists: np.ndarray) -> int:
    """Size of the largest set of tunnels of which no two share a group; tunnels are few."""
    rows = np.flatnonzero(exists)
    for count in range(len(rows), 1, -1):
        for chosen in combinations(rows, count):
            if (crosses[list(chosen)].sum(0) <= 1).all():
                return count
    return min(len(rows), 1)
