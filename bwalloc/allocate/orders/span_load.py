"""The load of the spans that are sold: what their demands send, need, and are worth."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.network import Network
    from bwalloc.network.offers import Offers
    from bwalloc.observe import History, Readings

PATIENCE_S = 900.0
"""In what time a backlog without a deadline shall be cleared."""
MOMENTS = 5_000
"""Moments of the record that are looked at."""
WORTHLESS = 0.5
"""Below this share of the price of its cheapest tunnel, a demand is no reason to order."""
FREE = 1e-3
"""Price of a tunnel, relative to the mean, below which it counts as free."""
JOB_SLOTS = 24
"""Slots of work that may wait for long (see `scenario.build_slots`)."""


class SpanLoad:
    """Which demands load the two directions of each sold span.

    A demand spreads over its tunnels evenly, or, with `thrift`, in inverse proportion to that power
    of their prices: ports that stand in for each other then have one load instead of parts of it.
    What is never worth the price of a tunnel loads nothing.
    """

    def __init__(self, network: Network, thrift: float = 0.0) -> None:
        """Prepare the shares."""
        assert network.offers is not None
        self.network, self.offers = network, network.offers
        self.value = network.law.whole_usd_per_gbit + network.law.expiry_usd_per_gbit
        self.share = _shares(network, _spread(network, thrift, self.value))
        deadline = np.asarray(network.demands.deadline_s, np.float64)
        self.waits = np.isfinite(deadline) & (deadline > network.interval_s)
        self.deadline_s = deadline
        self.dearest = np.argsort(-self.value, kind="stable")

    def gbps(self, load_gbps: np.ndarray) -> np.ndarray:
        """Load of the busier direction, (offered, ...), of loads (demands, ...)."""
        return np.tensordot(self.share, load_gbps, 1).max(1)

    def due_gbps(self, readings: Readings) -> np.ndarray:
        """Rate by which each demand would meet all deadlines of its backlog, (demands, B)."""
        queued = np.asarray(readings.queued_gbit, np.float64)
        count = min(queued.shape[1], JOB_SLOTS)
        whole = np.where(np.isfinite(self.deadline_s), self.deadline_s, PATIENCE_S)
        due = whole[:, None] * np.minimum(np.arange(queued.shape[1]) + 1, count) / count
        due = np.where(self.waits[:, None], due, PATIENCE_S)
        due = np.maximum(due, self.network.interval_s)
        return (queued.cumsum(1) / due[:, :, None]).max(1)

    def value_usd_per_gbit(self, load_gbps: np.ndarray) -> np.ndarray:
        """Mean value of what loads a span, both directions, by loads (demands, B), (offered, B)."""
        share = self.share.sum(1)
        whole = share @ load_gbps
        worth = (share * self.value) @ load_gbps
        plain = (share @ self.value) / np.maximum(share.sum(1), 1e-9)
        return np.where(whole > 0, worth / np.where(whole > 0, whole, 1), plain[:, None])

    def worth_usd_per_h(self, load_gbps: np.ndarray) -> np.ndarray:
        """What each tier earns in an hour at given loads, the dearest demands served first.

        Args:
            load_gbps: (demands, ...).

        Returns:
            Both directions together, (offered, tiers, ...).
        """
        tiers = np.nan_to_num(self.offers.tier_gbps)
        worth = np.zeros((*tiers.shape, *load_gbps.shape[1:]))
        room = tiers.reshape(*tiers.shape, *(1,) * (load_gbps.ndim - 1))
        for way in range(self.share.shape[1]):
            left = np.broadcast_to(room, worth.shape).copy()
            for row in self.dearest:
                share = self.share[:, way, row]
                if share.any() and self.value[row] > 0:
                    mine = np.multiply.outer(share, load_gbps[row])[:, None]
                    served = np.minimum(mine, left)
                    left -= served
                    worth += served * (self.value[row] * 3600.0)
        return worth

    def recorded(self, history: History) -> tuple[Float[np.ndarray, "demands moments"], np.ndarray]:
        """Loads of the record by interval, and the UTC hour of day of each.

        What may wait counts with its mean: it is served when there is room.
        """
        log = history.log
        if not log.load_gbps.size:
            return history.hourly_gbps.T, np.arange(24)
        load = log.load_gbps.mean(2, dtype=np.float32).reshape(-1, log.load_gbps.shape[3]).T
        load = np.where(self.waits[:, None], load.mean(1, keepdims=True), load)
        some = slice(None, None, 1 + load.shape[1] // MOMENTS)
        return load[:, some], log.hour_of_day(self.network.interval_s).ravel()[some]

    @cached_property
    def price_usd_per_h(self) -> np.ndarray:
        """Price of each tier, infinite where there is none, (offered, tiers)."""
        return np.where(self.offers.is_sold, self.offers.usd_per_h, np.inf)

    def cheapest_of(self, gbps: np.ndarray) -> np.ndarray:
        """Place of the cheapest tier of at least `gbps` (offered, B), else of the largest."""
        fits = self.offers.tier_gbps[:, :, None] >= gbps[:, None]
        price = np.where(fits, self.price_usd_per_h[:, :, None], np.inf)
        largest = self.offers.is_sold.sum(1)[:, None] - 1
        return np.where(np.isfinite(price).any(1), price.argmin(1), largest)

    def places(self, tier_gbps: np.ndarray) -> np.ndarray:
        """Place in its menu of a tier that telemetry shows, (offered, B)."""
        away = np.abs(self.offers.tier_gbps[:, :, None] - tier_gbps[:, None])
        return np.nan_to_num(away, nan=np.inf).argmin(1)


def unit_usd_per_gbps_h(offers: Offers) -> np.ndarray:
    """Median price of a Gbit/s over the tiers of each menu, (offered,)."""
    sold = offers.is_sold & (np.nan_to_num(offers.tier_gbps) > 0)
    each = np.divide(offers.usd_per_h, offers.tier_gbps, out=np.zeros(sold.shape), where=sold)
    return np.nanmedian(np.where(sold, each, np.nan), axis=1)


def _spread(network: Network, thrift: float, value: np.ndarray) -> np.ndarray:
    """Share of each tunnel in the load of its demand, (demands, tunnels)."""
    assert network.offers is not None
    exists = network.tunnels.exists
    menu, unit = network.offers.links_of(network.links), unit_usd_per_gbps_h(network.offers)
    price = np.append(np.where(menu >= 0, unit[menu], 0.0), 0.0)[network.tunnels.hops].sum(2)
    usual = price[exists].mean() if exists.any() else 1.0
    weight = np.where(exists, np.maximum(price / max(usual, FREE), FREE) ** -thrift, 0.0)
    weight /= np.maximum(weight.sum(1, keepdims=True), FREE)
    cheapest = np.where(exists, price, np.inf).min(1, initial=np.inf)
    return weight * (value * 3600.0 >= WORTHLESS * cheapest)[:, None]


def _shares(network: Network, spread: np.ndarray) -> np.ndarray:
    """Share of each demand that crosses each direction, (offered, 2, demands)."""
    assert network.offers is not None
    tunnels, links = network.tunnels, network.links
    crossing = np.zeros((network.n_links + 1, network.n_demands))
    demand = np.broadcast_to(np.arange(network.n_demands)[:, None, None], tunnels.hops.shape)
    np.add.at(crossing, (tunnels.hops, demand), np.broadcast_to(spread[:, :, None], demand.shape))
    share = np.zeros((len(network.offers.span), 2, network.n_demands))
    menu, seen = network.offers.links_of(links), dict[int, int]()
    for link in np.flatnonzero(menu >= 0):
        way = seen.setdefault(int(menu[link]), 0)
        share[menu[link], way] = crossing[link]
        seen[int(menu[link])] = way + 1
    return share
