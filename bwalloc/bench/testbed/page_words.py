"""What a testbed found, in sentences computed from its numbers, and what the words mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bwalloc.bench.report.figures import amount, amount_fixed, counted, share
from bwalloc.bench.report.headline import Headline

WORDS = [
    (
        "packets",
        "Real TCP and UDP between network namespaces, shaped by the plane; the allocator reads, "
        "decides and applies once an interval, by the clock.",
    ),
    (
        "simulated",
        "The same episode in the simulator, with the rates that the plane puts in force (least "
        "rates, rounding, changes too small to make) and its bursts.",
    ),
    ("as it is", "The same episode in the simulator, which enforces every rate exactly."),
    (
        "late updates",
        "The same episode in the simulator, with least rates, bursts, and rates that come into "
        "force as late as they did on packets.",
    ),
    (
        "told apart",
        "A pair whose simulated gap is more than two standard errors of the gap on packets, so "
        "that packets could contradict it.",
    ),
    ("served", "Share of the work offered that was received, late or not."),
    ("SLO", "Share of the work offered that was received within its delay budget."),
    ("lost", "Share of the work offered that was sent and never arrived."),
    (
        "wire / set",
        "Wire rate of the pools that were saturated over the rate that was set, median over "
        "intervals; a dash where no pool was saturated for a whole interval.",
    ),
    (
        "loop",
        "Reading counters, deciding, and putting rates into force. Late: it took longer than the "
        "interval, and was applied all the same.",
    ),
]
TARGETS = {
    "decisions": "decisions in a run",
    "repetitions": "runs of each allocator",
    "pairs": "pairs told apart",
    "ranking": "order of those pairs",
    "served": "largest gap of shares served",
    "pairs_plain": "pairs told apart, simulator as it is",
    "ranking_plain": "order of those pairs, simulator as it is",
    "served_plain": "largest gap of shares served, simulator as it is",
    "pairs_late": "pairs told apart, simulator with late updates",
    "ranking_late": "order of those pairs, simulator with late updates",
    "served_late": "largest gap of shares served, simulator with late updates",
    "wire": "wire rate over set rate",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """How much more `first` earns than `second`, USD per hour; never below 0 in the simulator.

    `error` is the standard error of `packets`, infinite where there was one run.
    """

    first: str
    second: str
    simulated: float
    packets: float
    error: float

    @property
    def is_told_apart(self) -> bool:
        """Whether packets could contradict the simulator."""
        return self.simulated > 2 * self.error

    @property
    def agrees(self) -> bool:
        """Same order on packets."""
        return self.packets > 0


def gaps_of(found: Mapping[str, Any]) -> list[Gap]:
    """All pairs, the widest gap of the simulator (with the plane) first."""
    gaps: list[Gap] = []
    for pair in found["pairs"]:
        names, sign = (pair["first"], pair["second"]), 1.0
        if pair["simulated_with_plane"] < 0:
            names, sign = (pair["second"], pair["first"]), -1.0
        error = pair["standard_error"]
        gaps.append(
            Gap(
                *names,
                simulated=sign * pair["simulated_with_plane"],
                packets=sign * pair["packets"],
                error=math.inf if error is None else error,
            )
        )
    return sorted(gaps, key=lambda gap: -gap.simulated)


def headline_of(found: Mapping[str, Any], ranked: list[str]) -> Headline:
    """Who won, whether the order is the simulator's, what was lost, and what the loop cost."""
    others = [_ahead(found, ranked), _order(found), _served(found), _lost(found), _loop(found)]
    return Headline(_first(found, ranked), [text for text in others if text], _caveats(found))


def _first(found: Mapping[str, Any], ranked: list[str]) -> str:
    rows = found["allocators"]
    winner = ranked[0]
    simulated = max(ranked, key=lambda name: rows[name]["simulator_with_plane"]["net_usd_per_h"])
    if len(ranked) == 1:
        return f"{winner} earns {amount(net(found, winner))} $/h on packets."
    if simulated == winner:
        return f"{winner} earns the most on packets, as in the simulator."
    return f"{winner} earns the most on packets; in the simulator that is {simulated}."


