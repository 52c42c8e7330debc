"""What a plan found, in sentences computed from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bwalloc.bench.report.figures import amount, amount_fixed
from bwalloc.bench.report.headline import Headline

WORDS = [
    (
        "worth, shadow price",
        "What the bound would gain by a Gbit/s more of a span, in both directions: the price of "
        "its capacity in the plan with the future known. It falls as the span grows.",
    ),
    (
        "promised",
        "Shadow price times size, less the price of the upgrade. A straight line along a curve "
        "that bends, so the most that can be hoped for.",
    ),
    ("bound, solved again", "What the bound gains if the span really is that much wider."),
    (
        "found",
        "The same episodes played again with the upgrade: what each allocator earns more, less "
        "the price. A rule that is no better with more capacity finds nothing.",
    ),
    ("per $", "What each dollar of its price brings. Above 1 it pays."),
    (
        "95 %",
        "Bootstrap interval over the episodes; differences are paired, episode by episode.",
    ),
]


def plan_headline(plan: Mapping[str, Any]) -> Headline:
    """The advice, how it fared, what legacy leaves, and what a reader must not miss."""
    others = [_checked(plan["advised"]), _legacy(plan["legacy"]), too_wide_text(plan["spans"])]
    return Headline(_first(plan), [text for text in others if text], _caveats(plan))


def too_wide(spans: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Spans whose last Gbit/s surely is worth less than it costs."""
    return [
        row for row in spans if (row["price_usd_per_gbps_h"] or 0.0) > row["usd_per_gbps_h"]["hi"]
    ]


def _first(plan: Mapping[str, Any]) -> str:
    advised = plan["advised"]
    if advised is None:
        return "No upgrade is worth more than it costs."
    gbps = amount(advised["to_gbps"] - advised["from_gbps"])
    worth, price = advised["worth_usd_per_h"]["mean"], advised["price_usd_per_h"]
    if price < 0:
        return (
            f"{advised['span']} saves money at once: {gbps} Gbit/s more cost {amount(-price)} $/h "
            f"less, and are worth {amount(worth)} $/h."
        )
    if price:
        return (
            f"{advised['span']} pays back first: {gbps} Gbit/s more for {amount(price)} $/h "
            f"promise {amount(worth)} $/h."
        )
    return f"{advised['span']} is the tightest: {gbps} Gbit/s more are worth {amount(worth)} $/h."


def _checked(advised: Mapping[str, Any] | None) -> str:
    if advised is None:
        return ""
    bound, found = advised["bound_net_usd_per_h"], advised["found_net_usd_per_h"]
    rows = {name: row for name, row in found.items() if row["kind"] != "reference"}
    name = max(rows, key=lambda name: rows[name]["mean"])
    best = rows[name]
    price = "" if advised["price_usd_per_h"] else " (no price is known, none is taken off)"
    return (
        f"Made, it brings the bound {amount(bound['mean'], signed=True)} $/h net{price}, and "
        f"{name} {amount(best['mean'], signed=True)} $/h ({_spread(best)})."
    )


def _legacy(legacy: Mapping[str, Any]) -> str:
    rows = {
        name: row for name, row in legacy["costs_usd_per_h"].items() if row["kind"] != "reference"
    }
    if not rows:
        return ""
    name = max(rows, key=lambda name: rows[name]["mean"])
    more = rows[name]
    return (
        f"Provisioned once for its peak, the network earns {amount(more['mean'])} $/h less than "
        f"under {name} ({_spread(more)})."
    )


def too_wide_text(spans: Sequence[Mapping[str, Any]]) -> str:
    """A sentence that names them; none if there are none."""
    rows = [
        f"{row['span']} ({amount_fixed(row['usd_per_gbps_h']['mean'], 3)} of "
        f"{amount_fixed(row['price_usd_per_gbps_h'], 3)} $)"
        for row in too_wide(spans)
    ]
    return f"The last Gbit/s is worth less than it costs on {', '.join(rows)}." if rows else ""


def _caveats(plan: Mapping[str, Any]) -> list[str]:
    caveats: list[str] = []
    if plan["episodes"] < 2:
        caveats.append("One episode has no interval: nothing here is certain.")
    if plan["sells"]:
        caveats.append(
            "Capacity can be ordered here. Prices and upgrades are those of a network that stands "
            "at its first tiers; nobody orders in the check."
        )
    advised = plan["advised"]
    if advised is not None and advised["bound_net_usd_per_h"]["lo"] <= 0.0:
        caveats.append("The bound may gain nothing by the upgrade: its interval holds 0.")
    return caveats


def _spread(interval: Mapping[str, float]) -> str:
    ends = (amount(interval[end], signed=True) for end in ("lo", "hi"))
    return f"95 %: {' to '.join(ends)}"
