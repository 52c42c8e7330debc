"""Geometry of the network drawing, in pixels: curves around sites, labels beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int

BENDS = (0.0, 0.06, -0.06, 0.12, -0.12, 0.2, -0.2, 0.3, -0.3)
"""How far the middle of a curve may lie aside, as shares of its length; the first free is used."""

STATIONS = np.linspace(0.0, 1.0, 15)[:, None]
SIDES = ((0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1))
"""Where a label may stand, best first; y grows upwards."""
COVERS = 60.0
"""What it costs a label to cover another; a station of a link costs 1, a site 15."""


def curves(
    points: Float[np.ndarray, "sites 2"],
    source: Int[np.ndarray, " links"],
    target: Int[np.ndarray, " links"],
    gap: float,
    clearance: float,
) -> list[Float[np.ndarray, "stations 2"]]:
    """One polyline per directed link: it bends around other sites and keeps to its right.

    Args:
        points: Places of the sites.
        source: Row of the site that each link leaves.
        target: Row of the site that each link enters.
        gap: Pixels between the two directions; a parallel link lies one gap further out.
        clearance: Pixels to stay away from other sites.
    """
    lines: list[np.ndarray] = []
    seen: dict[tuple[int, int], int] = {}
    for a, b in zip(source.tolist(), target.tolist(), strict=True):
        rank = seen[a, b] = seen.get((a, b), -1) + 1
        low, high = min(a, b), max(a, b)
        line = _bent(points, low, high, clearance)
        line = line if a == low else line[::-1]
        lines.append(line + _right_of(line) * gap * (0.5 + rank))
    return lines


def _bent(points: np.ndarray, a: int, b: int, clearance: float) -> np.ndarray:
    others = np.delete(points, [a, b], axis=0)
    line = _bezier(points[a], points[b], 0.0)
    for bend in BENDS:
        line = _bezier(points[a], points[b], bend)
        if not len(others):
            break
        nearest = np.linalg.norm(line[:, None] - others, axis=2).min()
        if nearest > clearance:
            return line
    return line


def _bezier(start: np.ndarray, end: np.ndarray, bend: float) -> np.ndarray:
    across = np.array([start[1] - end[1], end[0] - start[0]])
    middle = (start + end) / 2 + 2 * bend * across
    s = STATIONS
    return (1 - s) ** 2 * start + 2 * s * (1 - s) * middle + s**2 * end


def _right_of(line: np.ndarray) -> np.ndarray:
    ahead = np.gradient(line, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    return np.column_stack([ahead[:, 1], -ahead[:, 0]])


def label_places(
    points: Float[np.ndarray, "sites 2"],
    sizes: Float[np.ndarray, "sites 2"],
    lines: Sequence[Float[np.ndarray, "stations 2"]],
    radius: float,
    frame: tuple[float, float],
) -> Float[np.ndarray, "sites 2"]:
    """Middles of the labels: beside each site where fewest links, sites and labels lie.

    NaN where every place would cover another label or leave the frame.

    Args:
        points: Places of the sites.
        sizes: Width and height of each label.
        lines: Links to keep off.
        radius: Pixels between the middle of a site and its label.
        frame: Width and height to stay inside.
    """
    crowd = np.concatenate([points, *lines])
    weight = np.r_[np.full(len(points), 15.0), np.ones(len(crowd) - len(points))]
    placed = np.empty((0, 4))
    middles = np.empty_like(points)
    for row, point in enumerate(points):
        choices = [point + _shift(side, sizes[row], radius) for side in SIDES]
        costs = [
            _cost(_box(choice, sizes[row]), crowd, weight, placed, frame) + 0.1 * rank
            for rank, choice in enumerate(choices)
        ]
        if min(costs) >= COVERS:
            middles[row] = np.nan
            continue
        middles[row] = choices[int(np.argmin(costs))]
        placed = np.vstack([placed, _box(middles[row], sizes[row])])
    return middles


def _shift(side: tuple[int, int], size: np.ndarray, radius: float) -> np.ndarray:
    slack = 0.75 if all(side) else 1.0
    return np.array(side) * (size / 2 + radius * slack)


def _box(middle: np.ndarray, size: np.ndarray) -> np.ndarray:
    return np.concatenate([middle - size / 2, middle + size / 2])


def _cost(
    box: np.ndarray,
    crowd: np.ndarray,
    weight: np.ndarray,
    placed: np.ndarray,
    frame: tuple[float, float],
) -> float:
    inside = ((crowd > box[:2] - 2) & (crowd < box[2:] + 2)).all(1)
    hit = ((placed[:, :2] < box[2:]) & (placed[:, 2:] > box[:2])).all(1)
    outside = (box < 0).any() or (box[2:] > frame).any()
    return float(weight[inside].sum() + COVERS * (hit.sum() + outside))
