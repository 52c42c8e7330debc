"""Allocators on real packets and in the simulator: the same scenario, the same world."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.bench.players import LEGACY, make_player, players
from bwalloc.bench.tasks import Setting, history_of, scenario_of
from bwalloc.bench.testbed.books import Books, books_of
from bwalloc.bench.testbed.effects import enforcement_of, latency_s
from bwalloc.bench.testbed.enforced import EnforcedRule
from bwalloc.bench.testbed.folding import fold
from bwalloc.bench.testbed.needs import require
from bwalloc.bench.testbed.run import Run, play_packets
from bwalloc.bench.testbed.saturation import wire_over_set
from bwalloc.bench.testbed.spaces import Spaces
from bwalloc.bench.testbed.wiring import Scale, plane_file
from bwalloc.bench.testbed.work import shortened
from bwalloc.errors import BwallocError
from bwalloc.scenario import draw_world
from bwalloc.serve import agents_for
from bwalloc.sim.play import Played, play

if TYPE_CHECKING:
    from bwalloc.allocate import Rule
    from bwalloc.scenario import Scenario, World
    from bwalloc.scenario.enforcement import Enforcement
    from bwalloc.serve.planes import PlaneFile

DEFAULT = ("static", "max-min", "forecast", "guarantee")
WARMUP = 6
"""Intervals that are played but not counted, as in the environments."""
MOST_MBPS = 60.0
"""Mean load of all demands together, which two cores carry beside other work."""
LARGEST_RATE = 1e-3
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to play: `seconds` of counted packets per run, by the clock of this machine."""

    env: str
    allocators: tuple[str, ...] = ()
    time_scale: float = 10.0
    seconds: float = 60.0
    repetitions: int = 3
    seed: int = 0
    split: str = "test"
    envs: Path | None = None


