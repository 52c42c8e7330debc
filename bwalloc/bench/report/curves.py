"""Geometry of the time series: offered and served rates, small multiples on shared scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bwalloc.bench.report.figures import share, tick_label, ticks
from bwalloc.bench.report.records import Panel, TimeSeries

WIDTH, HEIGHT = 300.0, 100.0
MAX_POINTS = 240
"""More points than pixels only make the file large; they are averaged."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One small multiple; paths fill a box of `WIDTH` by `HEIGHT`."""

    panel: Panel
    offered: str
    offered_area: str
    served_area: str
    top: str
    served_share: str


@dataclass(frozen=True, slots=True)
class PlotRow:
    """The plots of one class; all of them end at the same rate."""

    traffic_class: str
    plots: list[Plot]


@dataclass(frozen=True, slots=True)
class Curves:
    """All plots, and the times under them as percent of the width and label."""

    rows: list[PlotRow]
    marks: list[tuple[float, str]]
    unit: str
    unit_name: str
    max_points: int = MAX_POINTS


def curves(series: TimeSeries) -> Curves:
    """Small multiples: one row for every class, one plot for every allocator."""
    classes = dict.fromkeys(panel.traffic_class for panel in series.panels)
    rows = [_row(name, [p for p in series.panels if p.traffic_class == name]) for name in classes]
    is_long = series.hours[-1] - series.hours[0] > 3.0
    per_hour, unit, unit_name = (1.0, "h", "the hours") if is_long else (60.0, "min", "the minutes")
    first, last = series.hours[0] * per_hour, series.hours[-1] * per_hour
    span = (last - first) or 1.0
    marks = [(100.0 * (tick - first) / span, tick_label(tick)) for tick in ticks(first, last, 6)]
    return Curves(rows, marks, unit, unit_name)


def _row(name: str, panels: list[Panel]) -> PlotRow:
    drawn = [(p, _averaged(p.offered_gbps), _averaged(p.served_gbps)) for p in panels]
    largest = max((float(max(o.max(), s.max())) for _, o, s in drawn), default=0.0)
    top = _round_up(largest)
    return PlotRow(name, [_plot(*each, top) for each in drawn])


def _plot(panel: Panel, offered: np.ndarray, served: np.ndarray, top: float) -> Plot:
    line, total = _path(offered, top), sum(panel.offered_gbps)
    part = share(min(sum(panel.served_gbps) / total, 1.0) if total else None)
    areas = [f"{path}L{WIDTH:g} {HEIGHT:g}L0 {HEIGHT:g}Z" for path in (line, _path(served, top))]
    return Plot(panel, line, areas[0], areas[1], tick_label(top), part)


def _averaged(values: Sequence[float]) -> np.ndarray:
    parts = np.array_split(np.asarray(values, np.float64), min(len(values), MAX_POINTS))
    return np.array([part.mean() for part in parts])


def _round_up(value: float) -> float:
    if value <= 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    steps = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
    return float(next(power * step for step in steps if power * step >= value * 0.9999))


def _path(values: np.ndarray, top: float) -> str:
    xs = np.linspace(0.0, WIDTH, len(values)) if len(values) > 1 else np.array([0.0])
    ys = HEIGHT * (1.0 - np.clip(values / top, 0.0, 1.0))
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True))
