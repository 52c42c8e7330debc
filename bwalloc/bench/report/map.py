"""Geometry of the network drawing: every direction of a link keeps to its right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from bwalloc.bench.report.figures import amount, share
from bwalloc.bench.report.records import LinkLine, NetworkDrawing, SitePoint

WIDTH, MAX_HEIGHT, MARGIN = 600.0, 560.0, 62.0
MIN_LINE, MAX_LINE = 2.0, 11.0
STEPS = (0.25, 0.5, 0.75, 0.95)
"""Where the colour of a link changes."""


@dataclass(frozen=True, slots=True)
class Node:
    """A site on the page; its label hangs on the side away from the middle."""

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
class Map:
    """The drawing: one list of lines for every tab."""

    height: float
    nodes: list[Node]
    tabs: list[tuple[str, list[Line]]]
    levels: list[str]


def network_map(drawing: NetworkDrawing) -> Map:
    """Places sites and links on the page."""
    points, height = _placed(drawing)
    middle = (WIDTH / 2, height / 2)
    nodes = [_node(site, point, middle) for site, point in zip(drawing.sites, points, strict=True)]
    names = list(drawing.links[0].utilisation) if drawing.links else []
    tabs = [(name, _lines(drawing, name, points)) for name in names]
    edges = [f"{100 * step:.0f}" for step in STEPS]
    between = [f"{a}\N{EN DASH}{b} %" for a, b in pairwise(edges)]
    return Map(height, nodes, tabs, [f"below {edges[0]} %", *between, f"{edges[-1]} % or more"])


def _placed(drawing: NetworkDrawing) -> tuple[list[tuple[float, float]], float]:
    xs, ys = [site.x for site in drawing.sites], [site.y for site in drawing.sites]
    wide, tall = max(max(xs) - min(xs), 1e-9), max(max(ys) - min(ys), 1e-9)
    unit = min((WIDTH - 2 * MARGIN) / wide, (MAX_HEIGHT - 2 * MARGIN) / tall)
    height = round(unit * tall + 2 * MARGIN, 1) if tall > 1e-6 else 2 * MARGIN
    left = (WIDTH - unit * wide) / 2
    top = (height - unit * tall) / 2
    pairs = zip(xs, ys, strict=True)
    points = [(left + unit * (x - min(xs)), top + unit * (max(ys) - y)) for x, y in pairs]
    return points, height


def _node(site: SitePoint, point: tuple[float, float], middle: tuple[float, float]) -> Node:
    """Outer sites carry their label outside, so that no link runs through it."""
    x, y = point
    across, down = x - middle[0], y - middle[1]
    away = math.hypot(across, down) or 1.0
    anchor = "middle" if abs(across) < 0.75 * away or away < 90 else "outer"
    if anchor == "outer":
        side = math.copysign(15.0, across)
        room = WIDTH - x if side > 0 else x
        if room > 15.0 + 9.0 * len(site.name):
            return _at(site, x, y, (side, 5.0), "start" if side > 0 else "end")
    return _at(site, x, y, (0.0, 30.0 if down > 1.0 else -18.0), "middle")


def _at(site: SitePoint, x: float, y: float, shift: tuple[float, float], anchor: str) -> Node:
    label = (round(x + shift[0], 1), round(y + shift[1], 1))
    return Node(round(x, 1), round(y, 1), *label, anchor, site)


def _lines(drawing: NetworkDrawing, name: str, points: list[tuple[float, float]]) -> list[Line]:
    largest = max((link.capacity_gbps for link in drawing.links), default=1.0) or 1.0
    lines = [_line(drawing, link, name, points, largest) for link in drawing.links]
    return sorted(lines, key=lambda line: line.level)


def _line(
    drawing: NetworkDrawing,
    link: LinkLine,
    name: str,
    points: list[tuple[float, float]],
    largest: float,
) -> Line:
    width = MIN_LINE + (MAX_LINE - MIN_LINE) * math.sqrt(max(link.capacity_gbps, 0.0) / largest)
    (x1, y1), (x2, y2) = points[link.source], points[link.target]
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    aside = (width / 2 + 1.0) / length
    dx, dy = -(y2 - y1) * aside, (x2 - x1) * aside
    ends = (round(x1 + dx, 1), round(y1 + dy, 1), round(x2 + dx, 1), round(y2 + dy, 1))
    used = link.utilisation.get(name, math.nan)
    ways = f"{drawing.sites[link.source].name} to {drawing.sites[link.target].name}"
    text = f"{ways}: {share(used)} of {amount(link.capacity_gbps)} Gbit/s"
    return Line(ends, round(width, 1), sum(used >= step for step in STEPS), text)
