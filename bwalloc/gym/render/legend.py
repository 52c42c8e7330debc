"""Keys of the network drawing: utilisation, kinds of sites, backlog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bwalloc.gym.render import palette

if TYPE_CHECKING:
    from collections.abc import Sequence

LETTER_PX = 5.9
"""Mean width of a letter at 7.5 points and 100 dots per inch."""


def draw_utilisation_key(axes: Any, x: float, y: float, size_pt: float = 7.5) -> None:
    """A line sample per level from `x` on, in axes that measure pixels."""
    axes.text(x, y, "link use", size=size_pt, va="center", color=palette.SOFT)
    x += LETTER_PX * 9.5
    for rank, (colour, text) in enumerate(
        zip(palette.LEVELS, palette.LEVEL_NAMES, strict=True), start=1
    ):
        axes.plot(
            [x, x + 16], [y, y], color=colour, linewidth=0.6 + 0.85 * rank, solid_capstyle="butt"
        )
        axes.text(x + 21, y, text, size=size_pt, va="center", color=palette.SOFT)
        x += 34 + LETTER_PX * len(text)


def draw_site_key(axes: Any, kinds: Sequence[str], x: float, y: float) -> None:
    """A marker per kind of site that there is, and the ring of a backlog."""
    for kind, (marker, colour) in palette.SITES.items():
        if kind in kinds:
            axes.scatter([x + 6], [y], s=46, marker=marker, color=colour)
            axes.text(x + 17, y, kind, size=7.5, va="center", color=palette.SOFT)
            x += 32 + LETTER_PX * len(kind)
    axes.scatter([x + 8], [y], s=130, color=palette.BACKLOG, alpha=0.34, linewidths=0)
    text = "work that waits; each direction of a link keeps to its right"
    axes.text(x + 21, y, text, size=7.5, va="center", color=palette.SOFT)
