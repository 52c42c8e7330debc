"""A bundle that decides beside the one in charge: counted and compared, never enforced."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.serve.books.status import Shadow
from bwalloc.serve.policy.worker import BusyError

if TYPE_CHECKING:
    from bwalloc.observe import Readings
    from bwalloc.serve.guard import Guard
    from bwalloc.serve.policy.deployment import Deployment


class ShadowRun:
    """Runs a deployment on the telemetry that was decided upon, in its own thread, one at a time.

    While it is busy it misses telemetry, and its history has gaps: it never delays a decision.
    """

    def __init__(self, deployment: Deployment, guard: Guard) -> None:
        """Begin with no history."""
        self.deployment, self.guard = deployment, guard
        self._lock = threading.Lock()
        self._decisions = self._faults = self._skipped = 0
        self._last: tuple[float, float] | None = None
        self._sum = 0.0

    def watch(
        self,
        readings: Readings,
        capacity_gbps: np.ndarray,
        before_gbps: np.ndarray,
        issued_gbps: np.ndarray,
    ) -> None:
        """Decide beside; all rates (demands, tunnels). Does not wait, never raises."""

        def decide() -> None:
            try:
                self._compare(readings, capacity_gbps, before_gbps, issued_gbps)
            except Exception:  # whatever a policy does
                self._note(None)

        try:
            self.deployment.worker.begin(decide)
        except BusyError:
            with self._lock:
                self._skipped += 1

    def status(self) -> Shadow:
        """How it did so far."""
        with self._lock:
            share, planned = self._last or (None, None)
            mean = self._sum / self._decisions if self._decisions else None
            said = self.deployment.status
            return Shadow(
                name=said.name,
                version=said.version,
                decisions=self._decisions,
                faults=self._faults,
                skipped=self._skipped,
                difference_share=share,
                mean_difference_share=mean,
                planned_gbps=planned,
            )

    def _compare(
        self,
        readings: Readings,
        capacity_gbps: np.ndarray,
        before_gbps: np.ndarray,
        issued_gbps: np.ndarray,
    ) -> None:
        deployment = self.deployment
        deployment.session.push(readings)
        rates = deployment.runtime(deployment.session.inputs(before_gbps)).rates_gbps
        if self.guard.fault(rates) is not None:
            self._note(None)
            return
        held = self.guard.hold(rates, capacity_gbps, None, None).rates_gbps
        moved = 0.5 * float(np.abs(held - issued_gbps).sum())
        self._note((moved / max(float(issued_gbps.sum()), 1e-9), float(held.sum())))

    def _note(self, found: tuple[float, float] | None) -> None:
        with self._lock:
            if found is None:
                self._faults += 1
            else:
                self._decisions += 1
                self._last, self._sum = found, self._sum + found[0]
