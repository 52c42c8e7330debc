"""The plane of a sidecar that a controller talks to: the controller measures and enforces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bwalloc.serve.planes.protocol import Applied, Note

if TYPE_CHECKING:
    from bwalloc.control import Decision


class NoPlane:
    """Measures nothing and enforces nothing."""

    kind = "none"
    watchdog_pid = None
    faults: tuple[Note, ...] = ()

    def read(self) -> None:
        """Nothing."""
        return

    def apply(self, decision: Decision) -> Applied:
        """Nothing changes."""
        return Applied(0, decision.rates_gbps.size)

    def notes(self) -> tuple[Note, ...]:
        """Nothing happens."""
        return ()

    def close(self) -> None:
        """Nothing to let go of."""
