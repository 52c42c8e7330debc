"""Renews a lease beside the loop: a watchdog that hangs, or is replaced, holds no decision up."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from bwalloc.errors import PlaneError
from bwalloc.serve.planes.protocol import Note

if TYPE_CHECKING:
    from bwalloc.serve.planes.lease import Lease

WAIT_S = 0.25
"""How long a loop waits for an answer, which takes less than a millisecond where all is well."""


class Renewal:
    """A lease renewed in a thread of its own, once at a time."""

    def __init__(self, lease: Lease) -> None:
        """Take over a lease that has begun."""
        self.fault: Note | None = None
        self._lease = lease
        self._told: deque[Note] = deque()
        self._thread = ThreadPoolExecutor(1, "bwalloc-lease")
        self._running: Future[None] | None = None

    def beat(self) -> None:
        """Say that a decision is in force; what follows is told by `notes` and `fault`.

        While the watchdog is still being waited for, or replaced, the one before stands for it.
        """
        if self._running is None or self._running.done():
            self._running = self._thread.submit(self._renew)
        wait([self._running], WAIT_S)

    def notes(self) -> tuple[Note, ...]:
        """What happened since this was asked before."""
        return tuple(self._told.popleft() for _ in range(len(self._told)))

    def close(self) -> None:
        """Wait for what runs; the watchdog goes on."""
        self._thread.shutdown()

    def _renew(self) -> None:
        try:
            self._told.extend(self._lease.renew())
            self.fault = None
        except Exception as error:  # nobody else hears what this thread raises
            name = "" if isinstance(error, PlaneError) else f"{type(error).__name__}: "
            self.fault = Note("watchdog-failed", f"{name}{error}")
            self._told.append(self.fault)
