"""The learned policy: the policy network looks at the links its own splits fill, several times.

Every look computes what the current splits would have done to the links under each of the matrices
seen, and lets the network of `allocate.policy.neural` move the splits; weights are the same in
every look, and shared by all demands, tunnels and links. Of the action only the part on splits is
used.
Ref: from history to splits without a prediction: Perry et al. (DOTE), NSDI 2023; adjusting splits
by what they fill: AlQiam et al. (HARP), SIGCOMM 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.policy.correction import PARTS
from bwalloc.allocate.policy.neural import Architecture, Weights, act, embed
from bwalloc.arrays import Array, like, namespace
from bwalloc.bench.te.features import seen_of_demands, seen_of_splits, shares

if TYPE_CHECKING:
    from bwalloc.bench.te.network import SplitNetwork

REACH = 3.0
"""How far one look moves a tunnel's logit at most."""
STEP = 5.0
"""How far a look follows the toll of a tunnel where the network says nothing."""
SPAN = 3.0
"""Natural logarithm of how much more or less the network may let a demand follow it."""
CONSTANTS = "constants"
"""Name of the weights that belong to one network: a logit per tunnel to start from."""


@dataclass(frozen=True, slots=True)
class SplitPolicy:
    """What decides: architecture, weights, and how often it looks.

    Attributes:
        architecture: of the policy network.
        weights: by the names of `layer_shapes`; and `CONSTANTS`, (demands, tunnels), where the
            policy starts from constants of one network instead of equal parts.
        looks: how often the network sees the links that its splits fill; 0: constants alone.
    """

    architecture: Architecture
    weights: Weights
    looks: int = 3

    def decide(self, network: SplitNetwork, history_gbps: Array) -> Array:
        """Splits for the matrix that comes next.

        Args:
            network: what is routed on.
            history_gbps: matrices seen, the latest last, (history, demands, B).

        Returns:
            Share of each demand on each tunnel, (demands, tunnels, B).
        """
        logits = self._start(network, history_gbps)
        demands = seen_of_demands(network, history_gbps) if self.looks else None
        for look in range(self.looks):
            rows, toll = seen_of_splits(network, history_gbps, logits, look / self.looks)
            embedding = embed(
                self.weights, {**rows, "demands": demands}, network.graph, self.architecture
            )
            action = act(self.weights, embedding, network.graph)
            step = STEP * namespace(action).exp(SPAN * action[:, 0])
            logits = logits + REACH * action[:, len(PARTS) - 1 :] - step[:, None] * toll
        return shares(network, logits)

    def _start(self, network: SplitNetwork, history_gbps: Array) -> Array:
        constants = self.weights.get(CONSTANTS)
        if constants is None:
            constants = like(np.zeros(network.exists.shape, np.float32), history_gbps)
        return constants[:, :, None] + 0 * history_gbps[0][:, None]
