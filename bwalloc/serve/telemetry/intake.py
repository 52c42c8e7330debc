"""Telemetry taken in: is it of now, can it be true, and what is known after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.control import Telemetry
from bwalloc.observe import Readings, hour_of_week
from bwalloc.observe.readings import read_announced
from bwalloc.observe.works import under_works
from bwalloc.serve.reasons import reason
from bwalloc.serve.telemetry.capacities import Capacities, LinkReport
from bwalloc.serve.telemetry.freshness import Freshness, utc_of
from bwalloc.serve.telemetry.loads import AbsurdLoadsError, Loads
from bwalloc.serve.telemetry.spans import SpanReader

if TYPE_CHECKING:
    from bwalloc.allocate.limits import Limits, Times
    from bwalloc.network import Network
    from bwalloc.serve.clock import Clock

LONGEST = 2.0
"""Factor by which a record's interval may differ from the network's."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What one record, or none, leaves known.

    Attributes:
        readings: what to decide upon; None where the record is not good.
        capacity_gbps: what the decision is held to, float64 (links,).
        carried_gbps: (links,), or None.
        interval_end: of the record in UTC; None where it has none.
        is_new: it was not decided upon before.
        reasons: what is wrong, mended or remarkable.
    """

    readings: Readings | None
    capacity_gbps: np.ndarray
    carried_gbps: np.ndarray | None
    interval_end: datetime | None
    is_new: bool
    reasons: tuple[str, ...]


def _check_calendar(end: datetime, interval_s: float) -> None:
    """Refuse the last moments of the calendar, to which nothing can be added.

    Raises:
        OverflowError: The interval after `end` does not end.
    """
    _ = end + timedelta(seconds=LONGEST * interval_s)


class Receiver:
    """Takes in the telemetry of one network."""

    def __init__(
        self,
        network: Network,
        limits: Limits,
        times: Times,
        clock: Clock,
        static_gbps: np.ndarray,
    ) -> None:
        """Nothing came yet; `static_gbps` (demands,) are loads of demands never measured."""
        self.network, self.clock = network, clock
        self.freshness = Freshness(times, clock)
        self.loads = Loads(network, limits, times, static_gbps)
        self.capacities = Capacities(network, limits, times)
        self.spans = SpanReader(network)

    def reset(self) -> None:
        """Forget what came."""
        self.freshness.reset()
        self.loads.reset()
        self.capacities.reset()
        self.spans.reset()

    def inherit(self, other: Receiver, rows: np.ndarray) -> None:
        """Go on from the receiver of the network before, by name.

        Args:
            other: of that network.
            rows: where each demand stands there, -1 for one it has not.
        """
        self.freshness = other.freshness
        self.freshness.times = self.loads.times
        self.loads.inherit(other.loads, rows)
        self.capacities.inherit(other.capacities)
        self.spans.inherit(other.spans)

    def take(self, telemetry: Telemetry | None) -> Intake:
        """What is known now; raises nothing, whatever came."""
        if not isinstance(telemetry, Telemetry):
            detail = "" if telemetry is None else f"got {type(telemetry).__name__}"
            return self._refused(None, None, (reason("telemetry-missing", detail),))
        report, end = None, None
        try:
            end = utc_of(telemetry.interval_end)
            _check_calendar(end, self.network.interval_s)
            self.clock.follow(end)
            judged = self.freshness.judge(end)
            report = self.capacities.report(telemetry.links)
            faults = judged.faults or self._faults(telemetry) or report.faults
            if faults:
                return self._refused(report, end, (*faults, *judged.remarks))
            return self._taken(telemetry, report, end, judged.remarks)
        except AbsurdLoadsError as error:
            return self._refused(report, end, (str(error),))
        except Exception as error:  # a record made around the checks of its class
            detail = f"{type(error).__name__}"
            return self._refused(report, end, (reason("telemetry-unreadable", detail),))

    def _taken(
        self,
        telemetry: Telemetry,
        report: LinkReport,
        end: datetime,
        remarks: tuple[str, ...],
    ) -> Intake:
        now_s = self.clock.monotonic()
        columns, mended = self.loads.read(telemetry.demands, now_s)
        capacity = self.capacities.learn(report, now_s)
        spans, unread = self.spans.read(telemetry.spans)
        reasons = (*remarks, *mended, *report.reasons, *unread)
        if telemetry.maintenance:
            until = end + timedelta(seconds=telemetry.interval_s)
            names, windows = self.network.links.name, telemetry.maintenance
            left = under_works(capacity, names, windows, end, until)
            touched, capacity = int((left < capacity).sum()), left
            reasons += (reason("maintenance", touched),) if touched else ()
        readings = Readings(
            **{name: values[..., None] for name, values in columns.items()},
            capacity_gbps=capacity.astype(np.float32)[:, None],
            carried_gbps=report.carried_gbps.astype(np.float32)[:, None],
            hour_of_week=np.array([hour_of_week(end)]),
            **spans,
            **read_announced(self.network, capacity, telemetry.maintenance, end),
        )
        is_new = end != self.freshness.newest
        self.freshness.accept(end)
        return Intake(readings, capacity, report.carried_gbps, end, is_new, reasons)

    def _refused(
        self, report: LinkReport | None, end: datetime | None, reasons: tuple[str, ...]
    ) -> Intake:
        capacity = self.capacities.without(report, self.clock.monotonic())
        carried = None if report is None else report.carried_gbps
        return Intake(None, capacity, carried, end, True, reasons)

    def _faults(self, telemetry: Telemetry) -> tuple[str, ...]:
        ratio = telemetry.interval_s / self.network.interval_s
        if not 1 / LONGEST < ratio < LONGEST:
            text = f"{telemetry.interval_s:g} s, the network's is {self.network.interval_s:g} s"
            return (reason("telemetry-interval", text),)
        for kind, index, names in (
            ("demands", self.loads.index, telemetry.demands.name),
            ("links", self.capacities.index, telemetry.links.name),
        ):
            if index.find(names).rows.max(initial=-1) < 0 and index.wanted:
                return (reason("telemetry-foreign", f"none of the network's {kind}"),)
        return ()
