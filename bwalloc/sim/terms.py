"""The money of one interval: flows times coefficients, one entry per term of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.arrays import Array, like, namespace

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario
    from bwalloc.sim.state import Flows, State


class MoneyTerms:
    """Prices the flows of a scenario; every term is non-negative USD, shape (B,)."""

    def __init__(self, scenario: Scenario) -> None:
        """Collect the coefficients as float32 rows."""
        law, network = scenario.network.law, scenario.network
        self.last = scenario.timing.intervals - 1
        self.expiry = law.expiry_usd_per_gbit.astype(np.float32)
        self.late = law.late_usd_per_gbit_s.astype(np.float32)
        self.settle = law.settle_usd_per_gbit.astype(np.float32)
        self.stall = network.groups.usd_per_s.astype(np.float32)
        self.egress = network.tunnels.egress_usd_per_gbit.ravel().astype(np.float32)
        self.churn = law.churn_usd_per_gbps
        hours = scenario.timing.interval_s / 3600.0
        self.bandwidth = network.fixed_usd_per_h * hours

    def __call__(
        self, before: State, flows: Flows, after: State, ordered_usd: Array | float = 0.0
    ) -> dict[str, Array]:
        """Terms of the interval between two states; `ordered_usd` is the bill of ordered tiers.

        In the last interval the work still queued is settled at a fixed continuation cost, booked
        as expired, so that nobody gains by abandoning the future.
        """
        is_last = before.interval == self.last
        changed = abs(after.rates_gbps - before.rates_gbps).sum(0).sum(0)
        settled = _dot(self.settle, after.queued_gbit.sum(1)) * is_last
        zero = changed * 0
        return {
            "delivered": flows.delivered_usd.sum(0),
            "expired": _dot(self.expiry, flows.expired_gbit) + settled,
            "late": _dot(self.late, flows.waiting_gbit_s),
            "stall": _dot(self.stall, flows.stalled_s) if len(self.stall) else zero,
            "bandwidth": zero + self.bandwidth + ordered_usd,
            "egress": _dot(self.egress, flows.carried_gbit),
            "churn": changed * self.churn,
        }


def _dot(coefficients: np.ndarray, values: Array) -> Array:
    return namespace(values).matmul(like(coefficients, values), values)
