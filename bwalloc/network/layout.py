"""Where sites stand on a drawing: as given, or laid out by the hops between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from bwalloc.network.topology import Topology

ROUNDS = 200
"""Passes over the sites that have no place; 50 sites have come to rest after about 100."""

STRETCH = 1.6
"""How much wider or higher than it is a drawing may be made to fill its frame."""


def places(topology: Topology) -> Float[np.ndarray, "sites 2"]:
    """A place for every site; those with coordinates keep them.

    The others are laid out by stress majorisation: the distance of two sites on the drawing comes
    close to the number of links between them, near pairs counting most. The same topology gives
    the same drawing.

    Ref: Gansner, Koren & North, Graph Drawing by Stress Majorization (Graph Drawing 2004).
    """
    given = np.column_stack([topology.sites.x, topology.sites.y]).astype(float)
    is_free = np.logical_not(np.isfinite(given.sum(1)))
    if not is_free.any():
        return given
    hops = _hops(topology)
    drawn = _spread(hops)
    if not is_free.all():
        drawn = np.where(is_free[:, None], _moved_onto(drawn, given, ~is_free), given)
        hops = hops * _unit(hops, given, ~is_free)
    return _at_rest(drawn, hops, is_free)


def fitted(
    points: Float[np.ndarray, "sites 2"], width: float, height: float
) -> Float[np.ndarray, "sites 2"]:
    """Points moved and scaled into a frame from (0, 0) to (width, height), kept in the middle.

    Proportions change by at most `STRETCH`, so that a round network stays round enough.
    """
    low, high = points.min(0), points.max(0)
    size = np.maximum(high - low, 1e-9)
    frame = np.array([width, height])
    scale = np.minimum(frame / size, STRETCH * (frame / size).min())
    return frame / 2 + (points - (low + high) / 2) * scale


def _hops(topology: Topology) -> Float[np.ndarray, "sites sites"]:
    """Links on the shortest way between any two sites, in either direction (Floyd-Warshall)."""
    count, links = len(topology.sites.name), topology.links
    hops = np.full((count, count), float(count))
    hops[links.source, links.target] = hops[links.target, links.source] = 1.0
    np.fill_diagonal(hops, 0.0)
    for middle in range(count):
        hops = np.minimum(hops, hops[:, middle : middle + 1] + hops[middle])
    return hops


def _spread(hops: Float[np.ndarray, "sites sites"]) -> Float[np.ndarray, "sites 2"]:
    """The two widest axes of the distances (classical scaling), with a sign that never flips."""
    count = len(hops)
    centred = np.eye(count) - 1.0 / count
    values, vectors = np.linalg.eigh(-0.5 * centred @ hops**2 @ centred)
    axes = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0.0))
    axes = np.pad(axes, ((0, 0), (0, 2 - axes.shape[1])))
    signs = np.sign(axes[np.abs(axes).argmax(0), [0, 1]])
    angle = 2 * np.pi * np.arange(count) / count
    return axes * np.where(signs == 0, 1.0, signs) + 0.05 * np.column_stack(
        [np.cos(angle), np.sin(angle)]
    )


def _moved_onto(
    drawn: Float[np.ndarray, "sites 2"],
    given: Float[np.ndarray, "sites 2"],
    is_placed: Bool[np.ndarray, " sites"],
) -> Float[np.ndarray, "sites 2"]:
    """The drawing moved and scaled to where the placed sites are: a start, no more."""
    ours, theirs = drawn[is_placed], given[is_placed]
    scale = max(float(theirs.std()), 1e-9) / max(float(ours.std()), 1e-9)
    return theirs.mean(0) + (drawn - ours.mean(0)) * (scale if len(ours) > 1 else 1.0)


def _unit(
    hops: Float[np.ndarray, "sites sites"],
    given: Float[np.ndarray, "sites 2"],
    is_placed: Bool[np.ndarray, " sites"],
) -> float:
    """The usual length of one hop between sites that have places."""
    points = given[is_placed]
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    pairs = np.triu_indices(len(points), 1)
    ratio = (apart / np.maximum(hops[np.ix_(is_placed, is_placed)], 1.0))[pairs]
    return float(np.median(ratio)) if ratio.size and np.median(ratio) > 0 else 1.0


def _at_rest(
    drawn: Float[np.ndarray, "sites 2"],
    apart: Float[np.ndarray, "sites sites"],
    is_free: Bool[np.ndarray, " sites"],
) -> Float[np.ndarray, "sites 2"]:
    weight = np.where(apart > 0, 1.0 / np.maximum(apart, 1e-9) ** 2, 0.0)
    total = np.maximum(weight.sum(1), 1e-9)[:, None]
    for _ in range(ROUNDS):
        across = drawn[:, None] - drawn
        length = np.maximum(np.linalg.norm(across, axis=2), 1e-9)
        wanted = drawn + across * (apart / length)[:, :, None]
        moved = (weight[:, :, None] * wanted).sum(1) / total
        drawn = np.where(is_free[:, None], moved, drawn)
    return drawn
