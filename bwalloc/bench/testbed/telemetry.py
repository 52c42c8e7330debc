"""What an allocator on the testbed sees: links from the plane, demands from the ingress agents."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.sim.dynamics import RECENT_S
from bwalloc.sim.telemetry import MONDAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bwalloc.bench.testbed.wiring import Scale
    from bwalloc.control import DemandTelemetry, Telemetry
    from bwalloc.scenario import Scenario, World


class Sight:
    """Puts together telemetry of one run.

    The plane sees what has joined the queues of classes: behind a cap that is no more than the
    cap. What wanted to be sent is known where it enters, so it is told by the endpoints, as the
    simulator tells it. The hour is that of the world.
    """

    def __init__(self, scenario: Scenario, world: World, scale: Scale) -> None:
        """Remember what to translate to."""
        self.scenario, self.start_h = scenario, world.start_h
        self.gbit = 1.0 / scale.bytes_per_gbit
        dt_s = scenario.timing.substep_s
        self.recent = min(scenario.timing.substeps, max(1, round(RECENT_S / dt_s)))

    def __call__(
        self, measured: Telemetry, reports: Mapping[int, Mapping[str, Any]], interval: int
    ) -> Telemetry:
        """The record before `interval`, from what the plane measured and the endpoints report."""
        hours = interval * self.scenario.timing.interval_s / 3600.0
        return replace(
            measured,
            interval_end=MONDAY + timedelta(hours=(self.start_h + hours) % 168.0),
            interval_s=self.scenario.timing.interval_s,
            demands=self._demands(measured.demands, reports),
        )

    def _demands(
        self, measured: DemandTelemetry, reports: Mapping[int, Mapping[str, Any]]
    ) -> DemandTelemetry:
        count, slots = self.scenario.network.n_demands, self.scenario.slots.count
        substeps, dt_s = self.scenario.timing.substeps, self.scenario.timing.substep_s
        arrived = np.zeros((count, substeps))
        queued, expired, served = np.zeros((count, slots)), np.zeros(count), np.zeros(count)
        for report in reports.values():
            for row, work in report["served"].items():
                served[int(row)] = sum(work.values())
            for row, each in report["demands"].items():
                new = each["offered"][-substeps:]
                arrived[int(row), substeps - len(new) :] = new
                expired[int(row)] = each["expired"]
                for slot, work in each["queued"].items():
                    queued[int(row), self._slot(int(row), int(slot))] += work
        load = arrived * (self.gbit / dt_s)
        return replace(
            measured,
            offered_gbps=load.mean(1),
            recent_gbps=load[:, -self.recent :].mean(1),
            peak_gbps=load.max(1),
            served_gbit=served * self.gbit,
            expired_gbit=expired * self.gbit,
            queued_gbit=queued * self.gbit,
        )

    def _slot(self, demand: int, substeps_left: int) -> int:
        width = int(self.scenario.slots.width_substeps[demand])
        if not width:
            return 0
        return min(max(substeps_left // width, 0), self.scenario.slots.count - 1)
