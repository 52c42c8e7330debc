"""What a whole decision costs beside the inference in it, contestants taking turns in one loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate import make_rule
from bwalloc.allocate.session import RuleSession
from bwalloc.bench.decide_network import sized_network
from bwalloc.bench.decide_runtimes import bare_onnxruntime
from bwalloc.bench.decide_telemetry import records, simulated
from bwalloc.bench.tasks import history_of
from bwalloc.observe import no_history, read_telemetry
from bwalloc.serve import Limits, ReplayClock
from bwalloc.serve.policy.runtime import NumpyRuntime
from bwalloc.serve.policy.session import PolicySession

if TYPE_CHECKING:
    from bwalloc.control import Telemetry
    from bwalloc.network import Network
    from bwalloc.scenario import Scenario
    from bwalloc.serve import Bundle
    from bwalloc.serve.policy.runtime import Given

SIZES = ((100, 40), (1_000, 100), (10_000, 500))
WHOLE, WHOLE_ONNX, BARE, BARE_NUMPY = (
    "decide", "decide, onnxruntime", "onnxruntime alone", "NumPy alone",
)  # fmt: skip
"""The whole decision with the runtime that is faster there, and with onnxruntime; the inference."""
MAX_MIN = "max-min"
RULES = (MAX_MIN, "last-value-lp", "stochastic-lp")
WARM = 5
"""Turns before any is counted."""
FEWEST = 20
"""Turns on the largest networks."""
USUAL = 1_000
"""Demands up to which all turns are taken; fewer in proportion beyond."""
LIMITS = Limits(largest_step_gbps=5.0, least_change=0.02, decide_within_s=60.0)
"""What decisions are held to, so that the guard has work to do; no answer is dropped as late."""
Decides = Callable[["Telemetry", "Given"], Any]
"""A contestant: takes the record, or the inputs that were made of it."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of one decision.

    Attributes:
        network, demands, links: what was decided for.
        who: what decided.
        decisions: how many were timed.
        p50_ms, p99_ms: median and 99th percentile, by the clock.
        cpu_p50_ms: median of the time of all threads, which others on the machine hardly change.
        times_bare: p50 over that of `BARE` in the same loop.
        cpu_times_bare: the same of `cpu_p50_ms`.
        fallbacks: decisions that did not come from the policy, though a policy was asked.
    """

    network: str
    demands: int
    links: int
    who: str
    decisions: int
    p50_ms: float
    p99_ms: float
    cpu_p50_ms: float
    times_bare: float
    cpu_times_bare: float
    fallbacks: int = 0


@dataclass
class Race:
    """Contestants on one network; closes what it opened."""

    bundle: Bundle
    network: Network
    contestants: dict[str, Decides] = field(default_factory=dict[str, Decides])
    fallbacks: dict[str, int] = field(default_factory=dict[str, int])
    _open: ExitStack = field(default_factory=ExitStack)

    def add_policy(self) -> Race:
        """Whole decisions, and bare inferences."""
        bare, plain = bare_onnxruntime(self.bundle), NumpyRuntime(self.bundle, self.network)
        self._whole(WHOLE, "auto")
        self._whole(WHOLE_ONNX, "onnx")
        self.contestants[BARE] = lambda _, given: bare(given)
        self.contestants[BARE_NUMPY] = lambda _, given: plain(given)
        return self

    def add_rule(self, name: str, rule: Any) -> Race:
        """A classical allocator behind the same protocol, its rates held to the same limits."""
        session = RuleSession(name, self.network, rule, limits=LIMITS)
        self.contestants[name] = lambda record, _: session.decide(record)
        return self

    def run(self, telemetry: Iterable[Telemetry]) -> list[Latency]:
        """Every record goes to every contestant; who comes first changes from turn to turn."""
        with self._open:
            spent = self._spent(telemetry)
        middle = {name: np.median(taken, 0) for name, taken in spent.items()}
        bare = middle[BARE]
        return [
            Latency(
                network=self.network.name,
                demands=self.network.n_demands,
                links=self.network.n_links,
                who=name,
                decisions=len(taken),
                p50_ms=float(middle[name][0]),
                p99_ms=float(np.quantile([wall for wall, _ in taken], 0.99)),
                cpu_p50_ms=float(middle[name][1]),
                times_bare=float(middle[name][0] / bare[0]),
                cpu_times_bare=float(middle[name][1] / bare[1]),
                fallbacks=self.fallbacks.get(name, 0),
            )
            for name, taken in spent.items()
        ]

    def _whole(self, name: str, runtime: Any) -> None:
        bound = self.bundle.bind(self.network, LIMITS, runtime=runtime, clock=ReplayClock())
        supervisor = self._open.enter_context(bound)
        self.fallbacks[name] = 0

        def decide(record: Telemetry, _: Given) -> None:
            self.fallbacks[name] += supervisor.decide(record).source != "policy"

        self.contestants[name] = decide

    def _spent(self, telemetry: Iterable[Telemetry]) -> dict[str, list[tuple[float, float]]]:
        """Milliseconds by the clock and of all threads, by name."""
        names = list(self.contestants)
        spent: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for turn, (record, given) in enumerate(self._with_inputs(telemetry)):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                cpu, begun = time.process_time(), time.perf_counter()
                self.contestants[name](record, given)
                taken = time.perf_counter() - begun, time.process_time() - cpu
                if turn >= WARM:
                    spent[name].append((1e3 * taken[0], 1e3 * taken[1]))
        return spent

    def _with_inputs(self, telemetry: Iterable[Telemetry]) -> Iterator[tuple[Telemetry, Given]]:
        """Each record, and the inputs of a decision upon it; all rates before were NumPy's."""
        session = PolicySession(self.network, self.bundle.policy)
        runtime = NumpyRuntime(self.bundle, self.network)
        rates = np.zeros(self.network.tunnels.exists.shape, np.float32)
        for record in telemetry:
            session.push(read_telemetry(self.network, record))
            given = session.inputs(rates)
            rates = runtime(given).rates_gbps
            yield record, {name: np.ascontiguousarray(part) for name, part in given.items()}


def turns_of(demands: int, decisions: int) -> int:
    """How many decisions are timed on a network of that size, where small ones get `decisions`."""
    return max(min(FEWEST, decisions), min(decisions, decisions * USUAL // demands))


def sized_latency(bundle: Bundle, demands: int, links: int, decisions: int) -> list[Latency]:
    """A network of a size: the policy and `max-min`."""
    network = sized_network(demands, links)
    race = Race(bundle, network).add_policy()
    race.add_rule(MAX_MIN, make_rule(MAX_MIN, network, no_history(demands), {}))
    return race.run(records(network, WARM + turns_of(demands, decisions)))


def scenario_latency(bundle: Bundle, scenario: Scenario, decisions: int) -> list[Latency]:
    """A simulated network of the size that linear programmes still follow: all of them, warm."""
    network, history = scenario.network, history_of(scenario)
    race = Race(bundle, network).add_policy()
    for name in RULES:
        race.add_rule(name, make_rule(name, network, history, scenario.tuned))
    return race.run(simulated(scenario, WARM + decisions))
