"""The document of `bwalloc bench decide`: parity, latency and footprint of an exported policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import Any

from bwalloc.bench.decide_footprint import Footprint, footprints
from bwalloc.bench.decide_latency import SIZES as LATENCY_SIZES
from bwalloc.bench.decide_latency import WHOLE, WHOLE_ONNX, Latency
from bwalloc.bench.decide_parity import GRID, Parity
from bwalloc.bench.decide_process import in_fresh_process
from bwalloc.serve.bundles.golden import TOLERANCE

SECTIONS = ("parity", "latency", "footprint")
MOST_TIMES_BARE = 2.0
"""What a whole decision may cost, in bare inferences of onnxruntime, at `TARGET_DEMANDS`."""
TARGET_DEMANDS = 1_000
PARITY = """
from dataclasses import asdict
from bwalloc.bench.decide_parity import parities
from bwalloc.bench.decide_runtimes import Runtimes
from bwalloc.serve import load_bundle
agent, grid = given
print(json.dumps([asdict(each) for each in parities(Runtimes(load_bundle(agent)), grid)]))
"""
LATENCY = """
from dataclasses import asdict
from bwalloc.bench.decide_latency import scenario_latency, sized_latency
from bwalloc.scenario import load_scenario
from bwalloc.serve import load_bundle
agent, env, size, decisions = given
bundle = load_bundle(agent)
found = (
    sized_latency(bundle, *size, decisions)
    if size else scenario_latency(bundle, load_scenario(env), decisions)
)
print(json.dumps([asdict(each) for each in found]))
"""


@dataclass
class Decided:
    """What was found; sections that were not asked for are empty."""

    parity: list[Parity] = field(default_factory=list[Parity])
    latency: list[Latency] = field(default_factory=list[Latency])
    latency_without_numba: list[Latency] = field(default_factory=list[Latency])
    footprint: list[Footprint] = field(default_factory=list[Footprint])

    @property
    def is_alike(self) -> bool:
        """Whether the runtimes decide alike, wherever they were compared."""
        return all(each.is_right for each in self.parity)

    @property
    def held_to_target(self) -> dict[str, Latency]:
        """Whole decisions at `TARGET_DEMANDS`, by what they are called."""
        loops = {"": self.latency, ", without numba": self.latency_without_numba}
        return {
            each.who + suffix: each
            for suffix, rows in loops.items()
            for each in rows
            if each.demands == TARGET_DEMANDS and each.who in (WHOLE, WHOLE_ONNX)
        }

    @property
    def is_met(self) -> bool:
        """Whether parity and the cost of a decision are what they should be."""
        return self.is_alike and all(map(is_cheap, self.held_to_target.values()))

    def document(self) -> dict[str, Any]:
        """As JSON takes it, with the targets."""
        targets = {
            "largest_difference": TOLERANCE,
            "times_bare": MOST_TIMES_BARE,
            "at_demands": TARGET_DEMANDS,
        }
        return {"targets": targets, "met": self.is_met, **asdict(self)}


def is_cheap(each: Latency) -> bool:
    """Whether a whole decision, and each time the policy's, costs at most what it may."""
    return each.times_bare <= MOST_TIMES_BARE and not each.fallbacks


def measure_decisions(
    agent: str,
    env: str,
    sections: Iterable[str],
    *,
    decisions: int,
    most_demands: int,
    told: Callable[[str], None] = lambda _: None,
) -> Decided:
    """Measure sections one after another.

    Args:
        agent: name or place of a bundle.
        env: environment for the linear programmes and the footprint.
        sections: of `SECTIONS`.
        decisions: timed on networks of up to 1,000 demands.
        most_demands: networks with more are left out.
        told: hears what comes next.

    Raises:
        BwallocError: A measurement failed.
    """
    found = Decided()
    if "parity" in sections:
        told("parity")
        found.parity.extend(_parities(agent, most_demands))
    if "latency" in sections:
        for size in [None, *(each for each in LATENCY_SIZES if each[0] <= most_demands)]:
            told(f"latency, {f'{size[0]:,} demands' if size else env}")
            found.latency.extend(_latencies(agent, env, size, decisions))
        for size in LATENCY_SIZES if find_spec("numba") else ():
            if size[0] <= min(most_demands, TARGET_DEMANDS):
                told(f"latency without numba, {size[0]:,} demands")
                found.latency_without_numba.extend(
                    _latencies(agent, env, size, decisions, without=("numba",))
                )
    if "footprint" in sections:
        told("footprint")
        found.footprint.extend(footprints(agent, env))
    return found


def _parities(agent: str, most_demands: int) -> list[Parity]:
    grid = [each for each in GRID if each[0] <= most_demands]
    return [Parity(**row) for row in in_fresh_process(PARITY, agent, grid)]


def _latencies(
    agent: str,
    env: str,
    size: tuple[int, int] | None,
    decisions: int,
    without: tuple[str, ...] = (),
) -> list[Latency]:
    rows = in_fresh_process(LATENCY, agent, env, size, decisions, without=without)
    return [Latency(**row) for row in rows]
