"""A network whose demands are split over given tunnels: what a split does to the links."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.policy.neural import Graph
from bwalloc.arrays import Array, Incidence, like, namespace

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, slots=True)
class SplitNetwork:
    """Links, and the tunnels each demand may be split over.

    Attributes:
        name: of the topology.
        capacity_gbps: of each directed link.
        pairs: source and destination site of each demand.
        hops: link rows per demand and tunnel, padded with the number of links.
        exists: which tunnels exist.
        crosses: which links each flat tunnel crosses.
        graph: what the network's messages travel over.
    """

    name: str
    capacity_gbps: Float[np.ndarray, " links"]
    pairs: Int[np.ndarray, "demands 2"]
    hops: Int[np.ndarray, "demands tunnels hops"]
    exists: Bool[np.ndarray, "demands tunnels"]
    crosses: Incidence = field(init=False, repr=False, compare=False)
    graph: Graph = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Derive the incidence and the graph from the hops."""
        flat = self.hops.reshape(-1, self.hops.shape[2])
        object.__setattr__(self, "crosses", Incidence(flat, len(self.capacity_gbps)))
        graph = Graph(self.crosses, self.exists.astype(np.float32))
        object.__setattr__(self, "graph", graph)

    @property
    def n_links(self) -> int:
        """How many directed links there are."""
        return len(self.capacity_gbps)

    @property
    def n_demands(self) -> int:
        """How many demands there are."""
        return len(self.pairs)

    @property
    def narrowest_gbps(self) -> Float[np.ndarray, "demands tunnels"]:
        """Least capacity along each tunnel; 0 where there is none."""
        least = self.crosses.least(self.capacity_gbps[:, None])
        return least[:, 0].reshape(self.exists.shape)

    def uniform(self) -> Float[np.ndarray, "demands tunnels 1"]:
        """Every demand in equal parts over its tunnels."""
        return (self.exists / self.exists.sum(1, keepdims=True))[..., None].astype(np.float32)

    def utilisation(self, splits: Array, load_gbps: Array) -> Array:
        """Load over capacity of every link.

        Args:
            splits: share of each demand on each tunnel, (demands, tunnels, B or 1).
            load_gbps: of each demand, (steps, demands, B or 1).

        Returns:
            (steps, links, B).
        """
        carried = load_gbps[:, :, None] * splits[None]
        flat = carried.reshape(len(load_gbps), -1, carried.shape[-1])
        return self.crosses.total(flat, 1) / like(self.capacity_gbps[:, None], flat)

    def largest(self, splits: Array, load_gbps: Array) -> Array:
        """Utilisation of the fullest link (MLU), (steps, B); arguments of `utilisation`."""
        used = self.utilisation(splits, load_gbps)
        return namespace(used).amax(used, 1)
