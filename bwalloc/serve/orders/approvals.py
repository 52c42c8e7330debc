"""Orders that add so much to the bill that an operator must approve them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from bwalloc.control import Order
from bwalloc.errors import unknown_name
from bwalloc.serve.books.status import Waiting

if TYPE_CHECKING:
    from datetime import datetime

    from bwalloc.allocate.limits import Limits


@dataclass(frozen=True)
class _Kept:
    """An order that waits, and when (monotonic seconds) it began to."""

    order: Waiting
    since_s: float


class Approvals:
    """At most one order per span waits; a policy that repeats itself adds none.

    An order that was rejected is refused for as long as it would have waited.
    """

    def __init__(self, limits: Limits) -> None:
        """Nothing waits."""
        self.limits = limits
        self._waiting: dict[str, _Kept] = {}
        self._rejected: dict[str, tuple[float, float]] = {}
        self._numbers = 0

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Orders that wait, or were approved and not placed yet."""
        return tuple(kept.order for kept in list(self._waiting.values()))

    def keep(self, spans: Container[str]) -> None:
        """Forget orders of all other spans."""
        self._waiting = {k: v for k, v in self._waiting.items() if k in spans}
        self._rejected = {k: v for k, v in self._rejected.items() if k in spans}

    def word(
        self, order: Order, from_gbps: float, more_usd_per_h: float, now: datetime, now_s: float
    ) -> str | None:
        """Why an order is not placed now; None if it needs no approval.

        Args:
            order: that keeps all other limits.
            from_gbps: tier of its span now.
            more_usd_per_h: what it adds to the bill.
            now: UTC.
            now_s: monotonic seconds.
        """
        if more_usd_per_h <= self.limits.approval_above_usd_per_h:
            return None
        tier, until_s = self._rejected.get(order.span, (-1.0, 0.0))
        if tier == order.tier_gbps and now_s < until_s:
            return "order-rejected"
        kept = self._waiting.get(order.span)
        if kept is None or kept.order.tier_gbps != order.tier_gbps:
            said = Waiting(
                id=self._new_id(now),
                span=order.span,
                from_gbps=from_gbps,
                tier_gbps=float(order.tier_gbps),
                more_usd_per_h=more_usd_per_h,
                since=now,
                is_approved=False,
            )
            self._waiting[order.span] = _Kept(said, now_s)
        return "order-waits"

    def to_record(self, now_s: float) -> dict[str, Any]:
        """What a later process must know: what waits, since when; what was rejected, how long."""
        return {
            "waiting": [
                (asdict(kept.order) | {"since": kept.order.since.isoformat()}, _age(kept, now_s))
                for kept in self._waiting.values()
            ],
            "rejected": {
                span: (tier, round(until_s - now_s, 3))
                for span, (tier, until_s) in self._rejected.items()
                if until_s > now_s
            },
        }

    def restore(
        self,
        waiting: Iterable[tuple[Waiting, float]],
        rejected: Mapping[str, tuple[float, float]],
        then_s: float,
    ) -> None:
        """Go on from what an earlier process left.

        Args:
            waiting: orders, and how long they had waited.
            rejected: by span, a tier and for how long it was to be refused.
            then_s: when that was written, monotonic seconds of this process.
        """
        self._waiting = {order.span: _Kept(order, then_s - age_s) for order, age_s in waiting}
        self._rejected = {
            span: (tier, then_s + left_s) for span, (tier, left_s) in rejected.items()
        }

    def approve(self, order_id: str) -> Waiting:
        """Let an order be placed.

        Raises:
            UnknownNameError: No such order waits.
        """
        kept = self._find(order_id)
        order = replace(kept.order, is_approved=True)
        self._waiting[order.span] = replace(kept, order=order)
        return order

    def reject(self, order_id: str, now_s: float) -> Waiting:
        """Strike an order.

        Raises:
            UnknownNameError: No such order waits.
        """
        order = self._find(order_id).order
        self.forget(order.span)
        self._rejected[order.span] = (order.tier_gbps, now_s + self.limits.approval_waits_s)
        return order

    def take_approved(self) -> list[Order]:
        """Orders that were approved; they wait no longer."""
        approved = [kept.order for kept in self._waiting.values() if kept.order.is_approved]
        for order in approved:
            self.forget(order.span)
        return [Order(order.span, order.tier_gbps) for order in approved]

    def lapse(self, now_s: float) -> int:
        """Forget what waited too long; how many."""
        lapsed = [
            span
            for span, kept in self._waiting.items()
            if now_s - kept.since_s > self.limits.approval_waits_s
        ]
        for span in lapsed:
            self.forget(span)
        return len(lapsed)

    def forget(self, span: str) -> None:
        """The order of a span waits no longer."""
        self._waiting.pop(span, None)

    def _new_id(self, now: datetime) -> str:
        """One that none of those that wait has, those of an earlier process included."""
        known = {kept.order.id for kept in self._waiting.values()}
        while True:
            self._numbers += 1
            made = f"{now:%Y%m%dT%H%M%S}-{self._numbers}"
            if made not in known:
                return made

    def _find(self, order_id: str) -> _Kept:
        known = {kept.order.id: kept for kept in self._waiting.values()}
        if order_id not in known:
            raise unknown_name(
                kind="waiting order", name=order_id, known=known, remedy="See the status."
            )
        return known[order_id]


def _age(kept: _Kept, now_s: float) -> float:
    return round(now_s - kept.since_s, 3)
