"""The card of an agent: what it is, what it earned on episodes nobody tuned on, where it breaks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.bench import statistics
from bwalloc.bench.compare import CLAIRVOYANT, compare
from bwalloc.bench.players import RULES
from bwalloc.bench.summary import summarise
from bwalloc.bench.tasks import scenario_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bwalloc.bench.compare import Comparison, Progress
    from bwalloc.serve import Manifest

EPISODES = 40
"""Test episodes of the published scores."""
WORSE = 0.02
"""Share of the best rule's money by which a shift may be lost before the card warns of it."""
ORDERING = "two-bar"
"""The rule whose gate orders go through."""
SHOWN = 6
"""Allocators in the table, from the best; the agent stands in it wherever it came."""


@dataclass(frozen=True, slots=True)
class ShiftScore:
    """Money under one shift, USD per hour; `gain` over the rule that is best under it, paired."""

    name: str
    episodes: int
    agent: float
    rule: str
    best: float
    gain: statistics.Interval

    @property
    def is_lost(self) -> bool:
        """Whether the agent is worse than the best rule by more than `WORSE`."""
        return self.gain.mean < -WORSE * abs(self.best)


@dataclass(frozen=True)
class Scores:
    """What an agent earned: the result of a comparison on the test split, and every shift."""

    agent: str
    result: dict[str, Any]
    shifts: Sequence[ShiftScore]


