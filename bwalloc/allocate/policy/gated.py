"""Orders behind the gate of `two-bar`, whose two bars an action moves; action 0 is `two-bar`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.orders.rules import NO_ORDER, TwoBar, changed, order_every
from bwalloc.allocate.policy.correction import span_scales
from bwalloc.allocate.rule import Context
from bwalloc.observe import Recent, SpanOutlook, UsualDay, no_history

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.observe import Readings

WITHIN = 1.0 - 1e-6
"""Of a tier: a size that rounding does not carry beyond it."""


@dataclass(frozen=True, slots=True)
class OrderMemory:
    """What orders remember; all batch last.

    Attributes:
        recent: loads of the last intervals.
        age_s: for how long an order has been on its way, 0 without one, (offered, B).
        interval: intervals since the episode began, int (B,).
    """

    recent: Recent
    age_s: np.ndarray
    interval: np.ndarray


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is decided upon, before an interval.

    Attributes:
        readings: telemetry, on NumPy.
        spans: what the spans are expected to carry.
        is_time: whether orders are considered now, bool (B,).
    """

    readings: Readings
    spans: SpanOutlook
    is_time: np.ndarray


class GatedOrders:
    """The law of `two-bar` with a memory whose columns begin anew one by one; NumPy only.

    Args:
        network: what it orders for; something is sold on it.
        tuned: constants of `two-bar`, and the scales of the action under `action`.
        usual: the usual day of the demands.
    """

    def __init__(
        self, network: Network, tuned: Mapping[str, Mapping[str, float]], usual: UsualDay
    ) -> None:
        """Read the constants; `start` begins."""
        names = network.demands.name
        history = replace(no_history(len(names)), hourly_gbps=usual.of(names))
        self.law = TwoBar(Context(network, history, tuned.get("two-bar", {})))
        self.load, self.interval_s = self.law.load, network.interval_s
        self.scale = span_scales(tuned.get("action", {}))
        self.every = order_every(network)
        assert network.offers is not None
        self.spans = tuple(network.spans.name[row] for row in network.offers.span)

    def start(self, readings: Readings) -> OrderMemory:
        """Begin with what is known before the first interval."""
        batch = readings.offered_gbps.shape[1]
        nothing = Recent.nothing(self.law.expected.length, len(readings.offered_gbps), batch)
        age_s = np.zeros(readings.tier_gbps.shape, np.float32)
        return OrderMemory(nothing.pushed(readings), age_s, np.zeros(batch, np.int64))

    def push(self, memory: OrderMemory, readings: Readings) -> OrderMemory:
        """Remember one more interval."""
        age_s = np.where(np.isnan(readings.pending_gbps), 0, memory.age_s + self.interval_s)
        recent = memory.recent.pushed(readings)
        return OrderMemory(recent, age_s.astype(np.float32), memory.interval + 1)

    def restart(self, memory: OrderMemory, columns: np.ndarray, readings: Readings) -> OrderMemory:
        """Forget these columns; `readings` holds, in them, what new episodes begin with."""
        recent = memory.recent.without(columns)
        fresh = recent.pushed(readings)
        rows = tuple(
            _exchanged(old, new, columns) for old, new in zip(recent.rows, fresh.rows, strict=True)
        )
        seen = _exchanged(recent.seen, fresh.seen, columns)
        age_s = _exchanged(memory.age_s, memory.age_s * 0, columns)
        interval = _exchanged(memory.interval, memory.interval * 0, columns)
        return OrderMemory(Recent(rows, seen), age_s, interval)

    def carried(
        self, other: GatedOrders, memory: OrderMemory, rows: np.ndarray, readings: Readings
    ) -> OrderMemory:
        """What another network's law remembered, for this one (B = 1).

        Args:
            other: of an equal interval.
            memory: of `other`.
            rows: where each demand stands there, -1 for a new one, (demands,).
            readings: of this network; those of a new demand stand for all before.
        """
        ages = dict(zip(other.spans, memory.age_s, strict=True))
        age_s = np.stack([ages.get(name, np.zeros(1, np.float32)) for name in self.spans])
        return OrderMemory(memory.recent.carried(rows, readings), age_s, memory.interval)

    def outlook(self, memory: OrderMemory, readings: Readings) -> Outlook:
        """What is expected of the coming interval."""
        expected = self.law.expected
        expected.recent = memory.recent
        load = expected.load_gbps(readings)
        spans = SpanOutlook(self.load.gbps(load), self.load.value_usd_per_gbit(load), memory.age_s)
        return Outlook(readings, spans, memory.interval % self.every == 0)

    def sizes_gbps(self, outlook: Outlook, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What a successor must carry at least, and what a tier that is ordered before.

        Args:
            outlook: of the coming interval.
            action: numbers in [-1, 1], (offered, 2, B), as `SPAN_PARTS` lists them.

        Returns:
            (offered, B) each.
        """
        base, (renewal, bar) = outlook.spans.load_gbps, self.scale
        moved = np.exp2(np.asarray(action, np.float64) * np.array([[renewal], [bar]]))
        return base * self.law.renewal * moved[:, 0], base * self.law.bar * moved[:, 1]

    def orders(self, outlook: Outlook, action: np.ndarray) -> np.ndarray:
        """Place in its menu of the tier each span shall have, -1 for no order, int (offered, B)."""
        if not outlook.is_time.any():
            return np.full(outlook.spans.load_gbps.shape, NO_ORDER)
        wanted = self.law.gate(outlook.readings, *self.sizes_gbps(outlook, action))
        return np.where(outlook.is_time, changed(self.load, outlook.readings, wanted), NO_ORDER)

    def action_for(self, outlook: Outlook, wanted: np.ndarray) -> np.ndarray:
        """The action that orders what is `wanted`, or gets nearest to it, (offered, 2, B).

        Before a paid block ends the gate lets nothing but larger tiers through.

        Args:
            outlook: of the coming interval.
            wanted: places in the menus, -1 to keep the tier there is, (offered, B).
        """
        place = np.where(wanted >= 0, wanted, self.load.places(outlook.readings.tier_gbps))
        tiers = np.nan_to_num(self.load.offers.tier_gbps)
        size = np.take_along_axis(tiers, place, 1) * WITHIN
        bars = np.array([self.law.renewal, self.law.bar])[:, None, None]
        ratio = np.log2(np.maximum(size, TINY) / np.maximum(outlook.spans.load_gbps * bars, TINY))
        scale = np.array(self.scale)[:, None, None]
        reached = np.divide(ratio, scale, out=np.zeros_like(ratio), where=scale > 0)
        return np.clip(reached, -1.0, 1.0).transpose(1, 0, 2).astype(np.float32)


def _exchanged(old: np.ndarray, new: np.ndarray, columns: np.ndarray) -> np.ndarray:
    merged = old.copy()
    merged[..., columns] = new[..., columns]
    return merged


TINY = 1e-9
