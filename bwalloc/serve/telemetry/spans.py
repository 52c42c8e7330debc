"""Tiers and orders of spans by telemetry, as policies read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.observe import NameIndex
from bwalloc.serve.reasons import reason

if TYPE_CHECKING:
    from bwalloc.control import SpanTelemetry
    from bwalloc.network import Network


class SpanReader:
    """Reads the spans that are sold, by name; of what telemetry does not tell the last is kept.

    A span without a credible row counts as one with an order on its way: nothing is ordered on it.
    """

    def __init__(self, network: Network) -> None:
        """First tiers, until telemetry tells others."""
        offers = network.offers
        self.is_sold = offers is not None
        sold = np.zeros(0, np.int64) if offers is None else offers.span
        self.names = tuple(network.spans.name[row] for row in sold)
        self.index = NameIndex(self.names)
        self.built_gbps = np.zeros(0)
        if offers is not None:
            self.built_gbps = offers.tier_gbps[np.arange(len(sold)), offers.first]
        self.reset()

    def reset(self) -> None:
        """Forget what telemetry told."""
        self.tier_gbps = self.built_gbps.copy()

    def inherit(self, other: SpanReader) -> None:
        """Go on from the reader of the network before, by name."""
        known = dict(zip(other.names, other.tier_gbps, strict=True))
        for row, name in enumerate(self.names):
            self.tier_gbps[row] = known.get(name, self.tier_gbps[row])

    def read(self, record: SpanTelemetry) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
        """Fields of `Readings`, float32 (offered, 1), and the reason if spans are missing."""
        if not self.is_sold:
            return {}, ()
        found = self.index.find(record.name)
        tier, pending, paid_s = (
            found.take(np.asarray(column, np.float64))
            for column in (record.tier_gbps, record.pending_gbps, record.paid_until_s)
        )
        is_told = np.isfinite(tier) & (tier >= 0) & ~(pending < 0) & ~np.isinf(pending)
        self.tier_gbps = np.where(is_told, tier, self.tier_gbps)
        columns = {
            "tier_gbps": self.tier_gbps,
            "pending_gbps": np.where(is_told, pending, self.tier_gbps),
            "paid_left_s": np.where(np.isfinite(paid_s), np.maximum(paid_s, 0.0), 0.0),
        }
        missing = int((~is_told).sum())
        fields = {name: column.astype(np.float32)[:, None] for name, column in columns.items()}
        return fields, (reason("span-missing", missing),) if missing else ()


def nothing_ordered(network: Network) -> dict[str, np.ndarray]:
    """Fields of `Readings` before any telemetry: first tiers, nothing on order, float32."""
    reader = SpanReader(network)
    if not reader.is_sold:
        return {}
    tier = reader.built_gbps.astype(np.float32)[:, None]
    return {"tier_gbps": tier, "pending_gbps": tier * np.float32(np.nan), "paid_left_s": tier * 0}
