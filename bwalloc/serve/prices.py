"""What spans cost by the hour, and which tiers they are at as far as telemetry says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.money import Tariff
from bwalloc.observe import NameIndex

if TYPE_CHECKING:
    from bwalloc.control import SpanTelemetry
    from bwalloc.network import Network


@dataclass(frozen=True)
class SpanState:
    """Tier of each span and the one under way (NaN: none), Gbit/s (spans,)."""

    tier_gbps: np.ndarray
    pending_gbps: np.ndarray


class Prices:
    """Hourly prices of the spans of one network.

    Args:
        network: whose spans.
        tariffs: by span; a span without one is priced in proportion to its price as built, and one
            that is built without a price is not for sale.
    """

    def __init__(self, network: Network, tariffs: Mapping[str, Tariff] | None = None) -> None:
        """Collect the tariffs."""
        spans = network.spans
        self.rows = {name: row for row, name in enumerate(spans.name)}
        self.built_gbps = np.asarray(spans.tier_gbps, np.float64)
        self._index = NameIndex(spans.name)
        given = tariffs or {}
        found = [
            given.get(name) or _proportional(float(usd), float(tier))
            for name, usd, tier in zip(spans.name, spans.usd_per_h, spans.tier_gbps, strict=True)
        ]
        self.is_for_sale = np.array([tariff is not None for tariff in found], bool)
        known = [tariff or Tariff(0.0) for tariff in found]
        self._usd = np.array([tariff.usd_per_h_at_1_gbps for tariff in known], np.float64)
        self._exponent = np.array([tariff.volume_exponent for tariff in known], np.float64)

    def usd_per_h(self, tiers_gbps: np.ndarray) -> np.ndarray:
        """Price of each span at these tiers, (spans,); 0 where it is not for sale."""
        return self._usd * np.power(tiers_gbps, self._exponent)

    def of(self, row: int, tier_gbps: float) -> float:
        """Price of one span at a tier."""
        return float(self._usd[row] * tier_gbps ** self._exponent[row])

    def state(self, record: SpanTelemetry | None) -> SpanState:
        """Tiers by telemetry, matched by name; as built where it says nothing credible."""
        nothing = SpanState(self.built_gbps, np.full(len(self.built_gbps), np.nan))
        if record is None or not record.name:
            return nothing
        try:
            found = self._index.find(record.name)
            tier, pending = found.take(record.tier_gbps), found.take(record.pending_gbps)
        except (AttributeError, IndexError, TypeError, ValueError):  # made around its checks
            return nothing
        tier = np.where(np.isfinite(tier) & (tier >= 0), tier, self.built_gbps)
        pending = np.where(np.isfinite(pending) & (pending >= 0), pending, np.nan)
        return SpanState(tier, pending)


def _proportional(usd_per_h: float, tier_gbps: float) -> Tariff | None:
    return Tariff(usd_per_h / tier_gbps) if usd_per_h > 0 and tier_gbps > 0 else None
