"""What the floors of a network take before anybody else: the one place where they are kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.floors import FloorPlan
from bwalloc.arrays import Array, like, namespace
from bwalloc.network.remembered import Remembered

if TYPE_CHECKING:
    from bwalloc.network import Network

KEPT = 256
"""Capacities whose reserve is remembered: failures leave few."""


class Reserve:
    """Rates that give every demand its floor, under any capacities; each is worked out once.

    A demand whose tunnels are all down has no floor for itself. The floors of the others are waived
    where they do not fit together: what there is is shared out in proportion.
    """

    def __init__(self, network: Network) -> None:
        """Read the floors."""
        self.network = network
        self.floors_gbps = np.asarray(network.demands.floor_gbps, np.float64)
        self._known: OrderedDict[bytes, tuple[np.ndarray, np.ndarray]] = OrderedDict()

    def rates_gbps(self, capacity_gbps: Array) -> Array:
        """Reserved rates, (demands, tunnels, B), under capacities (links, B)."""
        columns = [self._reserved(column)[0] for column in _columns(capacity_gbps)]
        return like(np.stack(columns, 2), capacity_gbps)

    def due_gbps(self, capacity_gbps: np.ndarray) -> np.ndarray:
        """Floors that can be kept together under capacities, else 0, (demands, B)."""
        return np.stack([self._reserved(column)[1] for column in _columns(capacity_gbps)], 1)

    def _reserved(self, capacity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        key = capacity.tobytes()
        if key not in self._known:
            floors = np.where(self._has_way(capacity), self.floors_gbps, 0.0)
            rates, is_whole = FloorPlan(self.network, floors)(capacity)
            self._known[key] = rates.astype(np.float32), floors * is_whole
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def _has_way(self, capacity: np.ndarray) -> np.ndarray:
        """Which demands have a tunnel that is up, (demands,)."""
        tunnels = self.network.tunnels
        is_up = np.append(capacity > 0, [True])[tunnels.hops].all(2)
        return np.asarray((is_up & tunnels.exists).any(1))


def _columns(capacity_gbps: Array) -> np.ndarray:
    """Capacities on NumPy, one row per column of the batch."""
    if namespace(capacity_gbps) is not np:
        capacity_gbps = capacity_gbps.detach().cpu().numpy()
    return np.ascontiguousarray(np.asarray(capacity_gbps).T, np.float32)


_RESERVES = Remembered(Reserve)


def reserve_of(network: Network) -> Reserve | None:
    """The reserve of a network, None where it has no floors; the last few networks are known."""
    return _RESERVES(network) if np.any(network.demands.floor_gbps) else None
