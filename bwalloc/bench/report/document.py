"""From the document of `compare --json` (DESIGN section 9) to the records of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bwalloc.bench.report.records import (
    LEGACY,
    AllocatorRow,
    Drawings,
    EnvReport,
    Report,
)
from bwalloc.bench.statistics import Interval, paired_gain


def report_from_document(document: Mapping[str, Any], drawings: Sequence[Drawings] = ()) -> Report:
    """The report of a comparison.

    Args:
        document: what `bwalloc compare --json` wrote, read back.
        drawings: one for each of its results, in their order; none of them if empty.

    Returns:
        The report; what was not given is not drawn.

    Raises:
        ValueError: there are drawings, but not one for each result.
    """
    results = document["results"]
    pairs = zip(results, drawings or [Drawings()] * len(results), strict=True)
    environments = [_environment(result, drawn) for result, drawn in pairs]
    return Report(
        environments,
        document["command"],
        document["commit"],
        document["versions"],
        inputs=document.get("input", {}),
    )


def _environment(result: Mapping[str, Any], drawn: Drawings) -> EnvReport:
    played = result.get("episode_results", ())
    return EnvReport(
        slug=result["env"],
        split=result["split"],
        episodes=result["episodes"],
        bound_usd_per_h=Interval(**result["bound"]["net_usd_per_h"]),
        best_classical=result["best_classical"],
        rows=[_row(name, row, played) for name, row in result["allocators"].items()],
        title=drawn.title,
        left_out=result["left_out"],
        interrupted=result.get("interrupted", False),
        seeds=[episode["seed"] for episode in played],
        network=drawn.network,
        series=drawn.series,
    )


def _row(name: str, row: Mapping[str, Any], played: Sequence[Mapping[str, Any]]) -> AllocatorRow:
    spent = row.get("decide_ms") or {}
    gain, ahead = _over_legacy(name, played)
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
        gain_over_legacy=gain,
        episodes_ahead=ahead,
        stalled_gpu_h_per_h=row.get("stalled_gpu_hours_per_h", 0.0),
    )


def _over_legacy(
    name: str, played: Sequence[Mapping[str, Any]]
) -> tuple[Interval | None, int | None]:
    """Paired gain of one allocator over legacy, and the number of episodes it was ahead in."""
    nets = [episode["net_usd_per_h"] for episode in played]
    if not nets or not all(name in net and LEGACY in net for net in nets):
        return None, None
    mine, legacy = (np.array([net[one] for net in nets]) for one in (name, LEGACY))
    return paired_gain(mine, legacy), int((mine > legacy).sum())
