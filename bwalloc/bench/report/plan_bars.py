"""Geometry of the charts of a plan, in percent of the width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bwalloc.bench.report.bars import Axis
from bwalloc.bench.report.figures import amount_fixed
from bwalloc.bench.report.plan_words import too_wide

LISTED = 16
"""Spans that are drawn, the dearest first."""


@dataclass(frozen=True, slots=True)
class PlanBar:
    """A row of a chart: a bar from zero, its interval, and a mark (None: no mark)."""

    name: str
    kind: str
    x: float
    width: float
    whisker: tuple[float, float]
    mark: float | None
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class PlanChart:
    """Bars on one axis."""

    bars: list[PlanBar]
    axis: Axis


def worth_chart(spans: Sequence[Mapping[str, Any]]) -> PlanChart | None:
    """Shadow prices of spans beside what a Gbit/s more of each costs; None without worth."""
    rows = [row for row in spans[:LISTED] if row["usd_per_gbps_h"]["mean"] > 0.0]
    if not rows:
        return None
    prices = [row["price_usd_per_gbps_h"] or 0.0 for row in rows]
    axis = Axis(0.0, max([*(row["usd_per_gbps_h"]["hi"] for row in rows), *prices]))
    wide = {row["span"] for row in too_wide(rows)}
    return PlanChart([_worth_bar(row, axis, row["span"] in wide) for row in rows], axis)


def _worth_bar(row: Mapping[str, Any], axis: Axis, is_wide: bool) -> PlanBar:
    worth, price = row["usd_per_gbps_h"], row["price_usd_per_gbps_h"]
    text = f"{amount_fixed(worth['mean'], 3)} $"
    return PlanBar(
        name=row["span"],
        kind="reference" if is_wide else "classical",
        x=0.0,
        width=axis.at(worth["mean"]),
        whisker=(axis.at(worth["lo"]), axis.at(worth["hi"])),
        mark=axis.at(price) if price else None,
        text=f"{text} of {amount_fixed(price, 3)} $" if price else text,
        note=f"{row['capacity_gbps']:.4g} Gbit/s",
    )


def check_chart(advised: Mapping[str, Any] | None) -> PlanChart | None:
    """What the advised upgrade promised, and what was found; None if there is none."""
    if advised is None:
        return None
    rows = [
        ("promised", "best", "shadow price x size", advised["promised_net_usd_per_h"]),
        ("bound, solved again", "reference", "", advised["bound_net_usd_per_h"]),
        *(
            (name, row["kind"], row["kind"] if row["kind"] != "classical" else "", row)
            for name, row in advised["found_net_usd_per_h"].items()
        ),
    ]
    ends = [each[end] for *_, each in rows for end in ("lo", "hi")]
    low, high = min(0.0, *ends), max(0.0, *ends)
    axis = Axis(low, high if high > low else low + 1.0)
    return PlanChart([_check_bar(*row, axis) for row in rows], axis)


def _check_bar(name: str, kind: str, note: str, found: Mapping[str, float], axis: Axis) -> PlanBar:
    left, right = sorted((axis.at(0.0), axis.at(found["mean"])))
    whisker = (axis.at(found["lo"]), axis.at(found["hi"]))
    text = f"{amount_fixed(found['mean'], 3)} $/h"
    return PlanBar(name, kind, left, round(right - left, 3), whisker, None, text, note)