def net(found: Mapping[str, Any], name: str) -> float:
    """USD per hour on packets, mean over runs."""
    return found["allocators"][name]["packets"]["net_usd_per_h"]["mean"]


def _ahead(found: Mapping[str, Any], ranked: list[str]) -> str:
    if len(ranked) < 2:
        return ""
    winner, other = ranked[:2]
    gap = net(found, winner) - net(found, other)
    error = next(
        (each.error for each in gaps_of(found) if {each.first, each.second} == {winner, other}),
        math.inf,
    )
    text = f"It earns {amount(net(found, winner))} $/h, {amount(gap)} more than {other}"
    return f"{text}." if gap > 2 * error else f"{text}: too close to call."


def _order(found: Mapping[str, Any]) -> str:
    gaps = gaps_of(found)
    told = [gap for gap in gaps if gap.is_told_apart]
    wrong = [f"{gap.first} over {gap.second}" for gap in told if not gap.agrees]
    if not gaps:
        return ""
    if not told:
        return "No pair of allocators can be told apart by so few runs."
    if wrong:
        return f"Packets contradict the simulator: it has {', '.join(wrong)}."
    whole = counted(len(gaps), "pair")
    return f"Of {whole} packets tell {len(told)} apart, all in the simulator's order."


def _served(found: Mapping[str, Any]) -> str:
    gap = max(abs(row["served_gap_with_plane"]) for row in found["allocators"].values())
    return f"Shares served agree with it within {amount_fixed(100 * gap, 1)} points."


def _lost(found: Mapping[str, Any]) -> str:
    lost, name = most_lost(found)
    if lost < 5e-5:
        return "No work was lost on the way."
    return f"At most {share(lost, 2)} of the work was lost on the way ({name})."


def most_lost(found: Mapping[str, Any]) -> tuple[float, str]:
    """The largest share of work that was sent and never arrived, and under which allocator."""
    rows = found["allocators"]
    return max((row["packets"]["lost_share"]["mean"], name) for name, row in rows.items())


def loop_range_ms(found: Mapping[str, Any]) -> tuple[float, float]:
    """Least and largest median of the whole loop."""
    medians = [row["packets"]["loop_whole_ms"]["p50"] for row in found["allocators"].values()]
    known = [each for each in medians if each is not None and math.isfinite(each)]
    return (min(known), max(known)) if known else (math.nan, math.nan)


def _loop(found: Mapping[str, Any]) -> str:
    ends = " to ".join(dict.fromkeys(amount(each) for each in loop_range_ms(found)))
    interval = amount(1e3 * found["interval_s"])
    return f"The loop took {ends} ms of each interval of {interval} ms (medians)."


def _caveats(found: Mapping[str, Any]) -> list[str]:
    caveats: list[str] = []
    if found["is_interrupted"]:
        caveats.append("The command was interrupted: runs that were not finished are left out.")
    if found["repetitions"] < 2:
        caveats.append("One run of each has no spread: nothing can be told apart.")
    missed = [target_name(name) for name, each in found["verdict"].items() if not each["holds"]]
    if missed:
        caveats.append(f"Targets missed: {', '.join(missed)}.")
    late = sum(row["packets"]["late_decisions"] for row in found["allocators"].values())
    if late:
        load = f"the load average of the machine was {amount(found['load_average'])}"
        verb = "was" if late == 1 else "were"
        text = f"{counted(late, 'decision')} took longer than the interval and {verb} applied late"
        caveats.append(f"{text}; {load} ({found['machine']}).")
    for name, row in found["allocators"].items():
        told = dict.fromkeys(note.partition(": ")[2] or note for note in row["packets"]["notes"])
        caveats += [f"In a run of {name}: {text}" for text in told]
    return caveats


def target_name(name: str) -> str:
    """What a target is about."""
    return TARGETS.get(name, name.replace("_", " "))


def target_found(value: Any) -> str:
    """What was found, for people."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "all as in the simulator"
    return amount_fixed(value, 3) if isinstance(value, float) else str(value)
