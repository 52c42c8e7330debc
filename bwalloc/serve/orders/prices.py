"""What spans cost by the hour, and which tiers they are at as far as telemetry says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.observe import NameIndex

if TYPE_CHECKING:
    from bwalloc.control import SpanTelemetry
    from bwalloc.money import Tariff
    from bwalloc.network import Network


@dataclass(frozen=True)
class SpanState:
    """Tier of each span and the one under way (NaN: none), Gbit/s (spans,)."""

    tier_gbps: np.ndarray
    pending_gbps: np.ndarray


class Prices:
    """Hourly prices of the spans of one network.

    A span that the network's offers sell costs what its menu says; one of no menu costs what it was
    built for, whatever telemetry says, and is not for sale.

    Args:
        network: whose spans.
        tariffs: prices of spans that are sold at any tier, by span, beside the offers.
    """

    def __init__(self, network: Network, tariffs: Mapping[str, Tariff] | None = None) -> None:
        """Collect menus and tariffs."""
        spans = network.spans
        self.rows = {name: row for row, name in enumerate(spans.name)}
        self.built_gbps = np.asarray(spans.tier_gbps, np.float64)
        self._fixed_usd = np.asarray(spans.usd_per_h, np.float64)
        self._offers = network.offers
        self._tariffs = {self.rows[name]: tariff for name, tariff in (tariffs or {}).items()}
        self._menus = {} if self._offers is None else _places(self._offers.span)
        self._index = NameIndex(spans.name)

    def usd_per_h(self, tiers_gbps: np.ndarray) -> np.ndarray:
        """Price of each span at these tiers, (spans,)."""
        usd, offers = self._fixed_usd.copy(), self._offers
        if offers is not None:
            place = offers.smallest_of(tiers_gbps[offers.span][:, None])[:, 0]
            usd[offers.span] = offers.usd_per_h[np.arange(len(place)), place]
        for row, tariff in self._tariffs.items():
            usd[row] = tariff.usd_per_h(float(tiers_gbps[row]))
        return usd

    def of(self, row: int, tier_gbps: float) -> float:
        """Price of one span at a tier."""
        tiers = self.built_gbps.copy()
        tiers[row] = tier_gbps
        return float(self.usd_per_h(tiers)[row])

    def refusal(self, row: int, tier_gbps: float) -> str | None:
        """Why a tier cannot be bought; None if it can."""
        if row in self._tariffs:
            return None
        menu = self._menus.get(row)
        if menu is None or self._offers is None:
            return "order-not-for-sale"
        is_there = np.isclose(self._offers.tier_gbps[menu], tier_gbps, rtol=1e-6, atol=0.0)
        return None if is_there.any() else "order-not-on-menu"

    def paid_s(self, row: int) -> float:
        """For how long an order may be paid at least: until it is live, and one block."""
        menu, offers = self._menus.get(row), self._offers
        if menu is None or offers is None:
            return 0.0
        block = np.fmax(offers.min_billed_s[menu], offers.billed_every_s[menu])
        return float(np.nanmax(offers.delay_cap_s[menu] + block))

    def as_built(self) -> SpanState:
        """Before telemetry says anything."""
        return SpanState(self.built_gbps.copy(), np.full(len(self.built_gbps), np.nan))

    def carried(self, known: SpanState, other: Prices) -> SpanState:
        """What is known of the spans of another network, by name; new ones are as built."""
        state = self.as_built()
        for name, row in self.rows.items():
            if (before := other.rows.get(name)) is not None:
                state.tier_gbps[row] = known.tier_gbps[before]
                state.pending_gbps[row] = known.pending_gbps[before]
        return state

    def state(self, record: SpanTelemetry, known: SpanState) -> SpanState:
        """Tiers by telemetry, matched by name; what was `known` where it says nothing credible."""
        try:
            found = self._index.find(record.name)
            tier, pending = found.take(record.tier_gbps), found.take(record.pending_gbps)
        except (AttributeError, IndexError, TypeError, ValueError):  # made around its checks
            return known
        coming = np.where(np.isfinite(pending) & (pending >= 0), pending, np.nan)
        if found.is_missing is not None:
            coming = np.where(found.is_missing, known.pending_gbps, coming)
        return SpanState(np.where(np.isfinite(tier) & (tier >= 0), tier, known.tier_gbps), coming)


def _places(spans: np.ndarray) -> dict[int, int]:
    return {int(row): menu for menu, row in enumerate(spans)}
