"""From the document of `compare --json` (DESIGN section 9) to the records of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bwalloc.bench.report.records import (
    AllocatorRow,
    EnvReport,
    NetworkDrawing,
    Report,
    TimeSeries,
)
from bwalloc.bench.statistics import Interval


def report_from_document(
    document: Mapping[str, Any],
    *,
    titles: Mapping[str, str] | None = None,
    networks: Mapping[str, NetworkDrawing] | None = None,
    series: Mapping[str, TimeSeries] | None = None,
) -> Report:
    """The report of a comparison.

    Args:
        document: what `bwalloc compare --json` wrote, read back.
        titles: of environments, by slug.
        networks: drawings, by slug.
        series: one episode each, by slug.

    Returns:
        The report; what was not given is not drawn.
    """
    titles, networks, series = titles or {}, networks or {}, series or {}
    environments = [
        _environment(
            result, titles.get(slug, slug), network=networks.get(slug), series=series.get(slug)
        )
        for result in document["results"]
        for slug in [str(result["env"])]
    ]
    return Report(environments, document["command"], document["commit"], document["versions"])


def _environment(result: Mapping[str, Any], title: str, **drawn: Any) -> EnvReport:
    return EnvReport(
        slug=result["env"],
        split=result["split"],
        episodes=result["episodes"],
        bound_usd_per_h=Interval(**result["bound"]["net_usd_per_h"]),
        best_classical=result["best_classical"],
        rows=[_row(name, row) for name, row in result["allocators"].items()],
        title=title,
        left_out=result["left_out"],
        interrupted=result.get("interrupted", False),
        **drawn,
    )


def _row(name: str, row: Mapping[str, Any]) -> AllocatorRow:
    spent = row.get("decide_ms") or {}
    return AllocatorRow(
        name=name,
        kind=row["kind"],
        net_usd_per_h=Interval(**row["net_usd_per_h"]),
        regret=Interval(**row["regret"]),
        gain_over_best_classical=Interval(**row["gain_over_best_classical_usd_per_h"]),
        left=row["left"],
        slo_attainment=row["slo_attainment"],
        bill_usd_per_h=row["bill_usd_per_h"],
        violations=row["violations"],
        decide_ms_p50=spent.get("p50"),
        decide_ms_p99=spent.get("p99"),
        money_usd_per_h=row.get("terms_usd_per_h", {}),
    )
