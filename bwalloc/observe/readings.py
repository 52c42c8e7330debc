"""Telemetry as arrays with the batch last, rows in the order of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import TelemetryError, nearest

if TYPE_CHECKING:
    from bwalloc.arrays import Array
    from bwalloc.control import Telemetry
    from bwalloc.network import Network


@dataclass(frozen=True, slots=True)
class Readings:
    """Telemetry of `B` networks that differ only in state.

    Attributes:
        offered_gbps, recent_gbps, peak_gbps: mean over the interval, over its last three seconds,
            highest substep, (demands, B).
        served_gbit, expired_gbit: (demands, B).
        queued_gbit: by remaining deadline, (demands, slots, B).
        capacity_gbps, carried_gbps: (links, B).
        hour_of_week: UTC hour since Monday 00:00 at the end of the interval, (B,).
    """

    offered_gbps: Array
    recent_gbps: Array
    peak_gbps: Array
    served_gbit: Array
    expired_gbit: Array
    queued_gbit: Array
    capacity_gbps: Array
    carried_gbps: Array
    hour_of_week: Array


def read_telemetry(network: Network, telemetry: Telemetry) -> Readings:
    """Readings (B = 1) of a telemetry record, matched by name and never by position.

    Raises:
        TelemetryError: a demand or link of `network` is not in the record.
    """
    demands, links = telemetry.demands, telemetry.links
    rows = _rows("demand", network.demands.name, demands.name)
    link_rows = _rows("link", network.links.name, links.name)
    end = telemetry.interval_end
    hour = end.weekday() * 24 + end.hour + end.minute / 60 + end.second / 3600
    up = np.array(links.is_up, bool)[link_rows]
    column = [
        _finite(getattr(demands, field))[rows, None]
        for field in ("offered_gbps", "recent_gbps", "peak_gbps", "served_gbit", "expired_gbit")
    ]
    return Readings(
        *column,
        queued_gbit=_finite(demands.queued_gbit)[rows][:, :, None],
        capacity_gbps=(_finite(links.capacity_gbps)[link_rows] * up)[:, None],
        carried_gbps=_finite(links.carried_gbps)[link_rows][:, None],
        hour_of_week=np.array([hour]),
    )


def _rows(kind: str, wanted: Sequence[str], given: Sequence[str]) -> list[int]:
    index = {name: row for row, name in enumerate(given)}
    missing = [name for name in wanted if name not in index]
    if missing:
        msg = (
            f"Telemetry holds no {kind} '{missing[0]}' ({len(missing)} missing). "
            f"{nearest(missing[0], given)} Send one row for every {kind} of the network."
        )
        raise TelemetryError(msg)
    return [index[name] for name in wanted]


def _finite(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values, nan=0.0).astype(np.float32)
