"""Announced works: what they leave of a link in the coming interval."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
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

    Windows of links that are not among `names` are ignored; times without a zone are UTC.
    """
    if not windows:
        return capacity_gbps
    rows = {name: row for row, name in enumerate(names)}
    left, begin, end = np.array(capacity_gbps), _utc(begin), _utc(end)
    for window in windows:
        row = rows.get(window.link)
        if row is not None and _utc(window.start) < end and _utc(window.end) > begin:
            left[row] = min(left[row], max(window.capacity_gbps, 0.0))
    return left


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
