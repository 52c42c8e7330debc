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
    from jaxtyping import Bool, Float, Int

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


@dataclass(frozen=True, slots=True)
class Terms:
    """The menu of one span over some steps; times are counted in steps.

    Attributes:
        usd: price of a step, (tiers,).
        minimum, block: steps of the first paid block, and of any further one, (tiers,).
        lands: step in which an order of each tier lands that is placed before a step.
        is_taken: whether such an order is taken and lands in time, (steps, tiers).
        counted: which steps are billed, (steps,).
    """

    usd: Float[np.ndarray, " tiers"]
    minimum: Int[np.ndarray, " tiers"]
    block: Int[np.ndarray, " tiers"]
    lands: Int[np.ndarray, "steps tiers"]
    is_taken: Bool[np.ndarray, "steps tiers"]
    counted: Bool[np.ndarray, " steps"]


def backwards(
    terms: Terms, worth_usd: Float[np.ndarray, "steps tiers columns"]
) -> tuple[np.ndarray, np.ndarray]:
    """The best from each step on, of columns that share a menu.

    Args:
        terms: of the menu.
        worth_usd: what each tier is worth in each step.

    Returns:
        USD, worth less bill, and the order that brings it (`NO_ORDER`), by step, tier, steps paid
        for, and column.
    """
    end, sold, columns = worth_usd.shape
    gain = worth_usd - (terms.counted[:, None] * terms.usd)[:, :, None]
    total = np.concatenate([np.zeros((1, sold, columns)), gain.cumsum(0)])
    most = int(max(terms.minimum.max(), terms.block.max()))
    paid, tiers = np.arange(most + 1), np.arange(sold)[:, None]
    value = np.zeros((end + 1, sold, most + 1, columns))
    choice = np.full((end, sold, most + 1, columns), NO_ORDER, np.int16)
    rest = terms.counted[-1] * terms.usd[:, None] * np.maximum(paid - 1, 0)
    value[end - 1] = gain[end - 1][:, None] - rest[:, :, None]
    following = np.where(paid > 1, paid - 1, terms.block[:, None])
    lost: dict[int, np.ndarray] = {}
    for now in range(end - 2, -1, -1):
        value[now] = gain[now][:, None] + value[now + 1][tiers, following]
        for tier in np.flatnonzero(terms.is_taken[now]):
            lands = int(terms.lands[now, tier])
            steps = lands - 1 - now
            if steps not in lost:
                lost[steps] = _forfeit_usd(terms, paid, steps)
            meanwhile = (total[lands] - total[now])[:, None]
            then = value[lands, tier, terms.minimum[tier]]
            ordered = meanwhile - terms.counted[lands - 1] * lost[steps] + then
            ordered[tier] = -np.inf
            better = ordered > value[now]
            value[now] = np.where(better, ordered, value[now])
            choice[now][better] = tier
    return value, choice


def _forfeit_usd(terms: Terms, paid: np.ndarray, steps: int) -> np.ndarray:
    """What a change forfeits that lands some steps on, block after block, (tiers, paid, 1)."""
    blocks = terms.block[:, None]
    left = np.where(steps < paid, paid - steps, blocks - (steps - paid) % blocks)
    return (terms.usd[:, None] * (left - 1))[:, :, None]


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
        terms = self.terms(row)
        worth_usd = worth_usd[:, : len(terms.usd)]
        value, choice = backwards(terms, worth_usd[:, :, None])
        first = int(self.offers.first[row])
        usd = float(value[0, first, self.minimum[row, first], 0])
        orders, tiers = self._forwards(row, choice[:, :, :, 0])
        earned = float(worth_usd[np.arange(self.intervals), tiers].sum())
        return TierPath(usd, earned - usd, orders, tiers)

    def terms(self, row: int) -> Terms:
        """The menu of a span under the fates of the episode."""
        sold = int(self.offers.is_sold[row].sum())
        now = np.arange(self.intervals)[:, None]
        lands = now + self.fates.wait[:, row, :sold]
        is_time = now % self.every[row, :sold] == 0
        is_taken = is_time & (lands < self.intervals) & ~self.fates.is_refused[:, row, :sold]
        minimum, block = self.minimum[row, :sold], self.block[row, :sold]
        return Terms(self.usd[row, :sold], minimum, block, lands, is_taken, self.counted)

    def _forwards(self, row: int, choice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        orders = np.full(self.intervals, NO_ORDER, np.int16)
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
