"""Tiers of the spans that are sold: orders on their way, paid blocks, and the bill.

An accepted order lands after its delay at the beginning of an interval, at the next one earliest.
Then the tier is active, a new block is bought, and what was left of the block before is lost; or
the order was refused, and nothing happens. A block that ends is followed by another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bwalloc.arrays import Array, like, namespace, picked, positive
from bwalloc.network.offers import in_intervals

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario

NONE = -1
"""Stands for no order."""


class Ports(NamedTuple):
    """What is ordered, as integers, each (offered, B).

    Attributes:
        tier, pending: place in the menu of the active tier, and of the one on order (`NONE`).
        is_refused: 1 where the pending order will come to nothing.
        lands: interval in which the pending order lands.
        paid_until: interval before which the active tier is paid for.
    """

    tier: Array
    pending: Array
    is_refused: Array
    lands: Array
    paid_until: Array


class Fates(NamedTuple):
    """What becomes of orders placed now, (offered, tiers, B), and a factor of prices, (B,)."""

    wait: Array
    is_refused: Array
    price_factor: Array


@dataclass(frozen=True, slots=True)
class PortFlows:
    """What happened to the tiers in an interval, each (offered, B).

    Attributes:
        is_accepted, is_activated, is_refused: orders that were taken, landed, or came to nothing.
        bill_usd: amortised: the price of the interval, what a change forfeits of a paid block, and
            in the last interval what is left of it.
        paid_usd: hourly: blocks that were bought. Over an episode both add up to the same.
    """

    is_accepted: Array
    is_activated: Array
    is_refused: Array
    bill_usd: Array
    paid_usd: Array


class PortLaw:
    """The constants of the menus of a scenario, and what an interval does to tiers."""

    def __init__(self, scenario: Scenario) -> None:
        """Count times in intervals."""
        offers = scenario.network.offers
        assert offers is not None
        interval_s, links = scenario.timing.interval_s, scenario.network.links
        self.interval_s = interval_s
        self.last = scenario.timing.intervals - 1
        self.first = offers.first
        self.tier_gbps = np.nan_to_num(offers.tier_gbps).astype(np.float32)
        self.share = offers.share.astype(np.float32)
        self.menu = offers.links_of(links)
        self.usd = offers.usd_per_h * interval_s / 3600.0
        self.every = in_intervals(offers.order_every_s, interval_s)
        self.minimum = in_intervals(offers.min_billed_s, interval_s)
        self.block = in_intervals(offers.billed_every_s, interval_s)

    def start(self, batch: int) -> np.ndarray:
        """First tiers, paid for from the beginning of the episode, (5, offered, B)."""
        tier = np.repeat(self.first[:, None], batch, 1)
        nothing = np.zeros_like(tier)
        paid = picked(self.minimum, tier)
        return np.stack(Ports(tier, nothing + NONE, nothing, nothing, paid))

    def scale(self, ports: Array, capacity_gbps: Array) -> Array:
        """Share of its largest tier that each link has, 1 where nothing is sold, (links, B)."""
        share = picked(like(self.share, capacity_gbps), ports[0])
        whole = namespace(share).ones_like(capacity_gbps[:1])
        return namespace(share).concatenate([share, whole])[like(self.menu, capacity_gbps)]

    def telemetry(self, ports: Array, interval: Array, capacity_gbps: Array) -> dict[str, Array]:
        """Fields of `Readings`, each (offered, B)."""
        now, xp = Ports(*ports), namespace(capacity_gbps)
        tiers = like(self.tier_gbps, capacity_gbps)
        coming = picked(tiers, positive(now.pending))
        left = positive(now.paid_until - interval)
        return {
            "tier_gbps": picked(tiers, now.tier),
            "pending_gbps": xp.where(now.pending >= 0, coming, xp.full_like(coming, np.nan)),
            "paid_left_s": left * xp.ones_like(coming) * self.interval_s,
        }

    def settle(
        self, ports: Array, orders: Array | None, fates: Fates, interval: Array
    ) -> tuple[Array, PortFlows]:
        """Take orders, play the interval, and land what is due at its end.

        Args:
            ports: before the interval, (5, offered, B).
            orders: place in the menu of the tier that each span shall have, `NONE` for no order.
            fates: of orders placed before this interval.
            interval: index of it in each episode, (B,).

        Returns:
            The new ports, and what happened.
        """
        now, xp = Ports(*ports), namespace(ports)
        is_last = interval == self.last
        now, is_accepted = self._accepted(now, orders, fates, interval)
        due = (now.pending >= 0) & (now.lands <= interval + 1)
        fails = due & (now.is_refused > 0)
        goes = due & ~fails & ~is_last
        tier = xp.where(goes, now.pending, now.tier)
        ends = (now.paid_until <= interval + 1) & ~goes & ~is_last
        bought = xp.where(goes, picked(like(self.minimum, ports), tier), now.paid_until * 0)
        bought = xp.where(ends, picked(like(self.block, ports), tier), bought)
        paid_until = xp.where(goes, interval + 1 + bought, now.paid_until + bought)
        left = positive(now.paid_until - interval - 1) * (goes | is_last)
        usd = like(self.usd, fates.price_factor)
        before = picked(usd, now.tier) * fates.price_factor
        opening = xp.where(interval == 0, picked(like(self.minimum, ports), now.tier), left * 0)
        flows = PortFlows(
            is_accepted=is_accepted,
            is_activated=goes,
            is_refused=fails,
            bill_usd=before * (left + 1),
            paid_usd=before * opening + picked(usd, tier) * fates.price_factor * bought,
        )
        pending = xp.where(due, now.pending * 0 + NONE, now.pending)
        return xp.stack([tier, pending, now.is_refused, now.lands, paid_until]), flows

    def _accepted(
        self, now: Ports, orders: Array | None, fates: Fates, interval: Array
    ) -> tuple[Ports, Array]:
        """Ports with the orders that are taken: no other is pending, and it is time for one."""
        if orders is None:
            return now, now.pending != now.pending
        xp, wanted = namespace(now.tier), positive(orders)
        is_time = interval % picked(like(self.every, now.tier), wanted) == 0
        taken = (orders >= 0) & (orders != now.tier) & (now.pending < 0) & is_time
        wait = picked(fates.wait, wanted)
        is_refused = picked(fates.is_refused, wanted)
        return Ports(
            now.tier,
            xp.where(taken, wanted, now.pending),
            xp.where(taken, is_refused, now.is_refused),
            xp.where(taken, interval + wait, now.lands),
            now.paid_until,
        ), taken
