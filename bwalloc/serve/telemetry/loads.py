"""What demands offer as far as it is known: measured, remembered, or absurd and refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import BwallocError
from bwalloc.observe import NameIndex
from bwalloc.serve.reasons import reason

if TYPE_CHECKING:
    from bwalloc.allocate.limits import Limits, Times
    from bwalloc.control import DemandTelemetry
    from bwalloc.network import Network

SHIFT = 100.0
"""Factor by which all loads do not move at once."""
SHIFTED = 0.8
"""Share of the demands that must move so for it to be a wrong unit."""
FEWEST = 8
"""Demands from which on that can be told."""
MEMORY = 0.9
"""What a trailing mean of a demand's load keeps from one interval to the next."""


class AbsurdLoadsError(BwallocError):
    """Raised when a record's loads cannot be true; the text is the reason."""


class Loads:
    """Reads the demands of records by name.

    Rows of demands that the network has not are ignored. A demand without a row, or whose load is
    null, negative or beyond `offered_up_to` times its widest tunnel, is unmeasured: its last load
    stands in for `last_good_s`, then what the static table gives it, so that an agent that died
    does not shut its demand out.
    """

    COLUMNS = ("offered_gbps", "recent_gbps", "peak_gbps", "served_gbit", "expired_gbit")

    def __init__(
        self, network: Network, limits: Limits, times: Times, static_gbps: np.ndarray
    ) -> None:
        """Nothing is measured yet; `static_gbps` (demands,) stands in for what never was."""
        self.times, self.interval_s = times, network.interval_s
        self.index = NameIndex(network.demands.name)
        self.most_gbps = limits.offered_up_to * _widest(network)
        self.static_gbps = static_gbps
        self.reset()

    def reset(self) -> None:
        """Forget what was measured."""
        demands = len(self.most_gbps)
        self.offered_gbps = self.static_gbps.copy()
        self.measured_s = np.full(demands, -np.inf)
        self.trailing_gbps = np.full(demands, np.nan)
        self._level_before = self.trailing_gbps
        self._shifted_s: float | None = None

    def inherit(self, other: Loads, rows: np.ndarray) -> None:
        """Go on from what is known of the demands that stay; `rows` of `other`, -1 for new ones."""
        kept = rows >= 0
        for name in ("offered_gbps", "measured_s", "trailing_gbps"):
            getattr(self, name)[kept] = getattr(other, name)[rows[kept]]
        self._level_before = np.full_like(self.trailing_gbps, np.nan)

    def read(
        self, record: DemandTelemetry, now_s: float
    ) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
        """Columns in the network's order, float32 and finite, and what had to be mended.

        Args:
            record: of a record whose time is good.
            now_s: monotonic seconds.

        Raises:
            AbsurdLoadsError: The loads cannot be true as a whole; nothing is remembered.
        """
        found = self.index.find(record.name)
        columns = {name: found.take(getattr(record, name)) for name in self.COLUMNS}
        offered, most = columns["offered_gbps"], self.most_gbps
        is_measured = (offered >= 0) & (offered <= most)  # False for NaN
        self._check(offered, is_measured, now_s)
        reasons = _mended(found.unknown, found.is_missing, is_measured)
        self._remember(offered, is_measured, now_s)
        read = {"offered_gbps": self.offered_gbps.astype(np.float32)}
        for name in ("recent_gbps", "peak_gbps"):
            read[name] = _within(columns[name], self.offered_gbps, most)
        for name in ("served_gbit", "expired_gbit"):
            read[name] = _within(columns[name], 0.0, most * self.interval_s)
        queued = found.take(record.queued_gbit)
        if queued.shape[1] == 0:
            queued = np.zeros((len(most), 1))
        read["queued_gbit"] = _within(queued, 0.0, (most * self.interval_s)[:, None])
        return read, reasons

    def _check(self, offered: np.ndarray, is_measured: np.ndarray, now_s: float) -> None:
        said = int((~np.isnan(offered)).sum())
        good = int(is_measured.sum())
        if said and good * 2 < said:
            text = f"{said - good} of {said} loads are negative or absurd"
            raise AbsurdLoadsError(reason("telemetry-load-unit", text))
        ratio = _ratios(offered, self.trailing_gbps)
        if not _is_shifted(ratio):
            self._shifted_s = None
            return
        before = _ratios(offered, self._level_before)
        if len(before) >= FEWEST and not _is_shifted(before):
            self._accept(self._level_before)  # back where it was before
            return
        if self._shifted_s is None:
            self._shifted_s = now_s
        if good < said or now_s - self._shifted_s < self.times.last_good_s:
            text = f"all loads moved {float(np.median(ratio)):.2g}-fold at once"
            raise AbsurdLoadsError(reason("telemetry-load-unit", text))
        self._accept(np.full_like(offered, np.nan))  # it stayed, and it is possible

    def _accept(self, trailing_gbps: np.ndarray) -> None:
        """Take another level for the one that holds."""
        self._level_before, self.trailing_gbps = self.trailing_gbps, trailing_gbps
        self._shifted_s = None

    def _remember(self, offered: np.ndarray, is_measured: np.ndarray, now_s: float) -> None:
        trailing = self.trailing_gbps
        mean = np.where(np.isnan(trailing), offered, MEMORY * trailing + (1 - MEMORY) * offered)
        # Silence says nothing of a unit: a night without load must not make a wrong one of day.
        self.trailing_gbps = np.where(is_measured & (offered > 0), mean, trailing)
        if is_measured.all():
            self.offered_gbps = offered
            self.measured_s[:] = now_s
            return
        self.measured_s[is_measured] = now_s
        held = now_s - self.measured_s <= self.times.last_good_s
        kept = np.where(held, self.offered_gbps, self.static_gbps)
        self.offered_gbps = np.where(is_measured, offered, kept)


def _ratios(offered: np.ndarray, trailing: np.ndarray) -> np.ndarray:
    """Loads over their trailing means, of the demands that have both."""
    both = (offered > 0) & (trailing > 0) & np.isfinite(offered)
    return offered[both] / trailing[both]


def _is_shifted(ratio: np.ndarray) -> bool:
    """Whether nearly all loads moved by a factor that only a wrong unit has."""
    if len(ratio) < FEWEST:
        return False
    return bool(max((ratio > SHIFT).mean(), (ratio < 1 / SHIFT).mean()) >= SHIFTED)


def _mended(
    unknown: int, is_missing: np.ndarray | None, is_measured: np.ndarray
) -> tuple[str, ...]:
    missing = 0 if is_missing is None else int(is_missing.sum())
    unmeasured = len(is_measured) - int(is_measured.sum()) - missing
    counts = {
        "demand-unknown": unknown,
        "demand-missing": missing,
        "demand-unmeasured": unmeasured,
    }
    return tuple(reason(word, count) for word, count in counts.items() if count)


def _within(values: np.ndarray, instead: np.ndarray | float, most: np.ndarray) -> np.ndarray:
    """Float32 in [0, most]; `instead` where there is no number."""
    if not np.isfinite(values).all():
        values = np.where(np.isfinite(values), values, instead)
    return np.clip(values, 0.0, most).astype(np.float32)


def _widest(network: Network) -> np.ndarray:
    """Capacity of the widest tunnel of each demand as built, Gbit/s (demands,)."""
    capacity = np.append(network.links.capacity_gbps, np.inf)
    narrowest = capacity[network.tunnels.hops].min(2)
    narrowest = np.where(network.tunnels.exists, narrowest, 0.0)
    return np.maximum(narrowest.max(1), 1e-3)
