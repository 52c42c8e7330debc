"""Colours of the pictures, close to those of the report, told apart without red and green.

Blue, yellow and dark red also differ in lightness, and a busy link is wider besides.
"""

from __future__ import annotations

PAGE, CARD, INK, SOFT, LINE = "#f5f6f8", "#ffffff", "#17202b", "#5c6877", "#dde2e8"
SERVED, SHORT, GAIN, COST = "#6fa3d0", "#e07a2f", "#3f7fb8", "#e07a2f"
BACKLOG = "#8a4f9e"
DOWN = "#17202b"

STEPS = (0.1, 0.25, 0.5, 0.75, 0.95)
"""Utilisation at which the colour of a link changes."""

LEVELS = ("#cbd5e0", "#9fc0e0", "#4a8bc9", "#e2b73f", "#e07a2f", "#a8201a")
LEVEL_NAMES = ("below 10 %", "10-25", "25-50", "50-75", "75-95", "95 % or more")

SITES = {
    "edge": ("o", "#3d4b5c"),
    "hub": ("D", "#17202b"),
    "cloud": ("s", "#0b7a5c"),
    "gpu": ("h", "#7d57b8"),
}
"""Marker and colour of each kind of site."""
