"""The network: links coloured and widened by utilisation, backlog around sites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.gym.render import palette
from bwalloc.gym.render.geometry import curves, label_places
from bwalloc.network.layout import fitted, places

if TYPE_CHECKING:
    from bwalloc.network import Topology

THIN, WIDE = 0.9, 5.2
"""Points of an idle and of a full link."""

LABEL_PT = 8.5
LETTER_PX, LINE_PX = 0.86, 1.5
"""Size of a letter in pixels per point, at 100 dots per inch."""

RING_PX = 26.0
"""Radius at which the ring of a site stops growing, beyond the site."""


class NetworkView:
    """Sites and links of one topology on axes that measure pixels.

    Args:
        axes: matplotlib axes; their limits become pixels.
        topology: what is drawn.
        full_gbit: the backlog of a site at which its ring is largest.
        size: width and height in pixels.
    """

    def __init__(
        self, axes: Any, topology: Topology, full_gbit: float, size: tuple[float, float]
    ) -> None:
        """Draw what does not change: sites and their names."""
        self.full_gbit = full_gbit
        axes.set(xlim=(0, size[0]), ylim=(0, size[1]))
        axes.axis("off")
        self.scale = float(np.clip(np.sqrt(16 / max(len(topology.sites.name), 1)), 0.6, 1.0))
        margin = np.array([40.0, 26.0])
        points = margin + fitted(places(topology), *(np.array(size) - 2 * margin))
        self._draw_links(axes, topology, points)
        self._draw_sites(axes, topology, points)
        self._draw_names(axes, topology, points, size)

    def update(self, utilisation: np.ndarray, queued_gbit: np.ndarray) -> None:
        """Show the links (links,) and the backlogs (sites,) of another moment."""
        is_down = ~np.isfinite(utilisation)
        used = np.clip(np.where(is_down, 0.0, utilisation), 0.0, 1.0)
        levels = np.searchsorted(palette.STEPS, used, side="right")
        order = np.argsort(levels, kind="stable")
        widths = self.scale * (THIN + (WIDE - THIN) * used)
        self.links.set_segments([self.lines[row] for row in order])
        self.links.set_linewidth(widths[order].tolist())
        self.links.set_color(
            [palette.DOWN if is_down[row] else palette.LEVELS[levels[row]] for row in order]
        )
        self.links.set_linestyle([(0, (1, 2)) if is_down[row] else "solid" for row in order])
        radii = np.where(
            queued_gbit > 1e-3 * self.full_gbit, self.radius_px + self._ring_px(queued_gbit), 0.0
        )
        self.rings.set_sizes(np.pi * (radii * 0.72) ** 2)

    def _ring_px(self, queued_gbit: np.ndarray) -> np.ndarray:
        return RING_PX * self.scale * np.sqrt(np.clip(queued_gbit / self.full_gbit, 0.0, 1.0))

    def _draw_links(self, axes: Any, topology: Topology, points: np.ndarray) -> None:
        from matplotlib.collections import LineCollection

        links = topology.links
        self.radius_px = 7.0 * self.scale
        self.lines = curves(
            points, links.source, links.target, 6.4 * self.scale, 1.8 * self.radius_px
        )
        self.links = LineCollection(self.lines, capstyle="round", zorder=2)
        axes.add_collection(self.links, autolim=False)

    def _draw_sites(self, axes: Any, topology: Topology, points: np.ndarray) -> None:
        self.rings = axes.scatter(
            *points.T, s=0.0, color=palette.BACKLOG, alpha=0.34, linewidths=0, zorder=3
        )
        kinds = np.array(topology.sites.kind)
        for kind, (marker, colour) in palette.SITES.items():
            size = (1.6 if kind in ("cloud", "gpu") else 1.0) * 78 * self.scale**2
            axes.scatter(
                *points[kinds == kind].T,
                s=size,
                marker=marker,
                color=colour,
                edgecolors=palette.CARD,
                linewidths=1.2,
                zorder=4,
            )

    def _draw_names(
        self, axes: Any, topology: Topology, points: np.ndarray, size: tuple[float, float]
    ) -> None:
        from matplotlib.patheffects import withStroke

        names = topology.sites.name
        points_pt = LABEL_PT * max(self.scale, 0.76)
        sizes = points_pt * np.array([[LETTER_PX * len(name), LINE_PX] for name in names])
        middles = label_places(points, sizes, self.lines, 1.5 * self.radius_px, size)
        halo = [withStroke(linewidth=2.4, foreground=palette.CARD)]
        for name, (x, y) in zip(names, middles, strict=True):
            if np.isnan(x):
                continue
            axes.text(
                x,
                y,
                name,
                ha="center",
                va="center",
                size=points_pt,
                color=palette.INK,
                path_effects=halo,
                zorder=5,
            )


def full_backlog_gbit(topology: Topology, interval_s: float) -> float:
    """What the links that leave a site carry in half an interval: the median of the sites."""
    links = topology.links
    out = np.bincount(links.source, links.capacity_gbps, minlength=len(topology.sites.name))
    return max(0.5 * float(np.median(out[out > 0])) * interval_s, 1e-9) if (out > 0).any() else 1.0
