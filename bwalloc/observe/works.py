"""Announced works: what they leave of a link in the coming interval."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.control import Maintenance


def under_works(
    capacity_gbps: Float[np.ndarray, " links"],
    names: Sequence[str],
    windows: Sequence[Maintenance],
    begin: datetime,
    end: datetime,
) -> Float[np.ndarray, " links"]:
    """Capacities that announced windows leave between `begin` and `end`.

    Windows of links that are not among `names` are ignored.
    """
    if not windows:
        return capacity_gbps
    rows = {name: row for row, name in enumerate(names)}
    left = np.array(capacity_gbps)
    for window in windows:
        row = rows.get(window.link)
        if row is not None and window.start < end and window.end > begin:
            left[row] = min(left[row], max(window.capacity_gbps, 0.0))
    return left
