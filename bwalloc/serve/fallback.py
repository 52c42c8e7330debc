"""What decides when the policy must not: max-min on fresh telemetry, and the static table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.rule import Context, wide_split
from bwalloc.allocate.rules.reactive import MaxMin
from bwalloc.observe import Window, no_history

if TYPE_CHECKING:
    from bwalloc.allocate.limits import Limits
    from bwalloc.network import Network
    from bwalloc.observe import Readings


class MaxMinRates:
    """Fair shares of what demands last offered, by the `max-min` allocator; keeps no history."""

    def __init__(self, network: Network) -> None:
        """Bind."""
        self._asker = MaxMin(Context(network, no_history(network.n_demands)))
        self._decoder = Decoder(network)
        self._window = Window(1)

    def __call__(self, readings: Readings) -> np.ndarray:
        """Rates in Gbit/s, (demands, tunnels)."""
        ask = self._asker.ask(self._window, readings)
        return self._decoder(ask, readings.capacity_gbps)[:, :, 0]


def static_rates(network: Network, limits: Limits) -> np.ndarray:
    """The static table: rates that need no telemetry, (demands, tunnels), float64.

    Demands named in `limits.static_gbps` get that rate first, as far as links as built carry it;
    the others share what is left in equal parts (max-min), whatever they may want.
    """
    decoder = Decoder(network, keeps_floors=False)  # the guard sees to floors
    capacity = np.asarray(network.links.capacity_gbps, np.float32)[:, None]
    names = network.demands.name
    given = np.array([limits.static_gbps.get(name, 0.0) for name in names], np.float32)[:, None]
    free = np.array([name not in limits.static_gbps for name in names], np.float32)[:, None]
    tiny = np.float32(1e-6)
    first = decoder(Ask(given, given + tiny, wide_split(network, capacity), given * 0), capacity)
    load = decoder.paths.total(first.reshape(-1, 1))
    room = np.maximum(capacity - load, np.float32(0))
    want = free * room.max(initial=0)
    shared = decoder(Ask(want, free + tiny, wide_split(network, room), want * 0), room)
    return (first + shared)[:, :, 0].astype(np.float64)
