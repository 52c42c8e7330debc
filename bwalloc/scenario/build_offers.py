"""From the offers of an environment file to menus of tiers by span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import ScenarioError, nearest
from bwalloc.network.offers import NOT_SOLD, Offers

if TYPE_CHECKING:
    from bwalloc.network import Topology
    from bwalloc.scenario.schema_offers import OfferSection

TERMS = (
    "delay_median_s",
    "delay_sigma",
    "delay_cap_s",
    "rejection",
    "min_billed_s",
    "billed_every_s",
    "order_every_s",
)
NEAR = 1e-9
"""Relative difference up to which a capacity is a tier."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tier of a menu."""

    tier_gbps: float
    usd_per_h: float
    section: OfferSection


def build_offers(
    sections: Mapping[str, OfferSection], topology: Topology, where: str
) -> Offers | None:
    """Menus of the spans that are sold; None where none is.

    Raises:
        ScenarioError: An offer is on no span, two sell one tier of a span, or a span has no tier
            to begin with.
    """
    menus: dict[int, list[Entry]] = {}
    for name, section in sections.items():
        for span in _spans(section, topology, f"{where}, offers.{name}.spans"):
            prices = zip(section.tiers_gbps, section.prices_usd_per_h, strict=True)
            menus.setdefault(span, []).extend(Entry(*pair, section) for pair in prices)
    if not menus:
        return None
    rows = sorted(menus)
    menu = [sorted(menus[row], key=lambda entry: entry.tier_gbps) for row in rows]
    names = [topology.spans.name[row] for row in rows]
    for span, entries in zip(names, menu, strict=True):
        _check_tiers(span, entries, where)
    first = [
        _first(span, entries, float(topology.spans.tier_gbps[row]), where)
        for row, span, entries in zip(rows, names, menu, strict=True)
    ]
    return _stacked(rows, first, menu)


def _stacked(rows: Sequence[int], first: Sequence[int], menu: Sequence[list[Entry]]) -> Offers:
    width = max(map(len, menu))
    shape = (len(menu), width)
    tier, price = np.full(shape, NOT_SOLD), np.zeros(shape)
    terms = {name: np.ones(shape) for name in TERMS}
    provider: list[tuple[str, ...]] = []
    for row, entries in enumerate(menu):
        provider.append((*(e.section.provider for e in entries), *[""] * (width - len(entries))))
        for place, entry in enumerate(entries):
            tier[row, place], price[row, place] = entry.tier_gbps, entry.usd_per_h
            for name in TERMS:
                terms[name][row, place] = getattr(entry.section, name)
    return Offers(
        span=np.array(rows, np.int64),
        first=np.array(first, np.int64),
        tier_gbps=tier,
        usd_per_h=price,
        provider=tuple(provider),
        **terms,
    )


def _spans(section: OfferSection, topology: Topology, place: str) -> list[int]:
    """Rows of the spans that the names and patterns of an offer stand for."""
    known, found = topology.spans.name, dict[int, None]()
    for pattern in [section.spans] if isinstance(section.spans, str) else section.spans:
        mine = [row for row, name in enumerate(known) if fnmatchcase(name, pattern)]
        if not mine:
            msg = f"{place}: got '{pattern}', expected the name of a span or a pattern of names. "
            raise ScenarioError(msg + nearest(pattern, known))
        found.update(dict.fromkeys(mine))
    return list(found)


def _check_tiers(span: str, entries: list[Entry], where: str) -> None:
    tiers = [entry.tier_gbps for entry in entries]
    twice = [tier for tier in tiers if tiers.count(tier) > 1]
    if twice:
        msg = (
            f"{where}, offers: span '{span}' is offered {twice[0]:g} Gbit/s twice; a tier says "
            "whose it is: let each provider sell its own tiers, or build a span for each."
        )
        raise ScenarioError(msg)


def _first(span: str, entries: list[Entry], capacity_gbps: float, where: str) -> int:
    """Place of the tier that a span begins with."""
    sections = {id(entry.section): entry.section for entry in entries}.values()
    said = {s.first_tier_gbps for s in sections if s.first_tier_gbps is not None}
    if len(said) > 1:
        msg = (
            f"{where}, offers: span '{span}' has several first_tier_gbps ({sorted(said)}): say one."
        )
        raise ScenarioError(msg)
    wanted = said.pop() if said else capacity_gbps
    tiers = np.array([entry.tier_gbps for entry in entries])
    place = int(np.abs(tiers - wanted).argmin())
    if abs(tiers[place] - wanted) > NEAR * max(wanted, 1.0):
        msg = (
            f"{where}, offers: span '{span}' is built with {wanted:g} Gbit/s, which is no tier "
            f"({', '.join(f'{tier:g}' for tier in tiers)}); set first_tier_gbps."
        )
        raise ScenarioError(msg)
    return place


def with_offers(topology: Topology, offers: Offers | None) -> Topology:
    """The topology whose sold spans have the first tier; their links could carry the largest."""
    if offers is None:
        return topology
    links, spans, rows = topology.links, topology.spans, np.arange(len(offers.span))
    tier, usd, capacity = spans.tier_gbps.copy(), spans.usd_per_h.copy(), links.capacity_gbps.copy()
    tier[offers.span] = offers.tier_gbps[rows, offers.first]
    usd[offers.span] = offers.usd_per_h[rows, offers.first]
    menu = offers.links_of(links)
    capacity[menu >= 0] = offers.largest_gbps[menu[menu >= 0]]
    return replace(
        topology,
        links=replace(links, capacity_gbps=capacity),
        spans=replace(spans, tier_gbps=tier, usd_per_h=usd),
    )
