"""Where the names of sites stand on a map: off each other first, then off the links."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

Point: TypeAlias = tuple[float, float]
LETTER, ASCENT, DESCENT, SYMBOL = 9.0, 14.0, 4.0, 9.0
"""Width of a letter, height of a line above and below its foot, half a symbol; units of the map."""


class Label(NamedTuple):
    """The foot of a text, and which end of it stands there: start, middle or end."""

    x: float
    y: float
    anchor: str


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def common(self, other: _Box) -> float:
        """Area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        tall = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(wide, 0.0) * max(tall, 0.0)


def labels(names: Sequence[str], points: Sequence[Point], size: Point, unit: float) -> list[Label]:
    """One label for every site, each on the first side where it covers no symbol and no label.

    Args:
        names: of the sites.
        points: their places.
        size: width and height of the map.
        unit: size of the letters; 1 is 16 units of the map.
    """
    reach = SYMBOL * unit
    taken = [_Box(x - reach, y - reach, x + reach, y + reach) for x, y in points]
    placed: list[Label] = []
    for name, point in zip(names, points, strict=True):
        sides = _sides(point, size, unit)
        covered = [_covered(_box(side, name, unit), taken, size) for side in sides]
        best = sides[covered.index(min(covered))]
        taken.append(_box(best, name, unit))
        placed.append(Label(round(best.x, 1), round(best.y, 1), best.anchor))
    return placed


def _sides(point: Point, size: Point, unit: float) -> list[Label]:
    """Away from the middle first, so that no link runs through the label."""
    x, y = point
    across, down = x - size[0] / 2, y - size[1] / 2
    away = math.hypot(across, down) or 1.0
    right = Label(x + 15.0 * unit, y + 5.5 * unit, "start")
    left = Label(x - 15.0 * unit, y + 5.5 * unit, "end")
    below, above = Label(x, y + 32.0 * unit, "middle"), Label(x, y - 18.0 * unit, "middle")
    beside = [right, left] if across > 0.0 else [left, right]
    upright = [below, above] if down > 1.0 else [above, below]
    is_beside = abs(across) >= 0.75 * away and away >= 90
    return beside + upright if is_beside else upright + beside


def _box(label: Label, name: str, unit: float) -> _Box:
    wide = LETTER * unit * len(name)
    left = label.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor] * wide
    return _Box(left, label.y - ASCENT * unit, left + wide, label.y + DESCENT * unit)


def _covered(box: _Box, taken: Sequence[_Box], size: Point) -> float:
    """Area of others that a label would cover, and of itself that would be off the map."""
    inside = box.common(_Box(0.0, 0.0, *size))
    whole = (box.right - box.left) * (box.bottom - box.top)
    return round(sum(box.common(other) for other in taken) + whole - inside, 6)