@dataclass(frozen=True, slots=True)
class Simulated:
    """An allocator in the simulator.

    Attributes:
        plain: as the environment is.
        enforced: with the table of rates and the buckets of the plane.
        late: with the parameters `enforcement` in its scenario, and nothing else: buckets, least
            rate, and the time that updates took on packets; None until that is known.
    """

    plain: Played
    enforced: Played
    late: Played | None = None
    enforcement: Enforcement | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One run on packets: books, milliseconds of read, decide and apply, wire over set rates."""

    books: Books
    spent_ms: np.ndarray
    wire_over_set: np.ndarray
    late: int
    notes: tuple[str, ...]


@dataclass(slots=True)
class Trial:
    """What was played; `measured` has one entry per repetition that was finished."""

    wanted: Wanted
    names: list[str]
    scenario: Scenario
    world: World
    scale: Scale
    home: np.ndarray
    simulated: dict[str, Simulated] = field(default_factory=dict[str, Simulated])
    measured: dict[str, list[Measured]] = field(default_factory=dict[str, "list[Measured]"])
    interrupted: bool = False

    @property
    def spaces(self) -> dict[int, list[str]]:
        """Sites by namespace."""
        found: dict[int, list[str]] = {}
        for site, space in enumerate(self.home.tolist()):
            found.setdefault(space, []).append(self.scenario.network.sites.name[site])
        return dict(sorted(found.items()))


def prepare(wanted: Wanted) -> Trial:
    """Check everything that can be checked before anything is built.

    Raises:
        PlaneError: The kernel or the rights do not allow a testbed.
        BwallocError: Numbers that make no sense, or an environment that packets cannot play.
        UnknownNameError: There is no such environment or allocator.
    """
    _check_numbers(wanted)
    setting = Setting(wanted.env, wanted.split, 1, wanted.seed, envs=wanted.envs)
    whole = scenario_of(setting, wanted.seed)
    _check_playable(whole)
    names = _names(wanted, whole)
    require()
    period_s = whole.timing.interval_s / wanted.time_scale
    counted = max(1, round(wanted.seconds / period_s))
    room = whole.timing.intervals - WARMUP
    if counted > room:
        msg = f"--seconds {wanted.seconds:g}: an episode has {room} intervals to count; at most "
        raise BwallocError(msg + f"{room * period_s:g}.")
    world = draw_world(whole, wanted.split, wanted.seed)
    scenario, world = shortened(whole, world, counted, WARMUP)
    scale = Scale(rate_scale(scenario, world), wanted.time_scale)
    return Trial(wanted, names, scenario, world, scale, fold(scenario.network))


def play_all(testbed: Trial, progress: Progress = lambda *_: None) -> None:
    """Everything, the simulator first; Ctrl-C ends it and leaves what is finished."""
    whole = _whole(testbed)
    total = len(testbed.names) * testbed.wanted.repetitions
    try:
        for name in testbed.names:
            testbed.simulated[name] = simulate(testbed, _player(whole, name))
        for done in range(total):
            repetition, at = divmod(done, len(testbed.names))
            name = testbed.names[at]
            progress(f"{name}, {repetition + 1} of {testbed.wanted.repetitions}", done, total)
            found = measure(testbed, _player(whole, name))
            testbed.measured.setdefault(name, []).append(found)
    except KeyboardInterrupt:
        testbed.interrupted = True
    for name in testbed.measured:
        testbed.simulated[name] = simulate_late(testbed, name, _player(whole, name))


def simulate(testbed: Trial, rule: Rule) -> Simulated:
    """One allocator in the simulator."""
    scenario, worlds, file = testbed.scenario, [testbed.world], _file(testbed)
    plain = play(scenario, rule, worlds)
    # Least rates are in the table.
    buckets = replace(enforcement_of(scenario, file, testbed.scale), least_gbps=0.0)
    table = EnforcedRule(rule, scenario.network, file)
    return Simulated(plain, play(replace(scenario, enforcement=buckets), table, worlds))


def simulate_late(testbed: Trial, name: str, rule: Rule) -> Simulated:
    """What was simulated of an allocator, and what the times of its runs make of it."""
    scenario, runs = testbed.scenario, testbed.measured[name]
    late_s = latency_s(scenario, [run.spent_ms for run in runs], testbed.scale)
    law = enforcement_of(scenario, _file(testbed), testbed.scale)
    law = replace(law, update_latency_s=late_s)
    late = play(replace(scenario, enforcement=law), rule, [testbed.world])
    return replace(testbed.simulated[name], late=late, enforcement=law)


def _file(testbed: Trial) -> PlaneFile:
    """The plane, over interfaces that are nowhere."""
    count = int(testbed.home.max()) + 1
    nowhere = Spaces(tuple(f"n{number}" for number in range(count)), Path("/nowhere"))
    return plane_file(testbed.scenario.network, testbed.home, nowhere, testbed.scale)


def measure(testbed: Trial, rule: Rule) -> Measured:
    """One allocator, once, on packets."""
    scenario, scale = testbed.scenario, testbed.scale
    run: Run = play_packets(scenario, testbed.world, rule, scale)
    return Measured(
        books=books_of(scenario, testbed.world, run, scale),
        spent_ms=1e3 * np.array(run.spent_s),
        wire_over_set=wire_over_set(scenario, run, scenario.timing.interval_s / scale.time),
        late=run.late,
        notes=tuple(run.notes),
    )


def rate_scale(scenario: Scenario, world: World) -> float:
    """Bit/s for each of the network: 1, 2 or 5 times a power of ten, so that the load is small."""
    seconds = scenario.timing.intervals * scenario.timing.interval_s
    gbit = float(world.arrivals_gbit.sum())
    gbit += 0.0 if world.jobs_gbit is None else float(world.jobs_gbit.sum())
    most = MOST_MBPS / 1e3 / max(gbit / seconds, 1e-9)
    power = 10.0 ** math.floor(math.log10(most))
    fitting = max(step * power for step in (1.0, 2.0, 5.0) if step * power <= most * (1 + 1e-9))
    return min(fitting, LARGEST_RATE)


def _whole(testbed: Trial) -> Scenario:
    """The scenario in its full length: what rules are made from does not change with --seconds."""
    wanted = testbed.wanted
    setting = Setting(wanted.env, wanted.split, 1, wanted.seed, envs=wanted.envs)
    return scenario_of(setting, wanted.seed)


def _player(whole: Scenario, name: str) -> Rule:
    return make_player(name, whole, lambda: history_of(whole))


def _names(wanted: Wanted, scenario: Scenario) -> list[str]:
    chosen: Sequence[str] = wanted.allocators or (*DEFAULT, *agents_for(scenario.id))
    known = players(chosen, scenario.id)
    return [name for name in known if name != LEGACY or LEGACY in chosen]


def _check_numbers(wanted: Wanted) -> None:
    numbers = {
        "--time-scale": wanted.time_scale,
        "--seconds": wanted.seconds,
        "--repetitions": wanted.repetitions,
    }
    for option, value in numbers.items():
        if not (math.isfinite(value) and value > 0):
            msg = f"{option} {value:g}: expected a number above 0."
            raise BwallocError(msg)
    if wanted.seed < 0:
        msg = f"--seed {wanted.seed}: expected 0 or more."
        raise BwallocError(msg)


def _check_playable(scenario: Scenario) -> None:
    """Packets play rates; what else there may be is refused rather than left out."""
    network = scenario.network
    reasons = {
        "groups of GPUs that stall": bool(len(network.groups.name)),
        "capacity on order": network.offers is not None,
        "links that fail": scenario.failures is not None,
    }
    found = [what for what, is_there in reasons.items() if is_there]
    if found:
        msg = (
            f"'{scenario.slug}' has {' and '.join(found)}, which the testbed does not play yet; "
            "choose metro-inference or tiny-edge."
        )
        raise BwallocError(msg)
