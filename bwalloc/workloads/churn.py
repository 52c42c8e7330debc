"""Client churn: the few clients that make most of the requests come and go over hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.workloads.onoff import on_off

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.workloads.clock import Clock

CLIENTS = 20
"""Clients per service (our choice: the top 10 make 39 to 79 % of requests in ServeGen)."""
ZIPF = 1.2
"""Exponent of client shares by rank: ServeGen m-large, 1.16 over its top 50 (Apache-2.0)."""
DUTY = 0.4
"""Share of time a client is active: 31 to 49 % of clients per 10-minute bin in ServeGen."""
MEAN_ON_S = 4.0 * 3600.0
"""Mean length of a client's activity in seconds (our choice: clients switch over hours)."""


def client_churn(
    rng: np.random.Generator, clock: Clock, strength: float, columns: int
) -> Float[np.ndarray, "steps columns"]:
    """Mean-one factor on a rate whose clients switch on and off.

    Args:
        rng: Source of the clients' stays.
        clock: Steps to draw.
        strength: Share of the rate that follows the clients, 0 (none of it) to 1.
        columns: Number of services, each with clients of its own.
    """
    shares = np.arange(1, CLIENTS + 1, dtype=np.float32) ** np.float32(-ZIPF)
    shares /= shares.sum() * np.float32(DUTY)
    active = on_off(rng, clock, DUTY, MEAN_ON_S, columns * CLIENTS)
    factor = active.reshape(clock.steps, columns, CLIENTS) @ shares
    return 1.0 + np.float32(strength) * (factor - 1.0)
