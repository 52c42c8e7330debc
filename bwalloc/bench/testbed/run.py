"""One allocator in the loop of one run: read, decide, apply, once an interval, on real packets."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate.session import RuleSession
from bwalloc.bench.testbed.crew import Crew, made_crew
from bwalloc.bench.testbed.folding import fold
from bwalloc.bench.testbed.spaces import made_spaces
from bwalloc.bench.testbed.telemetry import Sight
from bwalloc.bench.testbed.wiring import plane_file, wire
from bwalloc.bench.testbed.work import limits_s, sending
from bwalloc.errors import PlaneError
from bwalloc.serve.planes.htb.plane import HtbPlane
from bwalloc.sim import Episodes, Simulator
from bwalloc.sim.telemetry import telemetry_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bwalloc.allocate import Rule
    from bwalloc.bench.testbed.wiring import Scale
    from bwalloc.control import Decision, Telemetry
    from bwalloc.scenario import Scenario, World
    from bwalloc.serve.planes.htb.layout import Layout
    from bwalloc.serve.planes.htb.table import Table

SETTLE_S = 0.5
"""Before the first substep; what is on its way at the end gets as long."""


@dataclass(slots=True)
class Run:
    """What happened: decisions, what each step of the loop took, and the books of the endpoints.

    `spent_s` has read, decide and apply of each interval. `layout` is that of the plane, `tables`
    what was in force from each interval on, `received` the bytes that came out in it (demands,
    tunnels), `pressed` the least that waited at the end of any of its substeps (demands,).
    """

    rates_gbps: list[np.ndarray] = field(default_factory=list[np.ndarray])
    spent_s: list[tuple[float, float, float]] = field(
        default_factory=list[tuple[float, float, float]]
    )
    layout: Layout | None = None
    tables: list[Table] = field(default_factory=list["Table"])
    received: list[np.ndarray] = field(default_factory=list[np.ndarray])
    pressed: list[np.ndarray] = field(default_factory=list[np.ndarray])
    books: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    notes: list[str] = field(default_factory=list[str])
    late: int = 0


def play_packets(
    scenario: Scenario,
    world: World,
    rule: Rule,
    scale: Scale,
    tell: Callable[[int], None] = lambda _: None,
) -> Run:
    """Build the testbed, play an episode under one rule, take everything away again.

    Raises:
        PlaneError: It cannot be built, or a part of it failed.
    """
    network = scenario.network
    home = fold(network)
    nothing = np.zeros(network.tunnels.exists.shape)
    with made_spaces(int(home.max()) + 1) as spaces:
        wire(network, home, spaces)
        with made_crew(spaces.names) as crew:
            file = plane_file(network, home, spaces, scale)
            _listen(crew, scenario, home, scale)
            plane = HtbPlane(network, file, nothing)
            try:
                loop = _Loop(scenario, world, rule, scale, crew, plane, home)
                loop.connect()
                return loop.play(tell)
            finally:
                plane.remove()


def _listen(crew: Crew, scenario: Scenario, home: np.ndarray, scale: Scale) -> None:
    """Let all endpoints listen before any connects."""
    network, timing = scenario.network, scenario.timing
    words: dict[int, dict[str, Any]] = {
        space: {
            "do": "listen",
            "substep_s": timing.substep_s / scale.time,
            "substeps": timing.intervals * timing.substeps,
            "limits": {},
            "by_arrival": np.flatnonzero(network.law.is_curved).tolist(),
        }
        for space in range(int(home.max()) + 1)
    }
    for demand in range(network.n_demands):
        at = int(home[network.demands.target[demand]])
        words[at]["limits"][demand] = limits_s(network, scale, demand)
    crew.ask(words)


class _Loop:
    def __init__(
        self,
        scenario: Scenario,
        world: World,
        rule: Rule,
        scale: Scale,
        crew: Crew,
        plane: HtbPlane,
        home: np.ndarray,
    ) -> None:
        self.scenario, self.world, self.scale = scenario, world, scale
        self.crew, self.plane = crew, plane
        self.home = home[scenario.network.demands.source]
        self.session = RuleSession("testbed", scenario.network, rule)
        self.sight = Sight(scenario, world, scale)
        self.period_s = scenario.timing.interval_s / scale.time
        self.found = Run(layout=plane.layout)

    def connect(self) -> None:
        """Open the sockets of all tunnels, with what they will send."""
        words: dict[int, dict[str, Any]] = {}
        for demand, space in enumerate(self.home.tolist()):
            said = words.setdefault(space, {"do": "connect", "demands": []})
            said["demands"].append(sending(self.scenario, self.world, self.scale, demand))
        self.crew.ask(words)

    def play(self, tell: Callable[[int], None]) -> Run:
        """All intervals; a decision before each."""
        self._decide(self._first())
        begin_s = time.monotonic() + SETTLE_S
        self.crew.ask_all("begin", at_s=begin_s)
        self.plane.read()
        for interval in range(1, self.scenario.timing.intervals):
            self._wait(begin_s + interval * self.period_s)
            self._turn(interval)
            tell(interval)
        self._wait(begin_s + self.scenario.timing.intervals * self.period_s + SETTLE_S)
        self.found.books = self.crew.ask_all("books")
        return self.found

    def _first(self) -> Telemetry:
        simulator, episodes = Simulator(self.scenario), Episodes([self.world])
        readings = simulator.first_readings(simulator.start(1), episodes)
        return telemetry_of(self.scenario.network, readings)

    def _turn(self, interval: int) -> None:
        begun_s = time.monotonic()
        reports = self.crew.ask_all("report")
        measured = self.plane.read()
        seen = self.sight(measured, reports, interval)
        self._remember(reports)
        read_s = time.monotonic() - begun_s
        self._decide(seen, read_s)
        if time.monotonic() - begun_s > self.period_s:
            self.found.late += 1

    def _decide(self, seen: Telemetry, read_s: float | None = None) -> None:
        begun_s = time.monotonic()
        decision = self.session.decide(seen)
        decided_s = time.monotonic()
        self._steer(decision)
        try:
            self.plane.apply(decision)
        except PlaneError as error:
            self.found.notes.append(f"apply: {error}")
        applied_s = time.monotonic()
        self.found.notes += [
            f"{note.word}: {note.text}"
            for note in self.plane.notes()
            if note.word not in ("built", "adopted")
        ]
        self.found.rates_gbps.append(decision.rates_gbps)
        self.found.tables.append(self.plane.table)
        if read_s is not None:
            spent = (read_s, decided_s - begun_s, applied_s - decided_s)
            self.found.spent_s.append(spent)

    def _steer(self, decision: Decision) -> None:
        """Tell the sources which share of their work each tunnel takes."""
        exists = self.scenario.network.tunnels.exists
        words: dict[int, dict[str, Any]] = {}
        for demand, space in enumerate(self.home.tolist()):
            rates = decision.rates_gbps[demand, : int(exists[demand].sum())]
            total = float(rates.sum())
            even = [1.0 / len(rates)] * len(rates)
            shares = (rates / total).tolist() if total > 0 else even
            words.setdefault(space, {"do": "shares", "shares": {}})["shares"][demand] = shares
        self.crew.ask(words)

    def _remember(self, reports: Mapping[int, Mapping[str, Any]]) -> None:
        """For the comparison of wire rates with set rates."""
        network = self.scenario.network
        received = np.zeros((network.n_demands, network.n_tunnels))
        pressed = np.zeros(network.n_demands)
        for report in reports.values():
            for row, tunnels in report["served"].items():
                for tunnel, work in tunnels.items():
                    received[int(row), int(tunnel)] = work
            for row, each in report["demands"].items():
                pressed[int(row)] = each["pressed"]
        self.found.received.append(received)
        self.found.pressed.append(pressed)

    def _wait(self, until_s: float) -> None:
        time.sleep(max(0.0, until_s - time.monotonic()))
