"""What the plane makes of rates, so that the simulator can play with the same.

Classes have a least rate, rates are whole steps, changes that are nearly nothing are left out, and
packets of no demand keep a part of every link. With a network of Gbit/s scaled to Mbit/s the least
rate is what matters: demands of a few Mbit/s cannot be held to less. That alone is also a parameter
of a scenario (`enforcement.least_gbps`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.serve.planes.htb.layout import build_layout
from bwalloc.serve.planes.htb.table import Table, Tables

if TYPE_CHECKING:
    from bwalloc.allocate import Rule
    from bwalloc.network import Network
    from bwalloc.observe import Readings
    from bwalloc.serve.planes import PlaneFile


class EnforcedRule:
    """A rule whose rates go through the table of a plane, for one episode at a time."""

    def __init__(self, rule: Rule, network: Network, file: PlaneFile) -> None:
        """Lay the network over the plane; no interface is touched."""
        self.rule, self.network, self.scale = rule, network, file.scale.rate
        self.layout = build_layout(network, file)
        self.tables = Tables(self.layout, self.scale, file.least_change)
        self.before: Table | None = None

    def reset(self, batch: int) -> None:
        """Forget all history."""
        self.rule.reset(batch)
        self.before = None

    def decide(self, readings: Readings) -> np.ndarray:
        """Rates that are in force, float32 (demands, tunnels, 1)."""
        rates = self.rule.decide(readings)
        self.before = self.tables.of(rates[:, :, 0], self.before)
        return self.in_force(self.before)[:, :, None]

    def in_force(self, table: Table) -> np.ndarray:
        """By tunnel, the least of its classes in Gbit/s of the network, (demands, tunnels)."""
        least = np.full(self.network.n_demands * self.network.n_tunnels, np.inf)
        for port in self.layout.ports:
            for leaf in port.leaves:
                rate = table[port.id(leaf.minor)].rate / self.scale / 1e9
                rows = list(leaf.rows)
                least[rows] = np.minimum(least[rows], rate)
        least[~np.isfinite(least)] = 0.0
        return least.reshape(self.network.n_demands, -1).astype(np.float32)
