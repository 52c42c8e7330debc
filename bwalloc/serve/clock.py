"""The two clocks of a supervisor: the time of day, and one that never jumps."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux's clock that counts the time a machine sleeps; after it nothing known is still of now."""


class Clock(Protocol):
    """What a supervisor asks for the time; ages of its own doings come from `monotonic` alone."""

    def utc(self) -> datetime:
        """The time of day, with a time zone."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    def follow(self, interval_end: datetime) -> None:
        """Hear when the telemetry that is decided upon was measured."""
        ...


class SystemClock:
    """The clocks of this machine."""

    def utc(self) -> datetime:
        """The machine's time of day."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """The machine's monotonic clock, the one that runs on in its sleep where there is one."""
        return time.monotonic() if BOOTTIME is None else time.clock_gettime(BOOTTIME)

    def follow(self, interval_end: datetime) -> None:
        """Nothing: telemetry does not set a real clock."""


class ReplayClock:
    """A clock that shows the end of whatever telemetry is decided upon: for records of old days.

    With it telemetry is never stale, so it is for replays, examples and tests.
    """

    def __init__(self) -> None:
        """Begin at the epoch."""
        self._now = datetime.fromtimestamp(0, UTC)
        self._elapsed_s = 0.0

    def utc(self) -> datetime:
        """The end of the latest telemetry."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that telemetry has gone forward."""
        return self._elapsed_s

    def follow(self, interval_end: datetime) -> None:
        """Go there; going back takes no time."""
        self._elapsed_s += max(0.0, (interval_end - self._now).total_seconds())
        self._now = interval_end
