"""How long service takes to come back after a link failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.scenario.outages import known_gbps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bwalloc.scenario import Scenario, World
    from bwalloc.sim.simulator import Step

BEFORE = 6
"""Intervals before a failure that say what service was like."""
GOOD = 0.95
"""Share of that level from which service counts as back."""


@dataclass(frozen=True, slots=True)
class Strike:
    """A loss of capacity that nobody could count with: interval, second of the episode, links."""

    interval: int
    at_s: float
    rows: np.ndarray


def strikes_of(scenario: Scenario, world: World) -> list[Strike]:
    """The failures of an episode; links that fail in one interval count as one."""
    if world.outages is None:
        return []
    timing, since = scenario.timing, world.outages.since
    lost = world.capacity_gbps < known_gbps(world) * (1 - 1e-6)
    strikes: list[Strike] = []
    for interval in np.flatnonzero(lost.any(1)).tolist():
        rows = np.flatnonzero(lost[interval])
        at_s = interval * timing.interval_s + int(since[interval, rows].min()) * timing.substep_s
        strikes.append(Strike(interval, at_s, rows))
    return strikes


class RecoveryLog:
    """Notes the service of every demand, and which demands each failure struck.

    Service is attainment: of the work that ended in an interval, the share served within its delay
    budget. A failure is over for its demands (those with rates across it) at the begin of two
    good intervals in a row: their service is at least `GOOD` of what it was before.
    """

    def __init__(self, scenario: Scenario, worlds: Sequence[World]) -> None:
        """Nothing noted yet."""
        network, self.timing = scenario.network, scenario.timing
        shape = (self.timing.intervals, network.n_demands, len(worlds))
        self.attained, self.ended = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.is_waiting = np.zeros(shape, bool)
        self.crosses = np.zeros((len(network.flat_hops), network.n_links + 1), bool)
        np.put_along_axis(self.crosses, network.flat_hops, values=True, axis=1)
        self.shape = network.tunnels.exists.shape
        self.struck: list[tuple[int, Strike, np.ndarray]] = []
        self.coming: dict[int, list[tuple[int, Strike]]] = {}
        for column, world in enumerate(worlds):
            for strike in strikes_of(scenario, world):
                self.coming.setdefault(strike.interval, []).append((column, strike))

    def add(self, interval: int, rates_gbps: np.ndarray, step: Step) -> None:
        """Note an interval and the rates that were decided for it."""
        flows = step.flows
        self.attained[interval] = flows.attained_gbit
        self.ended[interval] = flows.served_gbit + flows.expired_gbit
        self.is_waiting[interval] = step.state.queued_gbit.sum(1) > WAITING_GBIT
        if interval < self.timing.warmup_intervals:
            return
        for column, strike in self.coming.get(interval, ()):
            crosses = self.crosses[:, strike.rows].any(1).reshape(self.shape)
            hit = (crosses & (rates_gbps[:, :, column] > WAITING_GBIT)).any(1)
            self.struck.append((column, strike, np.flatnonzero(hit)))

    def close(self) -> np.ndarray:
        """Seconds to recover from each failure that struck a demand which was served before.

        Where service did not come back, what was left of the episode.
        """
        spans = [self._recovery_s(*each) for each in self.struck]
        return np.array([span for span in spans if span is not None], float)

    def _recovery_s(self, column: int, strike: Strike, rows: np.ndarray) -> float | None:
        first = max(strike.interval - BEFORE, 0)
        attained = self.attained[first:, rows, column].sum(1, dtype=np.float64)
        ended = self.ended[first:, rows, column].sum(1, dtype=np.float64)
        past = strike.interval - first
        if ended[:past].sum() <= WAITING_GBIT or attained[:past].sum() <= WAITING_GBIT:
            return None
        level = attained[:past].sum() / ended[:past].sum()
        idle = ~self.is_waiting[strike.interval :, rows, column].any(1)
        attained, ended = attained[past:], ended[past:]
        good = np.where(ended > WAITING_GBIT, attained >= GOOD * level * ended, idle)
        twice = good & np.append(good[1:], True)
        over = int(twice.argmax()) if twice.any() else len(good)
        begin_s = (strike.interval + over) * self.timing.interval_s
        return max(begin_s - strike.at_s, 0.0)


WAITING_GBIT = 1e-4
