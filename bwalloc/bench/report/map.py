"""Geometry of the network drawing: every direction of a link keeps to its right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from bwalloc.bench.report.figures import amount, share
from bwalloc.bench.report.labels import labels
from bwalloc.bench.report.records import LinkLine, NetworkDrawing, SitePoint

WIDTH, MAX_HEIGHT = 600.0, 560.0
MARGIN_X, MARGIN_Y = 94.0, 44.0
MIN_LINE, MAX_LINE = 2.5, 11.0
STEPS = (0.1, 0.25, 0.5, 0.75, 0.95)
"""Where the colour of a link changes."""
MANY_SITES = 20
"""From here on a map takes the whole width, and its labels shrink in proportion."""
LISTED = 8
"""How many links are listed beside the maps, the fullest first."""


@dataclass(frozen=True, slots=True)
class Node:
    """A site on the page, and where its label stands."""

    x: float
    y: float
    label_x: float
    label_y: float
    anchor: str
    site: SitePoint


@dataclass(frozen=True, slots=True)
class Line:
    """A link on the page under one allocator; `level` is the row of its colour."""

    ends: tuple[float, float, float, float]
    width: float
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Busy:
    """A link of the list: percent used, level of colour and text, by allocator."""

    name: str
    capacity: str
    used: list[tuple[float, int, str]]


@dataclass(frozen=True, slots=True)
class Map:
    """The drawing: one list of lines for every allocator shown, on the same places."""

    height: float
    nodes: list[Node]
    views: list[tuple[str, list[Line]]]
    levels: list[str]
    busiest: list[Busy]
    is_wide: bool
    episodes: str


def network_map(drawing: NetworkDrawing) -> Map:
    """Places sites and links on the page."""
    points, height = _placed(drawing)
    unit = _unit(drawing)
    texts = labels([site.name for site in drawing.sites], points, (WIDTH, height), unit)
    nodes = [
        Node(round(x, 1), round(y, 1), *text, site)
        for site, (x, y), text in zip(drawing.sites, points, texts, strict=True)
    ]
    names = list(drawing.links[0].utilisation) if drawing.links else []
    views = [(name, _lines(drawing, name, points, unit)) for name in names]
    return Map(
        height, nodes, views, _levels(), _busiest(drawing, names), unit < 1.0, drawing.episodes
    )


def _levels() -> list[str]:
    edges = [f"{100 * step:.0f}" for step in STEPS]
    between = [f"{a}\N{EN DASH}{b} %" for a, b in pairwise(edges)]
    return [f"below {edges[0]} %", *between, f"{edges[-1]} % or more"]


def _unit(drawing: NetworkDrawing) -> float:
    """Size of labels and symbols: a map of many sites is drawn large, and they smaller on it."""
    return 1.0 if len(drawing.sites) <= MANY_SITES else 0.6


def _placed(drawing: NetworkDrawing) -> tuple[list[tuple[float, float]], float]:
    xs, ys = [site.x for site in drawing.sites], [site.y for site in drawing.sites]
    wide, tall = max(max(xs) - min(xs), 1e-9), max(max(ys) - min(ys), 1e-9)
    unit = min((WIDTH - 2 * MARGIN_X) / wide, (MAX_HEIGHT - 2 * MARGIN_Y) / tall)
    height = round(unit * tall + 2 * MARGIN_Y, 1) if tall > 1e-6 else 2 * MARGIN_Y
    left = (WIDTH - unit * wide) / 2
    top = (height - unit * tall) / 2
    pairs = zip(xs, ys, strict=True)
    points = [(left + unit * (x - min(xs)), top + unit * (max(ys) - y)) for x, y in pairs]
    return points, height


def _lines(
    drawing: NetworkDrawing, name: str, points: list[tuple[float, float]], unit: float
) -> list[Line]:
    largest = max((link.capacity_gbps for link in drawing.links), default=1.0) or 1.0
    lines = []
    for link in drawing.links:
        part = math.sqrt(max(link.capacity_gbps, 0.0) / largest)
        width = unit * (MIN_LINE + (MAX_LINE - MIN_LINE) * part)
        ends = _ends(points[link.source], points[link.target], width)
        used = link.utilisation.get(name, math.nan)
        text = f"{_ways(drawing, link)}: {share(used)} of {amount(link.capacity_gbps)} Gbit/s"
        lines.append(Line(ends, round(width, 1), _level(used), text))
    return sorted(lines, key=lambda line: line.level)


def _ends(
    one: tuple[float, float], other: tuple[float, float], width: float
) -> tuple[float, float, float, float]:
    (x1, y1), (x2, y2) = one, other
    aside = (width / 2 + 0.75) / (math.hypot(x2 - x1, y2 - y1) or 1.0)
    dx, dy = -(y2 - y1) * aside, (x2 - x1) * aside
    return round(x1 + dx, 1), round(y1 + dy, 1), round(x2 + dx, 1), round(y2 + dy, 1)


def _busiest(drawing: NetworkDrawing, names: list[str]) -> list[Busy]:
    ranked = sorted(
        drawing.links, key=lambda link: -max(_number(used) for used in link.utilisation.values())
    )
    return [
        Busy(
            _ways(drawing, link),
            amount(link.capacity_gbps),
            [_used(link.utilisation.get(name, math.nan)) for name in names],
        )
        for link in ranked[:LISTED]
    ]


def _used(used: float) -> tuple[float, int, str]:
    return round(100.0 * min(_number(used), 1.0), 1), _level(used), share(used)


def _number(used: float) -> float:
    return used if math.isfinite(used) else 0.0


def _level(used: float) -> int:
    return sum(used >= step for step in STEPS)


def _ways(drawing: NetworkDrawing, link: LinkLine) -> str:
    return f"{drawing.sites[link.source].name} to {drawing.sites[link.target].name}"
