"""A policy bound to a network: its history, its features, and the inputs of its next decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.corrected import CorrectedForecast
from bwalloc.allocate.decision import inputs_of
from bwalloc.observe import Readings

if TYPE_CHECKING:
    from bwalloc.allocate.learned import Policy
    from bwalloc.network import Network
    from bwalloc.serve.runtime import Given


class PolicySession:
    """History and features of one policy, by the code that training uses."""

    def __init__(self, network: Network, policy: Policy) -> None:
        """Nothing is seen yet."""
        self.network = network
        self.corrected = CorrectedForecast(network, policy.tuned, compiled=None)
        self.has_begun = False

    def reset(self) -> None:
        """Forget all history."""
        self.has_begun = False

    def push(self, readings: Readings) -> None:
        """Take in what an interval brought (B = 1).

        A first record in which nothing was offered is the beginning of an episode, as in training;
        one with load counts as an interval, so that no mean is taken for 0.
        """
        if self.has_begun:
            self.corrected.push(readings)
            return
        self.corrected.start(readings)
        if readings.offered_gbps.any():
            observer = self.corrected.observer
            self.corrected.memory = observer.update(self.corrected.memory, readings)
        self.has_begun = True

    def inputs(self, rates_gbps: np.ndarray) -> Given:
        """Inputs of the decision that is due, new arrays; `rates_gbps` (demands, tunnels) hold."""
        return inputs_of(self.corrected, rates_gbps[:, :, None].astype(np.float32))


def nothing_read(network: Network) -> Readings:
    """Readings before any telemetry: capacities as built, and no load."""
    demands = np.zeros((network.n_demands, 1), np.float32)
    links = np.asarray(network.links.capacity_gbps, np.float32)[:, None]
    return Readings(
        demands, demands, demands, demands, demands, demands[:, None],
        links, links * 0, np.zeros(1),
    )  # fmt: skip
