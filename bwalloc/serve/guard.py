"""The guard: what a policy answers is checked by code that shares nothing with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.limits import TOLERANCE
from bwalloc.allocate.projection import Held, Projection
from bwalloc.errors import InfeasibleError
from bwalloc.serve.reasons import reason

if TYPE_CHECKING:
    from bwalloc.allocate.limits import Limits
    from bwalloc.allocate.projection import Fixed
    from bwalloc.network import Network

ROUNDING_GBPS = 1e-6
"""Rates below 0, or where no tunnel is, that float32 may show."""


class Guard:
    """Checks answers and holds rates to the limits of one network."""

    def __init__(self, network: Network, limits: Limits) -> None:
        """Bind."""
        self.projection = Projection(network, limits)
        self._exists = self.projection.exists

    def fault(self, rates_gbps: np.ndarray) -> str | None:
        """Why an answer is no answer, as a reason; None if it is one."""
        if rates_gbps.shape != self._exists.shape or rates_gbps.dtype.kind != "f":
            text = f"{rates_gbps.dtype} {rates_gbps.shape} for {self._exists.shape}"
            return reason("policy-wrong-shape", text)
        finite = np.isfinite(rates_gbps)
        if not finite.all():
            return reason("policy-not-finite", int((~finite).sum()))
        negative = rates_gbps < -ROUNDING_GBPS
        if negative.any():
            return reason("policy-negative", int(negative.sum()))
        stray = (rates_gbps > ROUNDING_GBPS) & ~self._exists
        return reason("policy-off-tunnel", int(stray.sum())) if stray.any() else None

    def hold(
        self,
        rates_gbps: np.ndarray,
        capacity_gbps: np.ndarray,
        previous_gbps: np.ndarray | None,
        fixed: Fixed | None,
    ) -> Held:
        """Rates that keep every limit; see `Projection`.

        Raises:
            InfeasibleError: They do not, after all; never seen, checked every time.
        """
        clipped = np.maximum(rates_gbps, 0.0)
        held = self.projection(clipped, capacity_gbps, previous_gbps, fixed)
        over = self.projection.overloads(held.rates_gbps, capacity_gbps)
        is_sound = bool(np.isfinite(held.rates_gbps).all() and (held.rates_gbps >= 0).all())
        if not is_sound or (over > capacity_gbps * TOLERANCE + TOLERANCE).any():
            msg = "The projection left rates that do not fit; this is a fault of bwalloc."
            raise InfeasibleError(msg)
        return held
