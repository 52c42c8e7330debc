"""What can be ordered: on each span that is sold, a menu of tiers with price, delay and terms."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bwalloc.network.topology import Links

NOT_SOLD = np.nan
"""Stands for a tier where a menu is shorter than the longest one."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Menus of tiers; one row per span that is sold, tiers ascending, padded with `NOT_SOLD`.

    Providers may sell side by side on a span, each its own tiers: a tier says whose it is. Times
    are in seconds. An order is accepted only at multiples of `order_every_s` since the episode
    began. A tier is billed in whole blocks from its activation on: the first of `min_billed_s`, any
    further one of `billed_every_s`.

    Attributes:
        span: row in `Spans` of each menu.
        first: place in its menu of the tier that a span begins with.
        tier_gbps, usd_per_h: of each tier.
        provider: who sells each tier, "" where a menu is padded.
        delay_median_s, delay_sigma, delay_cap_s: lognormal time from order to activation.
        rejection: probability that an order comes to nothing after its delay.
        min_billed_s, billed_every_s, order_every_s: terms of each tier.
    """

    span: Int[np.ndarray, " offered"]
    first: Int[np.ndarray, " offered"]
    tier_gbps: Float[np.ndarray, "offered tiers"]
    usd_per_h: Float[np.ndarray, "offered tiers"]
    provider: tuple[tuple[str, ...], ...]
    delay_median_s: Float[np.ndarray, "offered tiers"]
    delay_sigma: Float[np.ndarray, "offered tiers"]
    delay_cap_s: Float[np.ndarray, "offered tiers"]
    rejection: Float[np.ndarray, "offered tiers"]
    min_billed_s: Float[np.ndarray, "offered tiers"]
    billed_every_s: Float[np.ndarray, "offered tiers"]
    order_every_s: Float[np.ndarray, "offered tiers"]

    @property
    def is_sold(self) -> np.ndarray:
        """Which places of the menus hold a tier, (offered, tiers)."""
        return np.isfinite(self.tier_gbps)

    @property
    def largest_gbps(self) -> np.ndarray:
        """The largest tier of each menu, (offered,)."""
        return np.nanmax(self.tier_gbps, axis=1)

    @property
    def share(self) -> np.ndarray:
        """Each tier as a share of the largest one, 0 where a menu is padded, (offered, tiers)."""
        return np.nan_to_num(self.tier_gbps) / self.largest_gbps[:, None]

    def delay_s(self, quantile: float) -> np.ndarray:
        """The quantile of each tier's delay, (offered, tiers)."""
        deviation = NormalDist().inv_cdf(min(max(quantile, 1e-6), 1 - 1e-6))
        return self.delay_under(np.full(1, deviation))

    def delay_under(self, normal: np.ndarray) -> np.ndarray:
        """Delays under standard normal draws (..., offered or 1), (..., offered, tiers)."""
        drawn = self.delay_median_s * np.exp(self.delay_sigma * normal[..., None])
        return np.minimum(drawn, self.delay_cap_s)

    def smallest_of(self, gbps: np.ndarray) -> np.ndarray:
        """Place of the smallest tier of at least `gbps` (offered, B), else of the largest."""
        fits = self.is_sold[:, :, None] & (self.tier_gbps[:, :, None] >= gbps[:, None])
        largest = self.is_sold.sum(1)[:, None] - 1
        return np.where(fits.any(1), fits.argmax(1), largest)

    def links_of(self, links: Links) -> np.ndarray:
        """Menu of the span of each link, -1 where it is not for sale, (links,)."""
        menu = np.full(int(links.span.max(initial=-1)) + 2, -1)
        menu[self.span] = np.arange(len(self.span))
        return menu[links.span]


def in_intervals(seconds: np.ndarray, interval_s: float) -> np.ndarray:
    """Whole intervals, rounded up, at least one."""
    return np.maximum(np.ceil(seconds / interval_s - 1e-9), 1).astype(np.int64)
