"""What packets and the simulator agree on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from bwalloc.bench.testbed.testbed import Trial
    from bwalloc.sim.play import Played

Form: TypeAlias = Literal["plain", "enforced", "late"]
"""A form of the simulator; see `Simulated`."""
NEAR = 0.03
LEAST_PAIRS = 3
LEAST_DECISIONS = 60
LEAST_REPETITIONS = 3
WIRE_NEAR = 0.10


@dataclass(frozen=True, slots=True)
class Pair:
    """Two allocators: how much more the first earns than the second, in USD per hour.

    `standard_error` is that of the difference on packets; a pair is told apart if the gap of the
    simulator is more than twice as large.
    """

    first: str
    second: str
    simulated: float
    packets: float
    standard_error: float

    @property
    def is_told_apart(self) -> bool:
        """Whether packets could contradict the simulator."""
        return abs(self.simulated) > 2 * self.standard_error

    @property
    def agrees(self) -> bool:
        """Same order on packets."""
        return self.simulated * self.packets > 0


def usd_per_h(testbed: Trial, name: str) -> np.ndarray:
    """Money on packets, (repetitions,)."""
    hours = testbed.scenario.timing.counted_h
    return np.array([each.books.net_usd for each in testbed.measured[name]]) / hours


def simulated(testbed: Trial, name: str, form: Form) -> Played:
    """An allocator in one form of the simulator."""
    played: Played | None = getattr(testbed.simulated[name], form)
    assert played is not None
    return played


def pairs(testbed: Trial, form: Form = "plain") -> list[Pair]:
    """All pairs of allocators that were played on packets."""
    hours, found = testbed.scenario.timing.counted_h, list[Pair]()
    for first, second in combinations(testbed.measured, 2):
        ours = [simulated(testbed, name, form) for name in (first, second)]
        one, other = usd_per_h(testbed, first), usd_per_h(testbed, second)
        variances = [
            each.var(ddof=1) / len(each) if len(each) > 1 else np.inf for each in (one, other)
        ]
        less = float(ours[0].net_usd[0] - ours[1].net_usd[0]) / hours
        gap = float(one.mean() - other.mean())
        found.append(Pair(first, second, less, gap, float(np.sqrt(sum(variances)))))
    return found


def served_gaps(testbed: Trial, form: Form = "plain") -> dict[str, float]:
    """Served share on packets, less that of the simulator, by allocator."""
    gaps: dict[str, float] = {}
    for name, runs in testbed.measured.items():
        played = simulated(testbed, name, form)
        share = float(played.served_gbit.sum() / played.offered_gbit.sum())
        gaps[name] = float(np.mean([run.books.served_share for run in runs])) - share
    return gaps


def verdict(testbed: Trial) -> dict[str, Any]:
    """Each target, what was found, and whether it holds.

    The simulator plays with what the plane makes of rates; `..._plain` compares with it as it is,
    `..._late` with the parameters `[enforcement]` alone, the time of updates among them.
    """
    ratios = [run.wire_over_set for runs in testbed.measured.values() for run in runs]
    wire = np.concatenate(ratios) if ratios else np.zeros(0)
    median = float(np.median(wire)) if len(wire) else float("nan")
    decisions = testbed.scenario.timing.intervals
    repetitions = min((len(runs) for runs in testbed.measured.values()), default=0)
    return {
        "decisions": _target(decisions, decisions >= LEAST_DECISIONS, "at least 60 a run"),
        "repetitions": _target(repetitions, repetitions >= LEAST_REPETITIONS, "at least 3"),
        **_agreement(testbed, "enforced", suffix=""),
        **_agreement(testbed, "plain", suffix="_plain"),
        **_agreement(testbed, "late", suffix="_late"),
        "wire": _target(median, abs(median - 1) <= WIRE_NEAR, "median within 10 % of the set rate"),
    }


def _agreement(testbed: Trial, form: Form, suffix: str) -> dict[str, dict[str, Any]]:
    """Targets that compare with one form of the simulator."""
    told = [pair for pair in pairs(testbed, form) if pair.is_told_apart]
    wrong = [f"{pair.first} / {pair.second}" for pair in told if not pair.agrees]
    gaps = served_gaps(testbed, form)
    largest = max(map(abs, gaps.values()), default=float("nan"))
    return {
        f"pairs{suffix}": _target(
            len(told), len(told) >= LEAST_PAIRS, "at least 3 gaps over 2 standard errors"
        ),
        f"ranking{suffix}": _target(
            wrong, not wrong and bool(told), "every such pair in the same order"
        ),
        f"served{suffix}": _target(largest, largest <= NEAR, "within 0.03 of the simulator"),
    }


def all_pairs(testbed: Trial) -> list[dict[str, Any]]:
    """For a document: every pair beside all forms of the simulator."""
    rows: list[dict[str, Any]] = []
    forms: tuple[Form, ...] = ("plain", "enforced", "late")
    for plain, enforced, late in zip(*(pairs(testbed, form) for form in forms), strict=True):
        row = {**asdict(plain), "is_told_apart": plain.is_told_apart, "agrees": plain.agrees}
        other = {"simulated_with_plane": enforced.simulated, "simulated_late": late.simulated}
        rows.append({**row, **other})
    return rows


def _target(found: Any, holds: bool, target: str) -> dict[str, Any]:
    return {"target": target, "found": found, "holds": bool(holds)}
