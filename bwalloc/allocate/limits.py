"""Limits a decision must keep: one check for the simulator, the benchmark and the guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import DecisionError

if TYPE_CHECKING:
    from bwalloc.network import Network

TOLERANCE = 1e-5
"""Relative overload that float32 sums may show."""


def violations(network: Network, rates_gbps: np.ndarray, capacity_gbps: np.ndarray) -> np.ndarray:
    """How many limits each decision breaks, (B,): links overloaded and rates off the tunnels.

    Residency and encryption are kept by construction: tunnels that break them do not exist, so a
    rate on one counts here. A rate that is negative or not finite counts too.

    Args:
        network: whose tunnels and links.
        rates_gbps: (demands, tunnels, B).
        capacity_gbps: of the telemetry the decision answered, (links, B).

    Raises:
        DecisionError: the shape does not fit the network.
    """
    expected = network.tunnels.exists.shape
    if rates_gbps.shape[:2] != expected:
        msg = f"Rates of shape {rates_gbps.shape[:2]} for {expected} (demands, tunnels)."
        raise DecisionError(msg)
    unsound = ~np.isfinite(rates_gbps) | (rates_gbps < 0)
    stray = (rates_gbps > 0) & ~network.tunnels.exists[:, :, None]
    flat = np.where(unsound, 0, rates_gbps).reshape(-1, rates_gbps.shape[2]).astype(np.float64)
    load = np.zeros((network.n_links + 1, flat.shape[1]))
    np.add.at(load, network.flat_hops.ravel(), np.repeat(flat, network.flat_hops.shape[1], 0))
    over = load[:-1] > capacity_gbps * (1 + TOLERANCE) + TOLERANCE
    return (unsound | stray).sum((0, 1)) + over.sum(0)
