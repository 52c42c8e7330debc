"""A learned allocator: the policy network over the tuned `forecast`, on NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.corrected import CorrectedForecast
from bwalloc.allocate.decision import inputs_of
from bwalloc.allocate.neural import Architecture, Graph, Weights, act, embed

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.observe import Readings


@dataclass(frozen=True, slots=True)
class Policy:
    """Weights, and what they were made for; `tuned` holds the constants of the base allocator."""

    architecture: Architecture
    weights: Weights
    tuned: Mapping[str, Mapping[str, float]]


class Learned:
    """A policy as a rule over arrays; it fits any network.

    Args:
        network: what it decides for.
        policy: weights as NumPy arrays.
    """

    def __init__(self, network: Network, policy: Policy) -> None:
        """Prepare the graph; `reset` begins."""
        self.policy, self.graph = policy, Graph.of(network)
        self.corrected = CorrectedForecast(network, policy.tuned, compiled=None)
        self.rates_gbps: np.ndarray | None = None

    def reset(self, batch: int) -> None:
        """Forget all history."""
        del batch
        self.rates_gbps = None

    def decide(self, readings: Readings) -> np.ndarray:
        """Feasible rates for the coming interval, float32 (demands, tunnels, B)."""
        last = self.rates_gbps
        if last is None:
            last = np.zeros((*self.graph.shape, readings.offered_gbps.shape[-1]), np.float32)
            self.corrected.start(readings)
        else:
            self.corrected.push(readings)
        rates = self.corrected.rates_gbps(self.action(last))
        self.rates_gbps = rates
        return rates

    def action(self, rates_gbps: np.ndarray) -> np.ndarray:
        """What the network answers to the features now, (demands, 3 + tunnels, B)."""
        features = self.corrected.features(rates_gbps)
        policy = self.policy
        embedding = embed(policy.weights, features, self.graph, policy.architecture)
        return act(policy.weights, embedding, self.graph)


class Noting(Learned):
    """Notes the inputs of its decisions, as `decided` takes them."""

    def reset(self, batch: int) -> None:
        """Forget all history, and the notes."""
        super().reset(batch)
        self.noted: list[dict[str, np.ndarray]] = []

    def action(self, rates_gbps: np.ndarray) -> np.ndarray:
        """As `Learned.action`."""
        self.noted.append(inputs_of(self.corrected, rates_gbps))
        return super().action(rates_gbps)
