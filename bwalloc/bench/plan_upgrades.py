"""Upgrades that a planner may buy, what they cost, and what shadow prices promise of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.bench.statistics import Interval, mean_interval

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.scenario import Scenario

STEP = 0.1
"""Share of its capacity by which a span grows that is not sold by the tier."""
NEVER_S = 1e9
STANDING = {"offers.*.delay_median_s": NEVER_S, "offers.*.delay_cap_s": NEVER_S}
"""Overrides under which no order lands: spans stay at their first tiers."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """More of one span, in both directions.

    Attributes:
        span: its name.
        from_gbps, to_gbps: its capacity before and after.
        price_usd_per_h: what it costs more; 0 where the environment has no price for it, below 0
            where another provider sells the larger tier for less.
        worth_usd_per_h: shadow price times size, over the episodes.
        overrides: what makes it in the environment.
    """

    span: str
    from_gbps: float
    to_gbps: float
    price_usd_per_h: float
    worth_usd_per_h: Interval
    overrides: Mapping[str, float | None]

    @property
    def net_usd_per_h(self) -> Interval:
        """Worth less price."""
        worth, price = self.worth_usd_per_h, self.price_usd_per_h
        return Interval(worth.mean - price, worth.lo - price, worth.hi - price)

    @property
    def payback(self) -> float | None:
        """What each dollar of its price brings; None where it costs nothing more."""
        price = self.price_usd_per_h
        return self.worth_usd_per_h.mean / price if price > 0 else None

    @property
    def pays(self) -> bool:
        """Whether it is worth more than it costs."""
        return self.net_usd_per_h.mean > LEAST_USD_PER_H


def by_span(scenario: Scenario, by_link: Float[np.ndarray, "episodes links"]) -> np.ndarray:
    """Shadow prices of both directions of each span together, (episodes, spans)."""
    prices = np.zeros((len(by_link), len(scenario.network.spans.name)))
    np.add.at(prices.T, scenario.network.links.span, by_link.T)
    return prices


def marginal_usd_per_gbps_h(scenario: Scenario, volume_exponent: float) -> np.ndarray:
    """What a Gbit/s more of each span costs: to the next tier where it is sold, (spans,)."""
    spans, offers = scenario.network.spans, scenario.network.offers
    tier = np.maximum(spans.tier_gbps, TINY_GBPS)
    price = np.asarray(spans.usd_per_h / tier * volume_exponent, np.float64)
    if offers is not None:
        for row in range(len(offers.span)):
            size, usd = _next_tier(scenario, row)
            price[offers.span[row]] = usd / size if size else np.nan
    return price


def upgrades_of(
    scenario: Scenario, shadow: Float[np.ndarray, "episodes spans"], volume_exponent: float
) -> list[Upgrade]:
    """Candidates, the one that pays back first in front.

    Those that save money come first, by what is gained; then those that pay, by what each dollar
    brings; then those without a price, by worth; then the rest.

    Args:
        scenario: the network as it stands.
        shadow: price of each span in each episode, USD per Gbit/s and hour.
        volume_exponent: of the tariff of spans that are not sold by the tier.
    """
    found = [*_wider(scenario, shadow, volume_exponent), *_next_tiers(scenario, shadow)]
    return sorted(found, key=_place)


def advised(upgrades: Sequence[Upgrade]) -> Upgrade | None:
    """The first that is worth anything beyond its price; None where none is."""
    return upgrades[0] if upgrades and upgrades[0].pays else None


def _place(upgrade: Upgrade) -> tuple[bool, bool, bool, float]:
    payback, saves = upgrade.payback, upgrade.price_usd_per_h < 0
    worth = upgrade.net_usd_per_h.mean if payback is None else payback
    return (not upgrade.pays, not saves, payback is None, -worth)


def _wider(scenario: Scenario, shadow: np.ndarray, exponent: float) -> list[Upgrade]:
    """Ten per cent more of each span that is not sold by the tier."""
    spans, offers = scenario.network.spans, scenario.network.offers
    sold = set[int]() if offers is None else set(offers.span.tolist())
    found: list[Upgrade] = []
    for row, name in enumerate(spans.name):
        gbps = float(spans.tier_gbps[row])
        if row in sold or not gbps:
            continue
        price = float(spans.usd_per_h[row]) * ((1.0 + STEP) ** exponent - 1.0)
        worth = mean_interval(shadow[:, row] * gbps * STEP)
        to = gbps * (1.0 + STEP)
        found.append(Upgrade(name, gbps, to, price, worth, {f"network.capacity_gbps.{name}": to}))
    return found


def _next_tiers(scenario: Scenario, shadow: np.ndarray) -> list[Upgrade]:
    """The next tier of each span that is sold, beside the first tiers of the others."""
    spans, offers = scenario.network.spans, scenario.network.offers
    if offers is None:
        return []
    names = [spans.name[row] for row in offers.span]
    first = {
        f"network.capacity_gbps.{name}": max(float(spans.tier_gbps[row]), TINY_GBPS)
        for name, row in zip(names, offers.span, strict=True)
    }
    found: list[Upgrade] = []
    for row, name in enumerate(names):
        size, usd = _next_tier(scenario, row)
        if size:
            gbps = float(spans.tier_gbps[offers.span[row]])
            to = {"offers.*.first_tier_gbps": None, **first}
            to[f"network.capacity_gbps.{name}"] = gbps + size
            worth = mean_interval(shadow[:, offers.span[row]] * size)
            found.append(Upgrade(name, gbps, gbps + size, usd, worth, to))
    return found


def _next_tier(scenario: Scenario, row: int) -> tuple[float, float]:
    """Size of the step from the first tier of a menu to the next, and its price; 0 if none."""
    offers = scenario.network.offers
    assert offers is not None
    place, count = int(offers.first[row]), int(offers.is_sold[row].sum())
    if place + 1 >= count:
        return 0.0, 0.0
    size = offers.tier_gbps[row, place + 1] - offers.tier_gbps[row, place]
    return float(size), float(offers.usd_per_h[row, place + 1] - offers.usd_per_h[row, place])


LEAST_USD_PER_H = 1e-6
TINY_GBPS = 1e-9
"""What a span is built with that begins with a tier of nothing: spans have some capacity."""
