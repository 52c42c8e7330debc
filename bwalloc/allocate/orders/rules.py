"""Rules that order capacity: which tier each span shall have, from telemetry and the record."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Protocol

import numpy as np

from bwalloc.allocate.orders.recent import RecentLoads, usual_gbps
from bwalloc.allocate.orders.span_load import SpanLoad
from bwalloc.observe import Window

if TYPE_CHECKING:
    from bwalloc.allocate.rule import Context, Rule
    from bwalloc.network import Network
    from bwalloc.observe import Readings

NO_ORDER = -1
LOOK_AHEAD_S = 1200.0
"""How far the recent mean is carried forward."""


class OrderLaw(Protocol):
    """Decides tiers; it owns what it remembers."""

    def reset(self) -> None:
        """Forget all history."""
        ...

    def push(self, readings: Readings) -> None:
        """Take in an interval."""
        ...

    def wanted(self, readings: Readings) -> np.ndarray:
        """Place in its menu of the tier each span shall have, `NO_ORDER` to wait, (offered, B)."""
        ...


class OrderingRule:
    """Rates of one rule, orders of a law, considered as often as the offers allow."""

    def __init__(self, context: Context, base: Rule, law: OrderLaw) -> None:
        """Hold both."""
        self.base, self.law = base, law
        self.every = order_every(context.network)
        self.load = load_of(context)
        self.interval = 0

    def reset(self, batch: int) -> None:
        """Forget all history."""
        self.base.reset(batch)
        self.law.reset()
        self.interval = 0

    def decide(self, readings: Readings) -> np.ndarray:
        """Rates for the capacities there are."""
        return self.base.decide(readings)

    def order(self, readings: Readings) -> np.ndarray:
        """What the law wants where it differs from what there is and nothing is on order."""
        self.law.push(readings)
        is_time, self.interval = self.interval % self.every == 0, self.interval + 1
        if not is_time:
            return np.full(readings.tier_gbps.shape, NO_ORDER)
        return changed(self.load, readings, self.law.wanted(readings))


def load_of(context: Context) -> SpanLoad:
    """The loads of the spans, with the tuned `thrift`."""
    return SpanLoad(context.network, context.constant("thrift", 0.0))


def order_every(network: Network) -> int:
    """Intervals between two moments at which some offer of the network takes orders."""
    assert network.offers is not None
    every = network.offers.order_every_s[network.offers.is_sold] / network.interval_s
    return int(np.gcd.reduce(np.maximum(np.ceil(every - 1e-9), 1).astype(np.int64)))


def changed(load: SpanLoad, readings: Readings, wanted: np.ndarray) -> np.ndarray:
    """`wanted` where it differs from what there is and nothing is on order, (offered, B)."""
    is_same = wanted == load.places(readings.tier_gbps)
    return np.where(np.isnan(readings.pending_gbps) & ~is_same, wanted, NO_ORDER)


class FixedTier:
    """One tier for ever; it is ordered when an episode begins with another."""

    def __init__(self, place: np.ndarray) -> None:
        """Hold the places, (offered,)."""
        self.place = place

    def reset(self) -> None:
        """Nothing to forget."""

    def push(self, readings: Readings) -> None:
        """Nothing to remember."""

    def wanted(self, readings: Readings) -> np.ndarray:
        """The same every time."""
        return np.repeat(self.place[:, None], readings.tier_gbps.shape[1], 1)


def peak_tier(context: Context) -> FixedTier:
    """Legacy: the smallest tier for the highest load of the record."""
    load = SpanLoad(context.network)
    recorded, _ = load.recorded(context.history)
    return FixedTier(load.cheapest_of(load.gbps(recorded).max(1)[:, None])[:, 0])


def best_tier(context: Context) -> FixedTier:
    """The tier that would have earned most on the record, each span by itself.

    `worth` scales what a Gbit earns: below 1 where demands cross several spans that are paid for.
    """
    load = load_of(context)
    recorded, _ = load.recorded(context.history)
    earned = load.worth_usd_per_h(recorded).mean(2) * context.constant("worth", 1.0)
    return FixedTier((earned - load.price_usd_per_h).argmax(1))


class ScheduledTiers:
    """By hour of day, the tier that would have earned most in that hour of the record.

    Ups are ordered ahead of the hour, downs when the paid time ends.
    """

    def __init__(self, context: Context) -> None:
        """Work out the table."""
        self.load = load_of(context)
        self.lead = Lead(context, self.load)
        recorded, hour = self.load.recorded(context.history)
        earned = self.load.worth_usd_per_h(recorded) * context.constant("worth", 1.0)
        usual = earned.mean(2)
        by_hour = [
            earned[:, :, hour == h].mean(2) if (hour == h).any() else usual for h in range(24)
        ]
        self.table = (np.stack(by_hour) - self.load.price_usd_per_h).argmax(2)

    def reset(self) -> None:
        """Nothing to forget."""

    def push(self, readings: Readings) -> None:
        """Nothing to remember."""

    def wanted(self, readings: Readings) -> np.ndarray:
        """The tier of the hour in which an order of now lands."""
        ahead_h = float(self.lead.seconds.mean()) / 3600.0
        hour = ((np.asarray(readings.hour_of_week) + ahead_h) % 24).astype(int)
        wanted = self.table[hour].T
        is_due = self.lead.is_due(readings, wanted)
        is_up = wanted > self.load.places(readings.tier_gbps)
        return np.where(is_due | is_up, wanted, NO_ORDER)


class AutoscaledTiers:
    """Thresholds on the 95th percentile of a window: what vendors' schedulers do.

    Above `up` or below `down` times the tier, the tier becomes the cheapest of `headroom` x p95.
    """

    def __init__(self, context: Context) -> None:
        """Read the thresholds."""
        self.load = load_of(context)
        self.length = int(context.constant("window", 12))
        self.headroom = context.constant("headroom", 1.2)
        self.up, self.down = context.constant("up", 0.9), context.constant("down", 0.5)
        self.reset()

    def reset(self) -> None:
        """Forget the window."""
        self.window = Window(self.length)

    def push(self, readings: Readings) -> None:
        """Take in the loads of the spans."""
        if not self.window.pushes and not readings.offered_gbps.any():
            return  # nothing was measured yet
        load = np.where(self.load.waits[:, None], 0.0, readings.offered_gbps)
        load = self.load.gbps(load + self.load.due_gbps(readings) * self.load.waits[:, None])
        self.window.push(replace(readings, offered_gbps=load.astype(np.float32)))

    def wanted(self, readings: Readings) -> np.ndarray:
        """The held tier, or another."""
        if not self.window.pushes:
            return np.full(readings.tier_gbps.shape, NO_ORDER)
        p95, tier = self.window.quantile(0.95), readings.tier_gbps
        is_outside = (p95 > self.up * tier) | (p95 < self.down * tier)
        return np.where(is_outside, self.load.cheapest_of(self.headroom * p95), NO_ORDER)


class Lead:
    """How long before the end of a paid block its successor is ordered.

    A quantile of the delay, and the time until the next order may be placed.
    """

    def __init__(self, context: Context, load: SpanLoad) -> None:
        """Read the quantile; an order that waits for the next chance would be late."""
        offers = load.offers
        every_s = np.maximum(offers.order_every_s - context.network.interval_s, 0.0)
        self.seconds = offers.delay_s(context.constant("lead", 0.95)) + every_s

    def is_due(self, readings: Readings, place: np.ndarray) -> np.ndarray:
        """Whether an order of `place` (offered, B) may be needed before the paid time ends."""
        lead = np.take_along_axis(self.seconds, np.maximum(place, 0), 1)
        return readings.paid_left_s <= lead


class ExpectedLoad(RecentLoads):
    """The load to expect when an order of now would land, and the rate that backlogs need.

    Ref: reference trials of orders: the recent mean, times how the usual day moves on.
    """

    def __init__(self, context: Context, load: SpanLoad) -> None:
        """Keep the loads of the spans."""
        super().__init__(context)
        self.load = load

    def load_gbps(self, readings: Readings) -> np.ndarray:
        """Expected load of each demand, what may wait by what it needs, (demands, B)."""
        hour = np.asarray(readings.hour_of_week)
        usual = usual_gbps(self.hourly, hour)
        later = usual_gbps(self.hourly, hour + LOOK_AHEAD_S / 3600.0)
        steady = self.mean_gbps(usual) * np.clip((later + TINY) / (usual + TINY), *RATIOS)
        return np.where(self.load.waits[:, None], self.load.due_gbps(readings), steady)


class TwoBar:
    """The gate: what a paid block is followed by, and when to go up before it ends.

    With `b` the expected load: within the lead of the end of the paid time the cheapest tier of at
    least `b * 2 ** renewal`; before, the cheapest of at least `b * 2 ** bar`, if it is larger than
    the tier there is. The lead is a quantile of the offer's delay.
    """

    def __init__(self, context: Context) -> None:
        """Read the bars."""
        self.load = load_of(context)
        self.lead = Lead(context, self.load)
        self.expected = ExpectedLoad(context, self.load)
        self.renewal = 2.0 ** context.constant("renewal", -0.2)
        self.bar = 2.0 ** context.constant("bar", -1.0)

    def reset(self) -> None:
        """Forget the window."""
        self.expected.reset()

    def push(self, readings: Readings) -> None:
        """Take in an interval."""
        self.expected.push(readings)

    def wanted(self, readings: Readings) -> np.ndarray:
        """Behind the gate."""
        base = self.load.gbps(self.expected.load_gbps(readings))
        return self.gate(readings, base * self.renewal, base * self.bar)

    def gate(
        self, readings: Readings, renewal_gbps: np.ndarray, bar_gbps: np.ndarray
    ) -> np.ndarray:
        """The gate at given sizes, each (offered, B)."""
        successor, urgent = self.load.cheapest_of(renewal_gbps), self.load.cheapest_of(bar_gbps)
        tiers = np.nan_to_num(self.load.offers.tier_gbps)
        is_up = np.take_along_axis(tiers, urgent, 1) > readings.tier_gbps * (1 + TINY)
        is_due = self.lead.is_due(readings, successor)
        return np.where(is_due, successor, np.where(is_up, urgent, NO_ORDER))


class Newsvendor:
    """The tier of the highest expected net over a horizon, if the load is lognormal around `b`.

    A change counts what it forfeits of the paid time, its delay, and its least billed time. Ref:
    Arrow, Harris & Marschak, Optimal Inventory Policy, Econometrica 19 (1951).
    """

    POINTS = 7

    def __init__(self, context: Context) -> None:
        """Read spread and horizon."""
        self.load = load_of(context)
        self.expected = ExpectedLoad(context, self.load)
        self.worth = context.constant("worth", 1.0)
        self.horizon_h = context.constant("horizon_h", 1.0)
        sigma = context.constant("sigma", 0.4)
        levels = (np.arange(self.POINTS) + 0.5) / self.POINTS
        normal = np.array([NormalDist().inv_cdf(level) for level in levels])
        self.factors = np.exp(sigma * normal - sigma**2 / 2)
        self.delay_h = np.minimum(self.load.offers.delay_s(0.5) / 3600.0, self.horizon_h)

    def reset(self) -> None:
        """Forget the window."""
        self.expected.reset()

    def push(self, readings: Readings) -> None:
        """Take in an interval."""
        self.expected.push(readings)

    def wanted(self, readings: Readings) -> np.ndarray:
        """The best tier, all told."""
        load = self.expected.load_gbps(readings)
        earned = self.load.worth_usd_per_h(load[:, :, None] * self.factors).mean(3) * self.worth
        price = np.where(self.load.offers.is_sold, self.load.offers.usd_per_h, np.inf)[:, :, None]
        now = self.load.places(readings.tier_gbps)
        kept = np.take_along_axis(earned - price, now[:, None], 1)
        usd = np.take_along_axis(price[:, :, 0], now, 1)[:, None]
        delay, left = self.delay_h[:, :, None], (self.horizon_h - self.delay_h)[:, :, None]
        least_h = np.maximum(left, self.load.offers.min_billed_s[:, :, None] / 3600.0)
        forfeit = usd * np.maximum(readings.paid_left_s[:, None] / 3600.0 - delay, 0.0)
        changed = kept * delay + earned * left - price * least_h - forfeit
        place = np.arange(price.shape[1])[None, :, None]
        return np.where(place == now[:, None], kept * self.horizon_h, changed).argmax(1)


TINY = 1e-6
RATIOS = 0.25, 4.0
"""How far the usual day may move the recent mean."""