def scores_of(
    agent: Path,
    env: str,
    *,
    episodes: int = EPISODES,
    jobs: int = 1,
    bound: bool = True,
    envs: Path | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Play a bundle beside all classical rules on the test split, beside the best of them on ood.

    Args:
        agent: folder of the bundle.
        env: the environment.
        episodes: of the test split; every shift gets a quarter as many, at least 2.
        jobs: processes.
        bound: prove a bound of every episode of the test split, as in `compare`.
        envs: a folder with environments of your own.
        progress: as in `compare`.

    Raises:
        KeyboardInterrupt: Ctrl-C; a card is of whole comparisons.
    """
    name = f"{agent}/"
    told: dict[str, Any] = {"jobs": jobs, "progress": progress, "envs": envs}
    rules = [rule for rule in RULES if bound or rule != CLAIRVOYANT]
    options = {"split": "test", "episodes": episodes, "bound": bound}
    played = _finished(compare(env, allocators=[*rules, name], **options, **told))
    test = summarise(played)
    names = [shift.name for shift in scenario_of(played.setting).workload.shifts]
    shifts: list[ShiftScore] = []
    if names:
        count = max(2, episodes // 4) * len(names)
        options = {"split": "ood", "episodes": count, "bound": False}
        ood = compare(env, allocators=[*_best_rules(test), name], **options, **told)
        result = summarise(_finished(ood))
        shifts = [_shift(result, name, shift, row, len(names)) for row, shift in enumerate(names)]
    return Scores(name, test, shifts)


def _best_rules(result: dict[str, Any]) -> list[str]:
    """The rules that earned most."""
    rows = result["allocators"]
    rules = [name for name, row in rows.items() if row["kind"] == "classical"]
    return sorted(rules, key=lambda name: -rows[name]["net_usd_per_h"]["mean"])[:SHOWN]


def _finished(comparison: Comparison) -> Comparison:
    if comparison.interrupted:
        raise KeyboardInterrupt
    return comparison


def card_text(
    manifest: Manifest, scores: Scores | None, command: str, variety: Sequence[str] = ()
) -> str:
    """The card, Markdown.

    Args:
        manifest: of the bundle.
        scores: what it earned; None if nothing was played.
        command: what exported it.
        variety: what training episodes differed in from those of the environment, a text each.
    """
    made = manifest.training
    lines = [
        f"# {manifest.name}",
        "",
        f"Decides rates for `{manifest.environment}`; a correction of the tuned rule `forecast`.",
        f"It fits any network (`{manifest.network}`), and is measured on this one only.",
        "",
        "## Scores",
        "",
        *(_scores(scores, variety) if scores else ["Not measured: exported with `--episodes 0`."]),
        "",
        "## How it was made",
        "",
        f"- Algorithm `{made.algorithm}`, seed {made.seed}, {made.steps:,} intervals of single "
        f"episodes, {made.seconds / 60:.1f} minutes on {made.hardware or 'an unknown machine'}.",
        "- Trained on the train split, chosen on the validation split; the test and ood splits "
        "score it and chose nothing of it.",
        *_varied(variety),
        f"- Trained by `{made.command or 'unknown'}`, exported by `{command}`.",
        f"- Commit `{made.commit or 'unknown'}`; "
        + ", ".join(f"{name} {version}" for name, version in sorted(made.versions.items()))
        + ".",
        "",
        "## Limits",
        "",
        "- What it does on other networks and workloads is not measured; compare before use: "
        "`bwalloc compare ENV --allocators AGENT,constant,forecast,guarantee`.",
        f"- {_orders(manifest)}",
        "- Rates never exceed a link, whatever the network answers: `decode` is part of it.",
        *_warnings(scores),
    ]
    return "\n".join(lines) + "\n"


def _orders(manifest: Manifest) -> str:
    if not manifest.spans:
        return "It decides rates only; it orders no capacity."
    if ORDERING not in manifest.tuned:  # a bundle carries it where its environment sells capacity
        return "It learned rates only: its environment sells no capacity."
    return f"It orders capacity where some is sold, behind the gate of `{ORDERING}`."


def _varied(variety: Sequence[str]) -> list[str]:
    if not variety:
        return []
    listed = "; ".join(variety)
    return [f"- Training episodes took turns between these, and nothing else was varied: {listed}."]


def _scores(scores: Scores, variety: Sequence[str]) -> list[str]:
    result = scores.result
    rows = result["allocators"]
    ranked = sorted(rows, key=lambda name: -rows[name]["net_usd_per_h"]["mean"])
    played = [name for name in ranked if rows[name]["kind"] != "reference"]
    shown = [name for place, name in enumerate(played) if place < SHOWN or name == scores.agent]
    bound = result["bound"]["net_usd_per_h"]
    is_proven = math.isfinite(bound["mean"])
    titles = ["allocator", "net $/h", *["regret"] * is_proven, "gain over the best rule, $/h"]
    table = [titles, ["---"] * len(titles)]
    if is_proven:
        table.append(["bound", _range(bound, ".2f"), "0", ""])
    for name in shown:
        row = rows[name]
        title = "**this agent**" if name == scores.agent else f"`{name}`"
        gain = _range(row["gain_over_best_classical_usd_per_h"], "+.2f")
        regret = [_range(row["regret"], ".3f")] if is_proven else []
        table.append([title, _range(row["net_usd_per_h"], ".2f"), *regret, gain])
    lines = [
        f"{result['episodes']} episodes of the {result['split']} split, 95 % intervals over "
        "episodes, gains paired by episode.",
        "",
        *(f"| {' | '.join(cells)} |" for cells in table),
    ]
    if not scores.shifts:
        return lines
    seen = "; training varied its episodes too, see below" if variety else ", never trained on"
    lines += [
        "",
        f"Shifts of the `ood` split{seen}. The best rule is the best under the shift of the "
        f"{SHOWN} that are best on the test split.",
        "",
        "| shift | episodes | agent, $/h | best rule | its $/h | gain, $/h |",
        "|---|---|---|---|---|---|",
    ]
    for shift in scores.shifts:
        gain = f"{shift.gain.mean:+.2f} ({shift.gain.lo:+.2f} to {shift.gain.hi:+.2f})"
        lines.append(
            f"| {shift.name} | {shift.episodes} | {shift.agent:.2f} | `{shift.rule}` "
            f"| {shift.best:.2f} | {gain} |"
        )
    return lines


def _warnings(scores: Scores | None) -> list[str]:
    lost = [shift for shift in scores.shifts if shift.is_lost] if scores else []
    return [
        f"- Under `{shift.name}` it earns {-shift.gain.mean:.2f} $/h less than `{shift.rule}`; "
        "watch the features that leave the range of the train split, and fall back to the rule."
        for shift in lost
    ]


def _range(interval: dict[str, float], form: str) -> str:
    mean, low, high = (format(interval[key], form) for key in ("mean", "lo", "hi"))
    return f"{mean} ({low} to {high})"


def _shift(result: dict[str, Any], agent: str, shift: str, row: int, count: int) -> ShiftScore:
    """Episode `seed` of the ood split has shift `seed % count`."""
    chosen = [one for one in result["episode_results"] if one["seed"] % count == row]
    kinds = {name: entry["kind"] for name, entry in result["allocators"].items()}
    money = {
        name: np.array([one["net_usd_per_h"][name] for one in chosen])
        for name, kind in kinds.items()
        if kind == "classical" or name == agent
    }
    mine = money.pop(agent)
    rule = max(money, key=lambda name: float(money[name].mean()))
    gain = statistics.paired_gain(mine, money[rule])
    return ShiftScore(shift, len(chosen), float(mine.mean()), rule, float(money[rule].mean()), gain)
