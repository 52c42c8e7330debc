"""The bill: what was spent in each month, and how many orders went out within an hour."""

from __future__ import annotations

import calendar
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

HOUR_S = 3600.0
MONTHS = 12
"""Months that are remembered: a clock that goes astray finds its month again."""


class Bill:
    """Adds up what is bought; durations are monotonic, so that no jump of the day buys or frees."""

    def __init__(self) -> None:
        """Nothing was bought."""
        self.month = ""
        self._spent: dict[str, float] = {}
        self._seen_s: float | None = None
        self._orders: deque[float] = deque()

    @property
    def spent_usd(self) -> float:
        """In the month of the last look."""
        return self._spent.get(self.month, 0.0)

    @property
    def orders(self) -> int:
        """Orders of the 60 minutes before the last look."""
        return len(self._orders)

    def run(self, now: datetime, now_s: float, usd_per_h: float) -> None:
        """Bill the time since the last look at this rate.

        Args:
            now: UTC; says which month it is.
            now_s: monotonic seconds.
            usd_per_h: what was bought since then.
        """
        self.month = f"{now:%Y-%m}"
        if self._seen_s is not None:
            in_month_s = (now - _begin(now)).total_seconds()
            seconds = min(max(now_s - self._seen_s, 0.0), in_month_s)
            self._spent[self.month] = self.spent_usd + usd_per_h * seconds / HOUR_S
        self._seen_s = now_s
        while len(self._spent) > MONTHS:
            del self._spent[min(self._spent)]
        while self._orders and now_s - self._orders[0] >= HOUR_S:
            self._orders.popleft()

    def ordered(self, now_s: float) -> None:
        """Count an order."""
        self._orders.append(now_s)

    def orders_within_hour(self, now_s: float) -> int:
        """Orders of the last 60 minutes."""
        return sum(now_s - when < HOUR_S for when in self._orders)

    def to_record(self, now_s: float) -> dict[str, Any]:
        """What a later process must know: spending by month, ages of the orders in seconds."""
        ages = [round(now_s - when, 3) for when in self._orders if now_s - when < HOUR_S]
        spent = {month: round(usd, 6) for month, usd in self._spent.items()}
        return {"spent_usd": spent, "order_ages_s": ages}

    def restore(
        self, record: Mapping[str, Any], since_s: float, now: datetime, now_s: float, usd: float
    ) -> None:
        """Go on from what an earlier process left.

        Args:
            record: of `to_record`.
            since_s: seconds since it was written.
            now: UTC.
            now_s: monotonic seconds.
            usd: USD an hour that were bought meanwhile.
        """
        self._spent = {str(k): float(v) for k, v in record["spent_usd"].items()}
        ages = sorted((float(age) + since_s for age in record["order_ages_s"]), reverse=True)
        self._orders = deque(now_s - age for age in ages if age < HOUR_S)
        self._seen_s = now_s - max(since_s, 0.0)
        self.run(now, now_s, usd)


def hours_left(now: datetime) -> float:
    """Hours to the end of the month."""
    days = calendar.monthrange(now.year, now.month)[1]
    return (_begin(now) + timedelta(days=days) - now).total_seconds() / HOUR_S


def _begin(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
