"""What became of the rates that tenants were promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.sim.stretches import Stretch, granted_gbps

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario
    from bwalloc.sim.physics import Physics

MET = 1e-3
"""Missing share of a floor that counts as rounding."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One tenant in a batch of episodes.

    Attributes:
        below_floor_min: minutes in which any of its demands had less than its floor, (B,).
        credit_usd: what it gets back for them, each demand by itself, (B,).
    """

    below_floor_min: np.ndarray
    credit_usd: np.ndarray


class PromiseLog:
    """Adds up the time for which the rate of each demand, as links let it be, is below its floor.

    Why does not matter: a decision, or a link that failed. Nor does it whether there was work.
    """

    def __init__(self, scenario: Scenario, physics: Physics, batch: int) -> None:
        """Nothing missed yet."""
        demands, self.physics = scenario.network.demands, physics
        self.law, self.floors = scenario.credits, np.asarray(demands.floor_gbps, float)
        self.floored = np.flatnonzero(self.floors > 0)
        self.tenant = np.array(demands.tenant)[self.floored]
        self.short_s = np.zeros((len(self.floored), batch))
        self.tenants = list(dict.fromkeys(self.tenant.tolist()))
        self.tenant_s = np.zeros((len(self.tenants), batch))

    def add(self, stretches: Sequence[Stretch]) -> None:
        """Book an interval that counts."""
        least = self.floors[self.floored, None] * (1 - MET)
        for seconds, granted in granted_gbps(self.physics, stretches):
            short = granted[self.floored].sum(1) < least
            self.short_s += seconds * short
            for row, name in enumerate(self.tenants):
                self.tenant_s[row] += seconds * short[self.tenant == name].any(0)

    def close(self) -> dict[str, Promise]:
        """The books by tenant."""
        credit = self.law.usd(self.short_s / 60.0, self.floors[self.floored])
        return {
            name: Promise(self.tenant_s[row] / 60.0, credit[self.tenant == name].sum(0))
            for row, name in enumerate(self.tenants)
        }
