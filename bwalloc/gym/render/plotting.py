"""matplotlib, where it is there: one message where it is not, one style whatever the user's."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Any

from bwalloc.errors import BwallocError

INSTALL = "pip install 'bwalloc[plot]'"


def require_matplotlib() -> None:
    """Make sure that pictures can be drawn.

    Raises:
        BwallocError: matplotlib is not installed.
    """
    try:
        found = find_spec("matplotlib")
    except ValueError:
        found = None
    if found is None:
        msg = f"Rendering needs matplotlib, which is not installed: {INSTALL}"
        raise BwallocError(msg)


def plain_style() -> AbstractContextManager[Any]:
    """Defaults of matplotlib itself, so that a user's settings do not change the picture."""
    from matplotlib import style

    return style.context("default")
