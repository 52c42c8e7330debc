"""What can be ordered on the spans of one drawn network, and how often they fail."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.scenario.generate_network import log_uniform, most_spans
from bwalloc.scenario.schema_random import SaleSection

if TYPE_CHECKING:
    from bwalloc.scenario.schema import EnvFile
    from bwalloc.scenario.schema_failures import FailureSection
    from bwalloc.scenario.schema_offers import OfferSection
    from bwalloc.scenario.schema_random import RandomSection

ROLES = {"access": ("edge", "hub"), "metro": ("hub", "hub"), "cloud": ("hub", "cloud")}
"""Kinds of the sites at the ends of the spans of each role."""
LEAST_TIER = 1e-9
"""A tier of nothing counts as this much beside a capacity."""


def draw_offers(
    env: EnvFile, law: RandomSection, rng: np.random.Generator
) -> dict[str, OfferSection]:
    """Offers on some of the spans of a provisioned network, at prices of its own.

    A span begins with the tier whose ratio to the capacity that it was built with is nearest to
    1; so each offer becomes one per tier that spans begin with, named `<offer>/<tier>`.
    """
    sold: dict[str, list[str]] = {}
    price: dict[str, float] = {}
    for name, offer in env.offers.items():
        sale = law.offers.get(name, SaleSection())
        found = _matching(env, offer)
        share, factor = float(rng.uniform(*sale.spans)), log_uniform(rng, sale.price)
        count = max(1, round(share * len(found)))
        rows = np.sort(rng.permutation(len(found))[:count])
        sold[name], price[name] = [found[row] for row in rows], factor
    drawn: dict[str, OfferSection] = {}
    for name, offer in env.offers.items():
        for first, spans in _by_first_tier(env, name, sold).items():
            key = name if first is None else f"{name}/{first:g}"
            drawn[key] = _sold(offer, spans, first, price[name])
    return drawn


def draw_failures(env: EnvFile, law: RandomSection, rng: np.random.Generator) -> FailureSection:
    """The law of failures, so many times as frequent as it says."""
    accelerate = env.failures.accelerate * log_uniform(rng, law.failures)
    return env.failures.model_copy(update={"accelerate": float(f"{accelerate:.4g}")})


def most_sold(env: EnvFile, law: RandomSection) -> int:
    """How many spans are sold at most: those of every role that an offer may mean."""
    most = most_spans(law)
    return sum(most[role] for role, ends in ROLES.items() if _may_mean(env, law, ends))


def _may_mean(env: EnvFile, law: RandomSection, ends: tuple[str, str]) -> bool:
    sites = [
        [f"{kind}-{row + 1:0{width}d}" for row in range(getattr(law, f"{kind}s")[1])
         for width in (1, 2, 3)]
        for kind in ends
    ]  # fmt: skip
    names = {f"{one}--{other}" for one in sites[0] for other in sites[1]}
    patterns = [text for offer in env.offers.values() for text in _patterns(offer)]
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _patterns(offer: OfferSection) -> list[str]:
    return [offer.spans] if isinstance(offer.spans, str) else offer.spans


def _matching(env: EnvFile, offer: OfferSection) -> list[str]:
    patterns = _patterns(offer)
    return [s for s in env.network.spans if any(fnmatchcase(s, each) for each in patterns)]


def _by_first_tier(
    env: EnvFile, name: str, sold: dict[str, list[str]]
) -> dict[float | None, list[str]]:
    """Spans of an offer by the tier they begin with; None where another offer has that tier."""
    offer, found = env.offers[name], dict[float | None, list[str]]()
    for span in sold[name]:
        menu = sorted(
            tier for each in env.offers for tier in env.offers[each].tiers_gbps
            if span in sold[each]
        )  # fmt: skip
        built = env.network.spans[span].capacity_gbps
        first = min(menu, key=lambda tier: abs(np.log(max(tier, LEAST_TIER) / built)))
        found.setdefault(first if first in offer.tiers_gbps else None, []).append(span)
    return found


def _sold(offer: OfferSection, spans: list[str], first: float | None, price: float) -> OfferSection:
    prices = [float(f"{price * usd:.6g}") for usd in offer.prices_usd_per_h]
    return offer.model_copy(
        update={
            "spans": spans,
            "first_tier_gbps": first,
            "usd_per_h": prices,
            "usd_per_h_at_1_gbps": None,
        }
    )
