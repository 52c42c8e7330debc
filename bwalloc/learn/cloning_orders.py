"""What is cloned about orders: which numbers order the same, and which of the two decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bwalloc.allocate.orders.rules import order_every
from bwalloc.allocate.policy.gated import GatedOrders, Outlook
from bwalloc.observe import Readings, SpanObserver, SpanOutlook, even_day

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bwalloc.network import Network
    from bwalloc.observe.spans import SeenSpans


class About(NamedTuple):
    """Ends of what orders the same, and which numbers decide now, (offered, 2, B) each."""

    lowest: np.ndarray
    highest: np.ndarray
    decides: np.ndarray


def about_nothing(batch: int) -> About:
    """Where nothing is sold."""
    nothing = np.zeros((0, 2, batch), np.float32)
    return About(nothing, nothing, nothing)


def about_orders(gated: GatedOrders, outlook: Outlook, wanted: np.ndarray) -> About:
    """Which actions about spans order what is wanted, behind the gate.

    A tier stands for all sizes that it is the smallest for; in a paid block every lower bar keeps
    it; and of the two numbers one is looked at.

    Args:
        gated: the law.
        outlook: of the coming interval.
        wanted: places in the menus, -1 to keep the tier there is, (offered, B).
    """
    readings, load = outlook.readings, gated.load
    held = load.places(readings.tier_gbps)
    place = np.where(wanted >= 0, wanted, held)
    is_due = gated.law.lead.is_due(readings, place)
    place = np.where(is_due, place, np.maximum(place, held))
    highest = gated.action_for(outlook, place)
    lowest = gated.action_for(outlook, np.maximum(place - 1, 0))
    is_least = np.stack([place == 0, (place == 0) | (place == held)], 1)
    is_open = outlook.is_time & np.isnan(readings.pending_gbps)
    decides = np.stack([is_open & is_due, is_open & ~is_due], 1)
    return About(np.where(is_least, np.float32(-1.0), lowest), highest, decides)


class RecordedOrders:
    """Reads what an action ordered out of what was seen, for one network that sells capacity."""

    def __init__(self, network: Network, tuned: Mapping[str, Mapping[str, float]]) -> None:
        """Take the constants of `two-bar` and of the action."""
        self.gated = GatedOrders(network, tuned, even_day(network.demands.name))
        self.observer, self.every = SpanObserver(network), order_every(network)

    def __call__(self, features: np.ndarray, action: np.ndarray) -> About:
        """What a whole episode teaches.

        Where the load left the bounds of its feature, the number itself is learned.

        Args:
            features: of spans, (features, offered, intervals).
            action: about spans, in [-1, 1], (offered, 2, intervals).
        """
        seen = self.observer.undone(features)
        outlook = self._outlook(seen)
        about = about_orders(self.gated, outlook, self.gated.orders(outlook, action))
        is_known = seen.is_load_known[:, None]
        return About(
            np.where(is_known, about.lowest, action),
            np.where(is_known, about.highest, action),
            about.decides,
        )

    def _outlook(self, seen: SeenSpans) -> Outlook:
        """What orders follow from; they look at no other readings."""
        intervals = seen.tier_gbps.shape[1]
        unused = {name: np.zeros((0, intervals), np.float32) for name in Readings.__slots__}
        looked_at = {
            "tier_gbps": seen.tier_gbps,
            "pending_gbps": np.where(seen.is_pending, seen.tier_gbps, np.nan),
            "paid_left_s": seen.paid_left_s,
        }
        nothing = np.zeros_like(seen.load_gbps)
        spans = SpanOutlook(seen.load_gbps, nothing, nothing)
        is_time = np.arange(intervals) % self.every == 0
        return Outlook(Readings(**{**unused, **looked_at}), spans, is_time)
