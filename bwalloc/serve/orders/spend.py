"""The spend guard: no order gets past the caps, whoever wants it and however often."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.control import Order
from bwalloc.serve.books.status import Money
from bwalloc.serve.orders.approvals import Approvals
from bwalloc.serve.orders.bill import Bill, hours_left
from bwalloc.serve.reasons import reason

if TYPE_CHECKING:
    from datetime import datetime

    from bwalloc.allocate.limits import Limits, Times
    from bwalloc.control import SpanTelemetry
    from bwalloc.serve.books.chronicle import Left
    from bwalloc.serve.orders.prices import Prices

ROUNDING = 1e-9
"""Overrun of a cap that sums of float64 may show, as a share."""


class SpendGuard:
    """Caps on orders, money spent so far, and orders that wait for an operator.

    An order is judged as if nothing were ever released again, because fallbacks release nothing:
    the hourly bill counts the dearest of a span's tier, the one under way, and one that was ordered
    and may still be paid for; the month's bill goes on at that rate to the end of the month. So the
    caps hold even if the policy dies, and however an order is billed.
    """

    def __init__(self, prices: Prices, limits: Limits, times: Times) -> None:
        """Nothing was spent yet."""
        self.prices, self.limits, self.times = prices, limits, times
        self.state = self._seen = prices.as_built()
        self.bill = Bill()
        self.approvals = Approvals(limits)
        self._placed: dict[str, tuple[float, float]] = {}
        self._paid: dict[str, tuple[float, float]] = {}

    def rebind(self, prices: Prices, times: Times) -> None:
        """Go on for another network, by name; spans that it has not are forgotten."""
        self.state = self._seen = prices.carried(self._seen, self.prices)
        self.prices, self.times = prices, times
        self.approvals.keep(prices.rows)
        self._placed = {k: v for k, v in self._placed.items() if k in prices.rows}
        self._paid = {k: v for k, v in self._paid.items() if k in prices.rows}

    @property
    def usd_per_h(self) -> float:
        """What is bought now, of each span the dearest that may be due."""
        return float(self._committed_usd().sum())

    def to_record(self, now_s: float) -> dict[str, Any]:
        """What a later process must know of spans: tiers, what is ordered, paid for, and waits."""
        tiers, built, prices = self._seen.tier_gbps, self.prices.built_gbps, self.prices
        return {
            "tiers": {k: float(tiers[v]) for k, v in prices.rows.items() if tiers[v] != built[v]},
            "placed": {
                span: (tier, round(now_s - when_s, 3))
                for span, (tier, when_s) in self._placed.items()
            },
            "paid": {
                span: (usd, round(until_s - now_s, 3))
                for span, (usd, until_s) in self._paid.items()
            },
            **self.approvals.to_record(now_s),
        }

    def restore(self, left: Left, now: datetime, now_s: float) -> None:
        """Go on from what the process before left; what it bought was paid for meanwhile."""
        since_s, rows = max(0.0, (now - left.at).total_seconds()), self.prices.rows
        then_s = now_s - since_s
        for span, tier in left.tiers.items():
            if span in rows:
                self._seen.tier_gbps[rows[span]] = tier
        placed = {span: (tier, then_s - age_s) for span, (tier, age_s) in left.placed.items()}
        paid = {span: (usd, then_s + left_s) for span, (usd, left_s) in left.paid.items()}
        self._placed = {k: v for k, v in placed.items() if k in rows}
        self._paid = {k: v for k, v in paid.items() if k in rows}
        self.approvals.restore(left.waiting, left.rejected, then_s)
        self.approvals.keep(rows)
        record = {"spent_usd": left.spent_usd, "order_ages_s": left.order_ages_s}
        self.bill.restore(record, since_s, now, now_s, left.usd_per_h)

    def see(self, record: SpanTelemetry) -> None:
        """Take in which tiers telemetry shows; billed from the next `account` on."""
        self._seen = self.prices.state(record, self._seen)

    def account(self, now: datetime, now_s: float) -> None:
        """Bill the time since the last look at what was bought; a month begins at 0."""
        self.bill.run(now, now_s, self.usd_per_h)
        self.state = state = self._seen
        for span, (tier, when_s) in list(self._placed.items()):
            is_done = float(state.tier_gbps[self.prices.rows[span]]) == tier
            if is_done or now_s - when_s > self.times.last_good_s:  # done, or never shown
                del self._placed[span]
        self._paid = {k: v for k, v in self._paid.items() if v[1] > now_s}

    def consider(
        self, orders: Sequence[Order], now: datetime, now_s: float
    ) -> tuple[tuple[Order, ...], tuple[str, ...]]:
        """Orders to place now, and what became of the others by reason.

        Call `account` first. Approved orders come before those of the policy, and are held to the
        caps again.
        """
        words: Counter[str] = Counter()
        placed: list[Order] = []
        for order in self.approvals.take_approved():
            word = self._refusal(order, now) or "order-approved"
            words[word] += 1
            if word == "order-approved":
                placed.append(self._place(order, now_s))
        seen = {order.span for order in placed}
        most = len(self.prices.rows) + 1
        words["order-invalid"] += max(0, len(orders) - most)
        for order in orders[:most]:
            word = "order-invalid" if order.span in seen else self._refusal(order, now)
            seen.add(order.span)
            word = word or self.approvals.word(order, *self._change(order), now, now_s)
            if word is None:
                placed.append(self._place(order, now_s))
            else:
                words[word] += 1
        words["order-lapsed"] += self.approvals.lapse(now_s)
        said = tuple(reason(word, count) for word, count in words.items() if count)
        return tuple(placed), said

    def money(self, now_s: float) -> Money:
        """The bill as the status shows it."""
        limits = self.limits
        return Money(
            usd_per_h=float(self.prices.usd_per_h(self.state.tier_gbps).sum()),
            max_usd_per_h=_finite(limits.max_usd_per_h),
            month=self.bill.month,
            spent_usd=self.bill.spent_usd,
            max_usd_per_month=_finite(limits.max_usd_per_month),
            orders_last_hour=self.bill.orders_within_hour(now_s),
            max_orders_per_h=_finite(limits.max_orders_per_h),
            approval_above_usd_per_h=_finite(limits.approval_above_usd_per_h),
        )

    def _place(self, order: Order, now_s: float) -> Order:
        self.bill.ordered(now_s)
        row, tier = self.prices.rows[order.span], float(order.tier_gbps)
        usd, until_s = self._paid.get(order.span, (0.0, now_s))
        until_s = max(until_s, now_s + self.prices.paid_s(row))
        self._paid[order.span] = max(usd, self.prices.of(row, tier)), until_s
        self._placed[order.span] = (tier, now_s)
        self.approvals.forget(order.span)
        return order

    def _refusal(self, order: Order, now: datetime) -> str | None:
        """The word of the first limit that an order breaks; None if it may be placed."""
        row, tier, limits = self.prices.rows.get(order.span), order.tier_gbps, self.limits
        if row is None:
            return "order-unknown-span"
        if not (math.isfinite(tier) and tier >= 0):
            return "order-invalid"
        if (word := self.prices.refusal(row, tier)) is not None:
            return word
        if order.span in self._placed or not math.isnan(self.state.pending_gbps[row]):
            return "order-pending"
        if tier == self.state.tier_gbps[row]:
            return "order-no-change"
        if self.bill.orders + 1 > limits.max_orders_per_h:
            return "order-over-rate"
        return None if self._change(order)[1] <= 0 else self._over_cap(row, tier, now)

    def _over_cap(self, row: int, tier: float, now: datetime) -> str | None:
        committed = self._committed_usd()
        committed[row] = max(committed[row], self.prices.of(row, tier))
        usd_per_h = float(committed.sum())
        if not usd_per_h <= self.limits.max_usd_per_h * (1 + ROUNDING):
            return "order-over-hourly-cap"
        month = self.bill.spent_usd + usd_per_h * hours_left(now)
        if not month <= self.limits.max_usd_per_month * (1 + ROUNDING):
            return "order-over-monthly-cap"
        return None

    def _change(self, order: Order) -> tuple[float, float]:
        """Tier now, and what the order adds to the hourly bill."""
        row = self.prices.rows[order.span]
        now = float(self.state.tier_gbps[row])
        return now, self.prices.of(row, order.tier_gbps) - self.prices.of(row, now)

    def _committed_usd(self) -> np.ndarray:
        """USD an hour of each span, the dearest that may be due, (spans,)."""
        prices, state = self.prices, self.state
        coming = np.where(np.isnan(state.pending_gbps), state.tier_gbps, state.pending_gbps)
        usd = np.maximum(prices.usd_per_h(state.tier_gbps), prices.usd_per_h(coming))
        for span, (tier, _) in self._placed.items():
            row = prices.rows[span]
            usd[row] = max(usd[row], prices.of(row, tier))
        for span, (paid, _) in self._paid.items():
            row = prices.rows[span]
            usd[row] = max(usd[row], paid)
        return usd


def _finite(limit: float) -> float | None:
    return limit if math.isfinite(limit) else None
