"""Geometry of the charts of a testbed, in percent of the width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bwalloc.bench.report.bars import Axis
from bwalloc.bench.report.figures import amount, amount_fixed
from bwalloc.bench.report.words import ALLOCATORS
from bwalloc.bench.testbed.page_words import gaps_of

MARGIN = 0.04
"""Of the axis, left free at both ends."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A row of a chart: packets as a dot with its spread (None: one run), the simulator as ticks.

    `plain` is the simulator as it is; None where that is not drawn.
    """

    name: str
    kind: str
    at: float
    whisker: tuple[float, float] | None
    simulated: float
    plain: float | None
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class DotChart:
    """Rows on one axis; `rule` is a vertical line, in percent, or None."""

    rows: list[Dot]
    axis: Axis
    rule: float | None


@dataclass(frozen=True, slots=True)
class LoopBar:
    """The loop under an allocator: bar to the median, whisker to the 99th percentile."""

    name: str
    kind: str
    width: float
    whisker: tuple[float, float]
    text: str


@dataclass(frozen=True, slots=True)
class LoopChart:
    """Bars on one axis; `rule` is where the interval ends, in percent."""

    rows: list[LoopBar]
    axis: Axis
    rule: float


def kind_of(name: str, winner: str) -> str:
    """Which colour an allocator has; what the catalogue of rules has not is an agent."""
    kind = "classical" if name in ALLOCATORS else "agent"
    return f"{kind} best" if name == winner else kind


def net_chart(found: Mapping[str, Any], ranked: list[str]) -> DotChart:
    """Money of each allocator on packets, beside both forms of the simulator."""
    rows = found["allocators"]
    values: list[float] = []
    for row in rows.values():
        mean, sd = _mean_sd(row["packets"]["net_usd_per_h"])
        values += [mean - sd, mean + sd]
        values += [row[side]["net_usd_per_h"] for side in ("simulator", "simulator_with_plane")]
    axis = _axis(values)
    return DotChart([_net_dot(rows[name], name, ranked[0], axis) for name in ranked], axis, None)


def _net_dot(row: Mapping[str, Any], name: str, winner: str, axis: Axis) -> Dot:
    mean, sd = _mean_sd(row["packets"]["net_usd_per_h"])
    simulated = row["simulator_with_plane"]["net_usd_per_h"]
    return Dot(
        name=name,
        kind=kind_of(name, winner),
        at=axis.at(mean),
        whisker=(axis.at(mean - sd), axis.at(mean + sd)) if sd else None,
        simulated=axis.at(simulated),
        plain=axis.at(row["simulator"]["net_usd_per_h"]),
        text=f"{amount_fixed(mean, 1)} $/h",
        note=f"{amount_fixed(simulated, 1)} simulated",
    )


def gap_chart(found: Mapping[str, Any]) -> DotChart | None:
    """The gap of each pair on packets, beside that of the simulator; None without pairs."""
    gaps = gaps_of(found)
    if not gaps:
        return None
    values = [0.0]
    for gap in gaps:
        reach = 2 * gap.error if math.isfinite(gap.error) else 0.0
        values += [gap.packets - reach, gap.packets + reach, gap.simulated]
    axis, rows = _axis(values), list[Dot]()
    for gap in gaps:
        reach = 2 * gap.error
        known = math.isfinite(reach)
        kind = "reference" if not gap.is_told_apart else "classical" if gap.agrees else "against"
        rows.append(
            Dot(
                name=f"{gap.first} over {gap.second}",
                kind=kind,
                at=axis.at(gap.packets),
                whisker=(axis.at(gap.packets - reach), axis.at(gap.packets + reach))
                if known
                else None,
                simulated=axis.at(gap.simulated),
                plain=None,
                text=f"{amount(gap.packets, signed=True)} $/h",
                note=f"{amount(gap.simulated, signed=True)} simulated",
            )
        )
    return DotChart(rows, axis, axis.at(0.0))


def loop_chart(found: Mapping[str, Any], ranked: list[str]) -> LoopChart | None:
    """How long the whole loop took under each allocator; None where nothing was timed."""
    interval_ms = 1e3 * found["interval_s"]
    times = {name: found["allocators"][name]["packets"]["loop_whole_ms"] for name in ranked}
    known = {name: each for name, each in times.items() if _is_number(each["p50"])}
    if not known:
        return None
    axis = Axis(0.0, 1.05 * max(interval_ms, *(each["p99"] for each in known.values())))
    rows = [
        LoopBar(
            name=name,
            kind=kind_of(name, ranked[0]),
            width=axis.at(each["p50"]),
            whisker=(axis.at(each["p50"]), axis.at(each["p99"])),
            text=f"{amount(each['p50'])} ms, p99 {amount(each['p99'])}",
        )
        for name, each in known.items()
    ]
    return LoopChart(rows, axis, axis.at(interval_ms))


def _mean_sd(spread: Mapping[str, Any]) -> tuple[float, float]:
    """Mean, and standard deviation; 0 where there was one run."""
    sd = spread["sd"]
    return spread["mean"], sd if _is_number(sd) else 0.0


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _axis(values: Iterable[float]) -> Axis:
    known = list(values)
    low, high = min(known), max(known)
    margin = MARGIN * (high - low) or 1.0
    return Axis(low - margin, high + margin)
