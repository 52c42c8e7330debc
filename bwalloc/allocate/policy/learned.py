"""A learned allocator: the policy network over the tuned `forecast`, on NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.policy.corrected import CorrectedForecast
from bwalloc.allocate.policy.decision import inputs_of
from bwalloc.allocate.policy.neural import Architecture, Graph, Weights, act, act_spans, embed

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.observe import Readings, UsualDay


@dataclass(frozen=True, slots=True)
class Policy:
    """Weights, and what they were made for; `tuned` holds the constants of the base allocator."""

    architecture: Architecture
    weights: Weights
    tuned: Mapping[str, Mapping[str, float]]


class Learned:
    """A policy as a rule over arrays; it fits any network.

    Where capacity is sold it orders too: a policy that knows nothing of spans as `two-bar`.

    Args:
        network: what it decides for.
        policy: weights as NumPy arrays.
        usual: the usual day, which orders are made by; None takes every hour to be alike.
    """

    def __init__(self, network: Network, policy: Policy, usual: UsualDay | None = None) -> None:
        """Prepare the graph; `reset` begins."""
        self.policy, self.graph = policy, Graph.of(network)
        self.corrected = corrected_of(network, policy, usual)
        self.rates_gbps: np.ndarray | None = None
        self.about_spans: np.ndarray | None = None

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

    def order(self, readings: Readings) -> np.ndarray:
        """Place in its menu of the tier each span shall have, -1 for no order, int (offered, B)."""
        orders = self.corrected.orders(self.about_spans)
        return np.zeros((0, readings.offered_gbps.shape[-1]), int) if orders is None else orders

    def action(self, rates_gbps: np.ndarray) -> np.ndarray:
        """What the network answers to the features now, (demands, 3 + tunnels, B).

        What it answers about spans is kept for `order`.
        """
        features = self.corrected.features(rates_gbps)
        policy = self.policy
        embedding = embed(policy.weights, features, self.graph, policy.architecture)
        self.about_spans = act_spans(policy.weights, embedding)
        return act(policy.weights, embedding, self.graph)


def corrected_of(
    network: Network, policy: Policy, usual: UsualDay | None = None
) -> CorrectedForecast:
    """What a policy corrects and sees on a network, on NumPy."""
    return CorrectedForecast(
        network, policy.tuned, compiled=None, usual=usual, spans=policy.architecture.spans
    )


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
