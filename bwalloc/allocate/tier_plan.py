"""The best orders of one span whose capacity has a known worth: an exact dynamic programme.

The state before an interval is the tier and for how many intervals it is paid; an order jumps to
the interval in which it lands, with what the old tier brings meanwhile. Every path that any
allocator can take is among those it compares, under the same delays, refusals and bill as in the
simulator, so its value is the most that the span can bring.
Ref: Bertsekas, Dynamic Programming and Optimal Control (2017), ch. 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.network.offers import in_intervals

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bwalloc.network.offers import Offers
    from bwalloc.scenario import Scenario, World

NO_ORDER = -1


@dataclass(frozen=True, slots=True)
class TierPath:
    """Orders of one span and what they lead to.

    Attributes:
        usd: worth less bill of the counted intervals.
        bill_usd: the bill in it.
        orders: place of the tier ordered before each interval, or `NO_ORDER`.
        tiers: place of the tier that is active in each.
    """

    usd: float
    bill_usd: float
    orders: Int[np.ndarray, " intervals"]
    tiers: Int[np.ndarray, " intervals"]


class TierPlanner:
    """Best paths of the spans of one episode; times are counted in intervals."""

    def __init__(self, scenario: Scenario, world: World) -> None:
        """Read menus, fates and prices."""
        offers, timing = scenario.network.offers, scenario.timing
        assert offers is not None
        assert world.fates is not None
        self.offers, self.fates, self.intervals = offers, world.fates, timing.intervals
        self.counted = np.arange(timing.intervals) >= timing.warmup_intervals
        self.usd = offers.usd_per_h * timing.interval_s / 3600.0 * world.fates.price_factor
        self.every, self.minimum, self.block = (
            in_intervals(seconds, timing.interval_s)
            for seconds in (offers.order_every_s, offers.min_billed_s, offers.billed_every_s)
        )

    def best(self, row: int, worth_usd: Float[np.ndarray, "intervals tiers"]) -> TierPath:
        """The best path of menu `row`, if its tiers are worth `worth_usd` in each interval."""
        sold = int(self.offers.is_sold[row].sum())
        worth_usd = worth_usd[:, :sold]
        gain = worth_usd - self.counted[:, None] * self.usd[row, :sold]
        total = np.concatenate([np.zeros((1, sold)), gain.cumsum(0)])
        value, choice = self._backwards(row, sold, gain, total)
        first = int(self.offers.first[row])
        usd = float(value[0, first, self.minimum[row, first]])
        orders, tiers = self._forwards(row, choice)
        earned = float(worth_usd[np.arange(self.intervals), tiers].sum())
        return TierPath(usd, earned - usd, orders, tiers)

    def _backwards(
        self, row: int, sold: int, gain: np.ndarray, total: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Value by interval, tier and intervals paid for, and the order that brings it."""
        most = int(max(self.minimum[row, :sold].max(), self.block[row, :sold].max()))
        paid, end = np.arange(most + 1), self.intervals
        value = np.full((end + 1, sold, most + 1), 0.0)
        choice = np.full((end, sold, most + 1), NO_ORDER, np.int8)
        usd = self.usd[row, :sold]
        rest = self.counted[-1] * usd[:, None] * np.maximum(paid - 1, 0)
        value[end - 1] = gain[end - 1][:, None] - rest
        following = np.where(paid > 1, paid - 1, self.block[row, :sold, None])
        for now in range(end - 2, -1, -1):
            value[now] = gain[now][:, None] + np.take_along_axis(value[now + 1], following, 1)
            for tier in self._orderable(row, sold, now):
                lands = now + int(self.fates.wait[now, row, tier])
                left = self._left(row, sold, paid, lands - 1 - now)
                forfeit = self.counted[lands - 1] * usd[:, None] * (left - 1)
                meanwhile = (total[lands] - total[now])[:, None]
                then = value[lands, tier, self.minimum[row, tier]]
                ordered = meanwhile - forfeit + then
                ordered[tier] = -np.inf
                better = ordered > value[now]
                value[now] = np.where(better, ordered, value[now])
                choice[now][better] = tier
        return value, choice

    def _orderable(self, row: int, sold: int, now: int) -> np.ndarray:
        """Tiers whose order would be taken now and land before the end."""
        fits = now + self.fates.wait[now, row, :sold] < self.intervals
        is_time = now % self.every[row, :sold] == 0
        return np.flatnonzero(is_time & fits & ~self.fates.is_refused[now, row, :sold])

    def _left(self, row: int, sold: int, paid: np.ndarray, steps: int) -> np.ndarray:
        """Intervals paid for after some steps, block after block, (tiers, paid)."""
        block = self.block[row, :sold, None]
        return np.where(steps < paid, paid - steps, block - (steps - paid) % block)

    def _forwards(self, row: int, choice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        orders = np.full(self.intervals, NO_ORDER, np.int8)
        tiers = np.zeros(self.intervals, np.int64)
        tier = int(self.offers.first[row])
        paid, now = int(self.minimum[row, tier]), 0
        while now < self.intervals:
            order = int(choice[now, tier, paid])
            if order == NO_ORDER:
                tiers[now], now = tier, now + 1
                paid = paid - 1 if paid > 1 else int(self.block[row, tier])
                continue
            lands = now + int(self.fates.wait[now, row, order])
            orders[now], tiers[now:lands] = order, tier
            tier, paid, now = order, int(self.minimum[row, order]), lands
        return orders, tiers


def tier_worth(offers: Offers, menu: np.ndarray, link_worth: np.ndarray) -> np.ndarray:
    """Worth of each tier where capacity has a price, (offered, intervals, tiers).

    Args:
        offers: what is sold.
        menu: row of the span of each link, -1 where it is not sold.
        link_worth: of the largest tiers, (links, intervals).
    """
    worth = np.zeros((len(offers.span), link_worth.shape[1]))
    sold = menu >= 0
    np.add.at(worth, menu[sold], link_worth[sold])
    return worth[:, :, None] * offers.share[:, None]
