"""The loop of a sidecar with a plane: read, decide, apply, once an interval."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from bwalloc.errors import PlaneError
from bwalloc.serve.planes.book import PlaneBook

if TYPE_CHECKING:
    from bwalloc.control import Decision, Telemetry
    from bwalloc.serve.books.status import PlaneStatus
    from bwalloc.serve.planes.protocol import Plane
    from bwalloc.serve.supervisor import Supervisor


class PlaneLoop:
    """Feeds a supervisor with what a plane measures, and the plane with what it decides.

    It never ends by itself: what fails is counted, and the next interval is a new chance. A
    decision that took longer than its interval is dropped, never applied late. Whoever made it owns
    supervisor and plane, and closes them after `stop`.
    """

    def __init__(
        self, supervisor: Supervisor, plane: Plane, period_s: float, *, is_enforcing: bool = True
    ) -> None:
        """Prepare; `period_s` is the plane's interval in seconds of this machine's clock."""
        self.supervisor, self.plane, self.period_s = supervisor, plane, period_s
        self.is_enforcing = is_enforcing
        self._book = PlaneBook()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bwalloc-plane", daemon=True)

    def start(self) -> None:
        """Begin; the first decision comes after one interval."""
        self._thread.start()

    def stop(self, within_s: float = 15.0) -> None:
        """Finish the round that runs, and begin no other."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(within_s)

    def status(self) -> PlaneStatus:
        """The state now; waits for no round."""
        now_s = time.monotonic()
        return self._book.status(self.plane, is_enforcing=self.is_enforcing, now_s=now_s)

    def turn(self) -> None:
        """One round; never raises."""
        begun_s = time.monotonic()
        self._book.round()
        try:
            decision = self.supervisor.decide(self._read())
            if time.monotonic() - begun_s > self.period_s:
                text = f"Decision {decision.id} took more than an interval and was dropped."
                self._book.fault("late", text)
            else:
                self._apply(decision)
            self._book.noted(self.plane.notes())
        except Exception as error:  # a fault of this library must not end the loop
            self._book.fault("internal", f"{type(error).__name__}: {error}")

    def _run(self) -> None:
        due_s = time.monotonic() + self.period_s
        while not self._ending.wait(max(0.0, due_s - time.monotonic())):
            self.turn()
            missed = max(0, int((time.monotonic() - due_s) // self.period_s))
            due_s += (missed + 1) * self.period_s

    def _read(self) -> Telemetry | None:
        begun_s = time.monotonic()
        try:
            telemetry = self.plane.read()
        except PlaneError as error:
            self._book.fault("read", str(error))
            return None
        ended_s = time.monotonic()
        self._book.read(ended_s - begun_s, ended_s)
        return telemetry

    def _apply(self, decision: Decision) -> None:
        begun_s = time.monotonic()
        try:
            applied = self.plane.apply(decision)
        except PlaneError as error:
            self._book.fault("apply", str(error))
            return
        ended_s = time.monotonic()
        self._book.applied(applied, ended_s - begun_s, ended_s)
