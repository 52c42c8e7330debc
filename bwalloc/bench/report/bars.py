"""Geometry of the bar charts, in percent of the width, so that they fit any screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bwalloc.bench.report.figures import amount, amount_fixed, tick_label, ticks
from bwalloc.bench.report.records import LEGACY, AllocatorRow, EnvReport
from bwalloc.bench.statistics import Interval
from bwalloc.money import COSTS, TERMS

MAX_REGRET = 2.0
"""Where the axis ends; what lies beyond is cut, and its number still stands beside its name."""

MISSED = "missed"
"""The piece of a bar that is no term of the money: what the bound has more."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale on 0 to 100 percent."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Percent of the width, cut at the ends."""
        part = (value - self.low) / (self.high - self.low)
        return round(100.0 * min(max(part, 0.0), 1.0), 3)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Positions and labels."""
        return [(self.at(value), tick_label(value)) for value in ticks(self.low, self.high)]


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a bar; `term` is empty where the bar is one piece."""

    term: str
    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a chart: its pieces, a mark, and an interval around the mark (or None).

    `missed` is what the bound has over it, as text.
    """

    row: AllocatorRow
    segments: list[Segment]
    mark: float
    whisker: tuple[float, float] | None
    text: str
    is_cut: bool = False
    missed: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars on one axis; `rules` are the vertical lines: position and name."""

    bars: list[Bar]
    axis: Axis
    rules: list[tuple[float, str]]
    terms: list[str]


def regret_chart(env: EnvReport) -> Chart:
    """Regret with intervals; 0 is the bound, 1 legacy."""
    rows = [row for row in env.ranked if math.isfinite(row.regret.mean)]
    ends = [end for row in rows for end in (row.regret.lo, row.regret.hi) if math.isfinite(end)]
    axis = Axis(min(0.0, *ends, 0.0), min(max(1.05, *ends, 1.05), MAX_REGRET))
    bars = [_regret_bar(row, axis) for row in rows]
    return Chart(bars, axis, [(axis.at(0.0), "bound"), (axis.at(1.0), LEGACY)], [])


def _regret_bar(row: AllocatorRow, axis: Axis) -> Bar:
    regret = row.regret
    ends = sorted((axis.at(0.0), axis.at(regret.mean)))
    text = f"{amount_fixed(regret.mean, 3)}"
    piece = Segment("", ends[0], ends[1] - ends[0], f"{row.name}: regret {_range(regret)}")
    is_cut = regret.mean > axis.high
    return Bar(row, [piece], axis.at(regret.mean), _whisker(regret, axis), text, is_cut)


def _whisker(interval: Interval, axis: Axis) -> tuple[float, float] | None:
    if not (math.isfinite(interval.lo) and math.isfinite(interval.hi)):
        return None
    return axis.at(interval.lo), axis.at(interval.hi)


def _range(interval: Interval) -> str:
    low, high = amount_fixed(interval.lo, 3), amount_fixed(interval.hi, 3)
    return f"{amount_fixed(interval.mean, 3)} (95 %: {low} to {high})"


def money_chart(env: EnvReport) -> Chart | None:
    """Delivered value to the right of zero, every cost to the left; None without terms."""
    rows = [row for row in env.ranked if row.money_usd_per_h]
    if not rows:
        return None
    low = min(-_costs(row) for row in rows)
    bound = env.bound_usd_per_h.mean
    high = max(row.money_usd_per_h.get("delivered", 0.0) + _missed(row, bound) for row in rows)
    axis = Axis(low, max(high, low + 1e-9))
    terms = [term for term in TERMS if any(row.money_usd_per_h.get(term, 0.0) for row in rows)]
    return Chart([_money_bar(row, axis, bound) for row in rows], axis, [], terms)


def _missed(row: AllocatorRow, bound: float) -> float:
    """What the bound has over an allocator, USD per hour; zero where no bound is known."""
    return max(bound - row.net_usd_per_h.mean, 0.0) if math.isfinite(bound) else 0.0


def _costs(row: AllocatorRow) -> float:
    return sum(row.money_usd_per_h.get(term, 0.0) for term in COSTS)


def _money_bar(row: AllocatorRow, axis: Axis, bound: float) -> Bar:
    delivered, missed = row.money_usd_per_h.get("delivered", 0.0), _missed(row, bound)
    end = delivered + missed
    segments = [
        _segment("delivered", 0.0, delivered, delivered, axis),
        _segment(MISSED, delivered, end, missed, axis),
    ]
    edge = 0.0
    for term in COSTS:
        cost = row.money_usd_per_h.get(term, 0.0)
        segments.append(_segment(term, edge - cost, edge, -cost, axis))
        edge -= cost
    net = row.net_usd_per_h
    text = f"{amount(net.mean)} $/h"
    drawn = [segment for segment in segments if segment.width > 0.0]
    return Bar(row, drawn, axis.at(net.mean), None, text, missed=amount(missed) if missed else "")


def _segment(term: str, start: float, end: float, value: float, axis: Axis) -> Segment:
    left, right = axis.at(start), axis.at(end)
    name = "left to the bound" if term == MISSED else term
    return Segment(term, left, round(right - left, 3), f"{name}: {amount(value, signed=True)} $/h")


def summary_of(bars: Sequence[Bar]) -> str:
    """A chart in one line, for those who cannot see it."""
    return "; ".join(f"{bar.row.name} {bar.text}" for bar in bars)
