"""What a plane's loop did, counted: the book that its status is written from."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, deque
from typing import TYPE_CHECKING, Literal, TypeAlias

from bwalloc.serve.books.status import DecisionTimes, PlaneStatus

if TYPE_CHECKING:
    from bwalloc.serve.planes.protocol import Applied, Note, Plane

Fault: TypeAlias = Literal["read", "apply", "late", "internal"]
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
KEPT_NOTES = 50


class PlaneBook:
    """Counts what the loop does; written by it, read by anybody."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self._lock = threading.Lock()
        self._errors: Counter[str] = Counter(
            dict.fromkeys(("read", "apply", "late", "internal"), 0)
        )
        self._happened: Counter[str] = Counter()
        self._recent: deque[str] = deque(maxlen=KEPT_NOTES)
        self._reading, self._applying = _Times(), _Times()
        self._wrong: set[str] = set()
        self._last_error: str | None = None
        self._read_s: float | None = None
        self._apply_s: float | None = None
        self._rounds = self._changed = self._kept = 0

    def round(self) -> None:
        """An interval ended."""
        with self._lock:
            self._rounds += 1

    def fault(self, what: Fault, text: str) -> None:
        """Something failed."""
        with self._lock:
            self._errors[what] += 1
            self._wrong.add(what)
            self._last_error = text
            self._recent.append(f"{what}: {text}")

    def noted(self, notes: tuple[Note, ...]) -> None:
        """The plane told something."""
        with self._lock:
            for note in notes:
                self._happened[note.word] += 1
                self._recent.append(f"{note.word}: {note.text}")

    def read(self, seconds: float, now_s: float) -> None:
        """A read worked."""
        with self._lock:
            self._wrong.discard("read")
            self._reading.add(seconds)
            self._read_s = now_s

    def applied(self, applied: Applied, seconds: float, now_s: float) -> None:
        """A decision is in force."""
        with self._lock:
            self._wrong &= {"read"}  # a fallback may be in force though nothing could be read
            self._applying.add(seconds)
            self._apply_s = now_s
            self._changed, self._kept = applied.changed, applied.kept

    def status(self, plane: Plane, *, is_enforcing: bool, now_s: float) -> PlaneStatus:
        """The state at `now_s` (monotonic seconds)."""
        with self._lock:
            return PlaneStatus(
                kind=plane.kind,
                is_enforcing=is_enforcing,
                is_reachable=not self._wrong and not plane.faults,
                rounds=self._rounds,
                errors=dict(self._errors),
                last_error=self._last_error,
                happened=dict(self._happened),
                recent=tuple(self._recent),
                reading=self._reading.status(),
                applying=self._applying.status(),
                read_age_s=None if self._read_s is None else now_s - self._read_s,
                apply_age_s=None if self._apply_s is None else now_s - self._apply_s,
                changed=self._changed,
                kept=self._kept,
                watchdog_pid=plane.watchdog_pid,
            )


class _Times:
    """A histogram in the making."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds

    def status(self) -> DecisionTimes:
        cumulative = [sum(self.counts[: end + 1]) for end in range(len(BOUNDS_S))]
        return DecisionTimes(BOUNDS_S, tuple(cumulative), sum(self.counts), self.total_s)
