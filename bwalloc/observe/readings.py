"""Telemetry as arrays with the batch last, rows in the order of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import TelemetryError, nearest
from bwalloc.observe.works import under_works
from bwalloc.scenario.outages import AHEAD_S

if TYPE_CHECKING:
    from bwalloc.arrays import Array
    from bwalloc.control import Maintenance, SpanTelemetry, Telemetry
    from bwalloc.network import Network


def _nothing() -> Array:
    return np.zeros((0, 1), np.float32)


@dataclass(frozen=True, slots=True)
class Readings:
    """Telemetry of `B` networks that differ only in state.

    Attributes:
        offered_gbps, recent_gbps, peak_gbps: mean over the interval, over its last three seconds,
            highest substep, (demands, B).
        served_gbit, expired_gbit: (demands, B).
        queued_gbit: by remaining deadline, (demands, slots, B).
        capacity_gbps: what to count on in the coming interval: the capacity now, less announced
            works that touch the interval, (links, B).
        carried_gbps: (links, B).
        hour_of_week: UTC hour since Monday 00:00 at the end of the interval, (B,).
        tier_gbps, pending_gbps: tier of each span that is sold, and the one on order (NaN: none),
            (offered, B), in the order of `Network.offers`.
        paid_left_s: for how long the tier is paid, (offered, B).
        declared_gbit, declared_due_s: waiting work whose owner said when it is due, and seconds
            until then (`inf`: none), (demands, B); (0, B) where nobody declares.
        announced_gbps: what announced works leave of the capacities in the hour to come,
            (links, B); (0, B) where nothing is sold.
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
    tier_gbps: Array = field(default_factory=_nothing)
    pending_gbps: Array = field(default_factory=_nothing)
    paid_left_s: Array = field(default_factory=_nothing)
    declared_gbit: Array = field(default_factory=_nothing)
    declared_due_s: Array = field(default_factory=_nothing)
    announced_gbps: Array = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Found:
    """Where the wanted names stand in a record.

    Attributes:
        rows: row of each wanted name, -1 where the record has none, (wanted,).
        is_missing: which are not there, (wanted,); None if all are.
        is_in_order: the record's rows are the wanted ones, in the same order.
        unknown: how many rows of the record nobody wants.
    """

    rows: np.ndarray
    is_missing: np.ndarray | None
    is_in_order: bool
    unknown: int

    def take(self, values: np.ndarray) -> np.ndarray:
        """`values` in the wanted order; rows that are not there hold NaN."""
        if self.is_in_order:
            return values
        if self.is_missing is None:
            return values[self.rows]
        taken = np.full((len(self.rows), *values.shape[1:]), np.nan)
        taken[~self.is_missing] = values[self.rows[~self.is_missing]]
        return taken


class NameIndex:
    """Finds the wanted names in records; what it found holds while a record's names stay."""

    def __init__(self, wanted: Sequence[str]) -> None:
        """Take the names in the order their rows shall come."""
        self.wanted = tuple(wanted)
        self._last: tuple[tuple[str, ...], Found] | None = None

    def find(self, given: Sequence[str]) -> Found:
        """Where the wanted names stand among `given`."""
        names, last = tuple(given), self._last
        if last is not None and last[0] == names:
            return last[1]
        found = self._find(names)
        self._last = names, found
        return found

    def _find(self, given: tuple[str, ...]) -> Found:
        index = {name: row for row, name in enumerate(given)}
        rows = np.array([index.get(name, -1) for name in self.wanted], np.int64)
        is_missing = rows < 0
        return Found(
            rows=rows,
            is_missing=is_missing if is_missing.any() else None,
            is_in_order=given == self.wanted,
            unknown=len(given) - int((~is_missing).sum()),
        )


def read_telemetry(network: Network, telemetry: Telemetry) -> Readings:
    """Readings (B = 1) of a telemetry record, matched by name and never by position.

    Raises:
        TelemetryError: a demand or link of `network` is not in the record.
    """
    demands, links = telemetry.demands, telemetry.links
    found = _whole("demand", network.demands.name, demands.name)
    found_links = _whole("link", network.links.name, links.name)
    up = found_links.take(np.array(links.is_up, bool))
    column = [
        _finite(found.take(getattr(demands, field)))[:, None]
        for field in ("offered_gbps", "recent_gbps", "peak_gbps", "served_gbit", "expired_gbit")
    ]
    capacity = (_finite(found_links.take(links.capacity_gbps)) * up).astype(np.float32)
    end, names, windows = telemetry.interval_end, network.links.name, telemetry.maintenance
    until = end + timedelta(seconds=telemetry.interval_s)
    capacity = under_works(capacity, names, windows, end, until)
    return Readings(
        *column,
        queued_gbit=_finite(found.take(demands.queued_gbit))[:, :, None],
        capacity_gbps=capacity[:, None],
        carried_gbps=_finite(found_links.take(links.carried_gbps))[:, None],
        hour_of_week=np.array([hour_of_week(telemetry.interval_end)]),
        **read_spans(network, telemetry.spans),
        **read_announced(network, capacity, windows, end),
        **_declared(found.take(demands.declared_gbit), found.take(demands.declared_due_s)),
    )


def _declared(gbit: np.ndarray, due_s: np.ndarray) -> dict[str, np.ndarray]:
    """Fields of `Readings` about declared work, (demands, 1); what is not due is not declared."""
    is_due = np.isfinite(due_s) & (due_s > 0.0) & (gbit > 0.0)
    return {
        "declared_gbit": np.where(is_due, gbit, 0.0).astype(np.float32)[:, None],
        "declared_due_s": np.where(is_due, due_s, np.inf).astype(np.float32)[:, None],
    }


def read_announced(
    network: Network,
    capacity_gbps: np.ndarray,
    windows: Sequence[Maintenance],
    end: datetime,
) -> dict[str, np.ndarray]:
    """Field of `Readings` about works to come, (links, 1), of capacities (links,) at `end`."""
    if network.offers is None:
        return {}
    until = end + timedelta(seconds=AHEAD_S)
    left = under_works(capacity_gbps, network.links.name, windows, end, until)
    return {"announced_gbps": left.astype(np.float32)[:, None]}


def read_spans(network: Network, spans: SpanTelemetry) -> dict[str, np.ndarray]:
    """Fields of `Readings` about the spans that are sold, (offered, 1).

    Raises:
        TelemetryError: one of them is not in the record.
    """
    if network.offers is None:
        return {}
    names = tuple(network.spans.name[row] for row in network.offers.span)
    found = _whole("span", names, spans.name)
    return {
        "tier_gbps": _finite(found.take(spans.tier_gbps))[:, None],
        "pending_gbps": found.take(spans.pending_gbps)[:, None].astype(np.float32),
        "paid_left_s": _finite(found.take(spans.paid_until_s))[:, None],
    }


def hour_of_week(moment: datetime) -> float:
    """UTC hours since Monday 00:00; a time without a zone is UTC."""
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    seconds = utc.second + utc.microsecond / 1e6
    return utc.weekday() * 24 + utc.hour + utc.minute / 60 + seconds / 3600


def _whole(kind: str, wanted: Sequence[str], given: Sequence[str]) -> Found:
    found = NameIndex(wanted).find(given)
    if found.is_missing is None:
        return found
    missing = [name for name, gone in zip(wanted, found.is_missing, strict=True) if gone]
    msg = (
        f"Telemetry holds no {kind} '{missing[0]}' ({len(missing)} missing). "
        f"{nearest(missing[0], given)} Send one row for every {kind} of the network."
    )
    raise TelemetryError(msg)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values, nan=0.0).astype(np.float32)
