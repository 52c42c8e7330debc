"""What can be ordered, where something can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bwalloc.gym.page.markdown import code, codes, number, plain, range_of, table

if TYPE_CHECKING:
    from bwalloc.gym.page.subject import Subject
    from bwalloc.scenario.schema_offers import OfferSection

HEADER = (
    "offer", "provider", "spans", "tiers, Gbit/s", "USD/h", "delay: median, at most, s",
    "refused, %", "paid at least, then each, h",
)  # fmt: skip


def offers(subject: Subject) -> str:
    """A table of the offers, and what they mean; nothing where no capacity is sold."""
    sections, menus = subject.network_file.offers, subject.scenario.network.offers
    if menus is None:
        return ""
    about = f"{len(menus.span)} spans are sold by the tier; the table above shows the Gbit/s of "
    about += "the largest and the USD/h of that with which they begin. "
    about += f"They begin with {range_of(menus.tier_gbps[range(len(menus.span)), menus.first])} "
    about += "Gbit/s. How orders work: [](../model.md)."
    return f"{about}\n\n{table(HEADER, [_row(*each) for each in sections.items()])}"


def _row(name: str, offer: OfferSection) -> list[str]:
    spans = [offer.spans] if isinstance(offer.spans, str) else offer.spans
    return [
        code(name),
        plain(offer.provider),
        codes(spans),
        ", ".join(map(number, offer.tiers_gbps)),
        ", ".join(f"{usd:.2f}" for usd in offer.prices_usd_per_h),
        f"{number(offer.delay_median_s)}, {number(offer.delay_cap_s)}",
        number(100 * offer.rejection),
        f"{number(offer.min_billed_s / 3600)}, {number(offer.billed_every_s / 3600)}",
    ]
