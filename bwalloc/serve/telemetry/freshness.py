"""Whether telemetry is of now: its age by two clocks, one of which may have jumped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from bwalloc.serve.reasons import reason

if TYPE_CHECKING:
    from bwalloc.allocate.limits import Times
    from bwalloc.serve.clock import Clock

JUMP_S = 1.0
"""Difference of the clocks between two looks that no drift explains."""


class Judged(NamedTuple):
    """The verdict on one record: its age, and why it is not of now (empty: it is)."""

    age_s: float
    faults: tuple[str, ...]
    remarks: tuple[str, ...]


class Freshness:
    """Judges the times of telemetry; remembers the newest that was decided upon.

    The time of day may jump: a machine wakes, NTP corrects, somebody types. A second clock runs on
    from the last look by monotonic seconds. While the two agree the time of day counts; when they
    do not, telemetry that is of now by either of them is, and the time of day is believed again
    once telemetry agrees with it.
    """

    def __init__(self, times: Times, clock: Clock) -> None:
        """Set the second clock by the first."""
        self.times, self.clock = times, clock
        self.newest: datetime | None = None
        self._set(clock.utc(), clock.monotonic())

    def reset(self) -> None:
        """Forget what was decided upon."""
        self.newest = None

    def now(self) -> datetime:
        """The time by the clock that counts."""
        wall, own = self._clocks()
        return wall if abs((wall - own).total_seconds()) <= JUMP_S else own

    def judge(self, end: datetime) -> Judged:
        """The verdict on a record whose interval ended then."""
        wall, own = self._clocks()
        jump_s = (wall - own).total_seconds()
        age_s = (wall - end).total_seconds()
        if abs(jump_s) <= JUMP_S:
            self._set(wall, self.clock.monotonic())
            return Judged(age_s, self._faults(age_s, end, self.newest), ())
        remarks = (reason("clock-jump", f"{jump_s:+.1f} s"),)
        by_own_s = (own - end).total_seconds()
        if end == self.newest:  # known already: no jump makes it young again
            return Judged(by_own_s, self._faults(by_own_s, end, None), remarks)
        newest = self.newest if jump_s > 0 else None  # time began again
        faults = self._faults(age_s, end, newest)
        if not faults:
            self._set(wall, self.clock.monotonic())
            self.newest = newest
            return Judged(age_s, (), remarks)
        if not self._faults(by_own_s, end, self.newest):
            return Judged(by_own_s, (), remarks)
        return Judged(age_s, faults, remarks)

    def accept(self, end: datetime) -> None:
        """Remember that this record was decided upon."""
        self.newest = end

    def _faults(self, age_s: float, end: datetime, newest: datetime | None) -> tuple[str, ...]:
        times = self.times
        if age_s > times.stale_after_s:
            text = f"{age_s:.1f} s old, at most {times.stale_after_s:.1f}"
            return (reason("telemetry-stale", text),)
        if -age_s > times.future_s:
            text = f"{-age_s:.1f} s ahead, at most {times.future_s:.1f}"
            return (reason("telemetry-future", text),)
        if newest is not None and end < newest:
            text = f"{(newest - end).total_seconds():.1f} s before the newest"
            return (reason("telemetry-out-of-order", text),)
        return ()

    def _clocks(self) -> tuple[datetime, datetime]:
        set_to, set_s = self._set_at  # at once: a status is asked for from other threads
        elapsed = timedelta(seconds=self.clock.monotonic() - set_s)
        return utc_of(self.clock.utc()), set_to + elapsed

    def _set(self, wall: datetime, monotonic_s: float) -> None:
        self._set_at = utc_of(wall), monotonic_s


def utc_of(moment: datetime) -> datetime:
    """The same moment in UTC; without a time zone it is UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
