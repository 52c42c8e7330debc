"""The document of `plan --json`: schema in docs/plan.md."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bwalloc.bench.plan_upgrades import by_span
from bwalloc.bench.players import LEGACY, kind_of
from bwalloc.bench.statistics import mean_interval, paired_gain
from bwalloc.bench.summary import summarise
from bwalloc.bench.tasks import scenario_of
from bwalloc.provenance import PACKAGES, commit, versions

if TYPE_CHECKING:
    from bwalloc.bench.compare import Comparison
    from bwalloc.bench.plan import Planning
    from bwalloc.bench.plan_upgrades import Upgrade


def plan_document(command: str, found: Planning) -> dict[str, Any]:
    """The whole document, with what is needed to repeat it."""
    return {
        "schema": 1,
        "command": command,
        "commit": commit(),
        "versions": versions(*PACKAGES),
        "env": found.scenario.slug,
        "title": found.scenario.title,
        "split": found.setting.split,
        "episodes": found.setting.episodes,
        "seeds": found.setting.seeds,
        "sells": found.scenario.network.offers is not None,
        "links": _links(found),
        "spans": _spans(found),
        "upgrades": [_upgrade(each) for each in found.upgrades],
        "advised": _advised(found),
        "legacy": _legacy(found.comparison),
        "comparison": summarise(found.comparison),
    }


def _links(found: Planning) -> list[dict[str, Any]]:
    network = found.scenario.network
    spans = network.spans.name
    return [
        {
            "link": name,
            "span": spans[network.links.span[row]],
            "capacity_gbps": float(found.capacity_gbps[row]),
            "usd_per_gbps_h": asdict(mean_interval(found.worth.shadow[:, row])),
        }
        for row, name in enumerate(network.links.name)
    ]


def _spans(found: Planning) -> list[dict[str, Any]]:
    """Spans, the dearest Gbit/s first; `price` is what one more costs."""
    spans = found.scenario.network.spans
    shadow = by_span(found.scenario, found.worth.shadow)
    rows = [
        {
            "span": name,
            "capacity_gbps": float(spans.tier_gbps[row]),
            "usd_per_gbps_h": asdict(mean_interval(shadow[:, row])),
            "price_usd_per_gbps_h": float(found.marginal[row]),
            "usd_per_h": float(spans.usd_per_h[row]),
        }
        for row, name in enumerate(spans.name)
    ]
    return sorted(rows, key=lambda row: -row["usd_per_gbps_h"]["mean"])


def _upgrade(each: Upgrade) -> dict[str, Any]:
    return {
        "span": each.span,
        "from_gbps": each.from_gbps,
        "to_gbps": each.to_gbps,
        "price_usd_per_h": each.price_usd_per_h,
        "worth_usd_per_h": asdict(each.worth_usd_per_h),
        "net_usd_per_h": asdict(each.net_usd_per_h),
        "payback": each.payback,
        "pays": each.pays,
    }


def _advised(found: Planning) -> dict[str, Any] | None:
    """The advised upgrade: what it promised, what the bound says, what was found."""
    upgrade, checked = found.advised, found.checked
    if upgrade is None or checked is None:
        return None
    price = upgrade.price_usd_per_h
    hours = found.scenario.timing.counted_h
    return {
        **_upgrade(upgrade),
        "overrides": dict(found.overrides),
        "promised_net_usd_per_h": asdict(upgrade.net_usd_per_h),
        "bound_net_usd_per_h": asdict(mean_interval(checked.gross_gain_usd_per_h - price)),
        "found_net_usd_per_h": {
            name: {
                "kind": kind_of(name),
                **asdict(
                    paired_gain(played.net_usd / hours, checked.before.played[name].net_usd / hours)
                ),
            }
            for name, played in checked.after.played.items()
        },
    }


def _legacy(comparison: Comparison) -> dict[str, Any]:
    """What legacy provisioning leaves on the table against each other way to run the network."""
    hours = scenario_of(comparison.setting).timing.counted_h
    legacy = comparison.played[LEGACY].net_usd / hours
    return {
        "net_usd_per_h": asdict(mean_interval(legacy)),
        "costs_usd_per_h": {
            name: {"kind": kind_of(name), **asdict(paired_gain(played.net_usd / hours, legacy))}
            for name, played in comparison.played.items()
            if name != LEGACY
        },
    }
