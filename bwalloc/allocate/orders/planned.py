"""Orders of `mpc` and `stochastic-lp`: tiers planned over a receding horizon, and planned again.

Both use the exact programme of tiers and paid time (`tier_plan`) with what is forecast in place of
what is known: orders are taken to land after a quantile of the offer's delay, and none is refused.
`mpc` counts what each tier earns at the expected load, `stochastic-lp` what it earns on average
over scenarios, which are what followed moments of the record. Ref: Rawlings, Mayne & Diehl, Model
Predictive Control (2017), ch. 1; Birge & Louveaux, Introduction to Stochastic Programming (2011).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from bwalloc.allocate.orders.recent import RecentLoads, usual_gbps
from bwalloc.allocate.orders.rules import NO_ORDER, load_of, order_every
from bwalloc.allocate.orders.span_load import PATIENCE_S
from bwalloc.allocate.orders.tier_plan import Terms, backwards
from bwalloc.network.offers import in_intervals

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.allocate.orders.span_load import SpanLoad
    from bwalloc.allocate.rule import Context
    from bwalloc.network.offers import Offers
    from bwalloc.observe import History, Readings

HORIZON_H, LEAD, TAU_H, HEADROOM = 2.0, 0.7, 0.8, 1.2
SCENARIOS = 16
MOST_RATIO = 5.0
"""Of what followed a forecast, over it."""
TINY_GBPS = 1e-6


class Worth(Protocol):
    """What tiers earn at the loads of the steps ahead."""

    def __call__(self, load_gbps: np.ndarray) -> np.ndarray:
        """USD per hour, (offered, tiers, steps, B), of expected loads (demands, steps, B)."""
        ...


class HorizonTiers:
    """The first orders of the best path of tiers over the horizon, each span by itself.

    A step is the time between two moments at which orders are taken.
    """

    def __init__(self, context: Context, load: SpanLoad, ahead: Ahead, worth: Worth) -> None:
        """Hold forecast and worth, and count the terms of the menus in steps."""
        self.load, self.ahead, self.worth = load, ahead, worth
        self.scale = context.constant("worth", 1.0)
        lead = context.constant("lead", LEAD)
        rows = range(len(load.offers.span))
        self.terms = [_terms(load.offers, row, ahead, lead) for row in rows]

    def reset(self) -> None:
        """Forget the last intervals."""
        self.ahead.reset()

    def push(self, readings: Readings) -> None:
        """Take in an interval."""
        self.ahead.push(readings)

    def wanted(self, readings: Readings) -> np.ndarray:
        """What the best path orders now."""
        earned = self.worth(self.ahead.load_gbps(readings))
        usd = np.moveaxis(earned, 2, 1) * (self.scale * self.ahead.step_s / 3600.0)
        place = self.load.places(readings.tier_gbps)
        paid = np.round(np.asarray(readings.paid_left_s, np.float64) / self.ahead.step_s)
        wanted = np.full(place.shape, NO_ORDER)
        columns = np.arange(place.shape[1])
        for row, terms in enumerate(self.terms):
            _, choice = backwards(terms, usd[row][:, : len(terms.usd)])
            left = np.clip(paid[row], 1, choice.shape[2] - 1).astype(int)
            wanted[row] = choice[0, place[row], left, columns]
        return wanted


class Ahead(RecentLoads):
    """Expected loads of the steps ahead: the recent mean, returning to the usual day.

    What may wait counts with the rate that keeps its deadlines, and once that has come with its
    mean. Loads return to the hour's mean with the time constant of `mpc` (`tau_h`).
    """

    def __init__(self, context: Context, load: SpanLoad) -> None:
        """Read the horizon; steps are as long as orders are apart."""
        interval_s = context.network.interval_s
        super().__init__(context)
        self.load = load
        self.stride = order_every(context.network)
        self.step_s = self.stride * interval_s
        horizon_s = context.constant("order_h", HORIZON_H) * 3600.0
        self.steps = max(2, round(horizon_s / self.step_s))
        self.after_h = (np.arange(self.steps) + 0.5) * self.step_s / 3600.0
        self.keep = np.exp(-self.after_h / context.constant("tau_h", TAU_H))

    def load_gbps(self, readings: Readings) -> np.ndarray:
        """Of each demand, (demands, steps, B)."""
        hour = np.asarray(readings.hour_of_week, np.float64)
        usual = usual_gbps(self.hourly, hour)
        steady = self.moved_on(hour, self.mean_gbps(usual), usual)
        due = self.load.due_gbps(readings)[:, None]
        mean = self.hourly.mean(0)[:, None, None]
        is_soon = (self.after_h * 3600.0 <= PATIENCE_S)[:, None]
        waiting = np.where(is_soon, np.maximum(due, mean), mean)
        return np.where(self.load.waits[:, None, None], waiting, steady)

    def moved_on(self, hour: np.ndarray, recent: np.ndarray, usual: np.ndarray) -> np.ndarray:
        """Recent means (demands, B), at hours (B,), over the steps ahead: (demands, steps, B)."""
        coming = usual_gbps(self.hourly, hour + self.after_h[:, None])
        return np.maximum(coming + (recent - usual)[:, None] * self.keep[:, None], 0.0)


class Expected:
    """Worth at the expected load, with headroom for what it may turn out to be."""

    def __init__(self, context: Context, load: SpanLoad) -> None:
        """Read the headroom."""
        self.load, self.headroom = load, context.constant("headroom", HEADROOM)

    def __call__(self, load_gbps: np.ndarray) -> np.ndarray:
        """See `Worth`."""
        return self.load.worth_usd_per_h(load_gbps * self.headroom)


class OverScenarios:
    """Mean worth over scenarios, each of which is what followed a moment of the record."""

    def __init__(self, context: Context, load: SpanLoad, ahead: Ahead) -> None:
        """Learn what followed forecasts."""
        self.load = load
        self.ratio = followed(context.history, ahead, context.network.interval_s)
        self.ratio = np.where(load.waits[:, None], 1.0, self.ratio)

    def __call__(self, load_gbps: np.ndarray) -> np.ndarray:
        """See `Worth`; one scenario after another, since all at once would not fit a cache."""
        worth = [self.load.worth_usd_per_h(load_gbps * ratio[:, :, None]) for ratio in self.ratio]
        return np.mean(worth, axis=0)


def mpc_tiers(context: Context) -> HorizonTiers:
    """The order law of `mpc`."""
    load = load_of(context)
    return HorizonTiers(context, load, Ahead(context, load), Expected(context, load))


def scenario_tiers(context: Context) -> HorizonTiers:
    """The order law of `stochastic-lp`."""
    load = load_of(context)
    ahead = Ahead(context, load)
    return HorizonTiers(context, load, ahead, OverScenarios(context, load, ahead))


def followed(
    history: History, ahead: Ahead, interval_s: float
) -> Float[np.ndarray, "scenarios demands steps"]:
    """What followed moments of the record, over what was forecast for it; 1 without a record.

    Moments are spread evenly over the record; of each step one interval stands for all, another
    one in each scenario, so that scenarios move within a step as loads do.
    """
    log, back = history.log, ahead.length
    last = log.load_gbps.shape[1] - ahead.steps * ahead.stride
    demands = history.hourly_gbps.shape[1]
    if last <= back or not len(log.load_gbps):
        return np.ones((1, demands, ahead.steps))
    load = log.load_gbps.mean(2, dtype=np.float32).astype(np.float64)
    count = len(load) * (last - back)
    found: list[np.ndarray] = []
    for number, moment in enumerate(np.linspace(0, count - 1, SCENARIOS).astype(int)):
        episode, at = moment // (last - back), back + moment % (last - back)
        hour = np.array([log.start_h[episode] + at * interval_s / 3600.0])
        recent = load[episode, at - back : at].mean(0)[:, None]
        forecast = ahead.moved_on(hour, recent, usual_gbps(history.hourly_gbps, hour))[:, :, 0]
        steps = at + np.arange(ahead.steps) * ahead.stride + number % ahead.stride
        ratio = (load[episode, steps].T + TINY_GBPS) / (forecast + TINY_GBPS)
        found.append(np.minimum(ratio, MOST_RATIO))
    return np.stack(found)


def _terms(offers: Offers, row: int, ahead: Ahead, lead: float) -> Terms:
    """The menu of a span in steps; an order lands after a quantile of its delay.

    The last step costs nothing, so that what stays paid beyond the horizon is no loss.
    """
    sold = int(offers.is_sold[row].sum())
    wait, minimum, block = (
        in_intervals(seconds[row, :sold], ahead.step_s)
        for seconds in (offers.delay_s(lead), offers.min_billed_s, offers.billed_every_s)
    )
    lands = np.arange(ahead.steps)[:, None] + wait
    return Terms(
        usd=offers.usd_per_h[row, :sold] * ahead.step_s / 3600.0,
        minimum=minimum,
        block=block,
        lands=lands,
        is_taken=lands < ahead.steps,
        counted=np.arange(ahead.steps) < ahead.steps - 1,
    )
