"""Features of the spans that are sold: what a policy sees of tiers, orders and prices. NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bwalloc.observe.feature import SPAN_FEATURES

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.observe.readings import Readings

HOUR_S = 3600.0
LATE = 0.95
"""Quantile of the delay that is seen."""
LEAST = 1e-3
"""Share of the largest tier that is added to a tier and to a load before taking their ratio."""
CHEAP = 2.0**-7
"""Price over value below which nothing is told apart."""
DIGITS = 2
"""Of seconds that were stored as hours in float32."""


@dataclass(frozen=True, slots=True)
class SpanOutlook:
    """What is expected of each span that is sold, batch last; float64, or float32 for `age_s`.

    Attributes:
        load_gbps: of the busier direction when an order of now would land, with the rate by which
            backlogs meet their deadlines, (offered, B).
        value_usd_per_gbit: mean value of that load, (offered, B).
        age_s: for how long an order has been on its way, 0 without one, (offered, B).
    """

    load_gbps: np.ndarray
    value_usd_per_gbit: np.ndarray
    age_s: np.ndarray


class SeenSpans(NamedTuple):
    """What features of spans still say of readings, (offered, B) each.

    Attributes:
        tier_gbps, paid_left_s: as in `Readings`.
        is_pending: whether an order is on its way.
        load_gbps: as in `SpanOutlook`, at the bound of its feature where that was left.
        is_load_known: where it was not.
    """

    tier_gbps: np.ndarray
    paid_left_s: np.ndarray
    is_pending: np.ndarray
    load_gbps: np.ndarray
    is_load_known: np.ndarray


class SpanObserver:
    """Turns readings into features of spans for one network; holds constants only."""

    def __init__(self, network: Network) -> None:
        """Collect tiers and prices; a network that sells nothing has no rows."""
        offers = network.offers
        low, high = (np.array([f[place] for f in SPAN_FEATURES], np.float32) for place in (1, 2))
        self.bounds = low[:, None, None], high[:, None, None]
        self.tiers = np.zeros((0, 1)) if offers is None else offers.tier_gbps
        if offers is None:
            return
        self.largest = offers.largest_gbps[:, None]
        delay = np.where(offers.is_sold, offers.delay_s(LATE), 0.0)
        self.delay = delay.max(1)[:, None] / HOUR_S
        self.up, self.down = _steps_usd(offers.tier_gbps, offers.usd_per_h)

    def __call__(self, readings: Readings, outlook: SpanOutlook | None) -> np.ndarray:
        """Clipped features, float32 (features, offered, B).

        Args:
            readings: of the interval that just ended, on NumPy.
            outlook: of the coming one; None where nothing is sold.
        """
        if outlook is None:
            return np.zeros((len(SPAN_FEATURES), 0, readings.offered_gbps.shape[1]), np.float32)
        tier, pending = (
            np.asarray(part, np.float64) for part in (readings.tier_gbps, readings.pending_gbps)
        )
        away = np.abs(self.tiers[:, :, None] - tier[:, None])
        place = np.nan_to_num(away, nan=np.inf).argmin(1)
        coming = np.where(np.isnan(pending), tier, pending)
        soft, value = LEAST * self.largest, outlook.value_usd_per_gbit * HOUR_S + 1e-12
        columns = [
            tier / self.largest,
            np.log2((outlook.load_gbps + soft) / (tier + soft)),
            np.asarray(readings.paid_left_s, np.float64) / HOUR_S,
            np.where(np.isnan(pending), 0.0, 1.0),
            np.log2((coming + soft) / (tier + soft)),
            np.asarray(outlook.age_s, np.float64) / HOUR_S,
            np.log2(np.maximum(np.take_along_axis(self.up, place, 1) / value, CHEAP)),
            np.log2(np.maximum(np.take_along_axis(self.down, place, 1) / value, CHEAP)),
            np.broadcast_to(self.delay, tier.shape),
        ]
        low, high = self.bounds
        return np.clip(np.stack(columns).astype(np.float32), low, high)

    def undone(self, features: np.ndarray) -> SeenSpans:
        """What was seen, of a network that sells capacity; `features` as the call gives them."""
        rows = {each.name: row for each, row in zip(SPAN_FEATURES, features, strict=True)}
        low, high = next((each.low, each.high) for each in SPAN_FEATURES if each.name == "load")
        tier, soft = rows["tier"].astype(np.float64) * self.largest, LEAST * self.largest
        load = np.exp2(rows["load"].astype(np.float64)) * (tier + soft) - soft
        return SeenSpans(
            tier_gbps=tier,
            paid_left_s=np.round(rows["paid"].astype(np.float64) * HOUR_S, DIGITS),
            is_pending=rows["pending"] > 0,
            load_gbps=np.maximum(load, 0.0),
            is_load_known=(rows["load"] > low) & (rows["load"] < high),
        )


def _steps_usd(tier_gbps: np.ndarray, usd_per_h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """USD an hour per Gbit/s of the step to the next tier up, and of that from the next one down.

    Infinite where there is no tier above, 0 where there is none below, (offered, tiers) each.
    """
    step = np.maximum(np.diff(usd_per_h, axis=1) / np.diff(tier_gbps, axis=1), 0.0)
    none = np.zeros((len(tier_gbps), 1))
    up = np.concatenate([step, none + np.inf], 1)
    down = np.concatenate([none, step], 1)
    return np.where(np.isnan(up), np.inf, up), np.where(np.isnan(down), 0.0, down)
