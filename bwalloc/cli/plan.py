"""`bwalloc plan`: what capacity is worth, the upgrade that pays back first, what legacy costs."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bwalloc.bench.plan import plan
from bwalloc.bench.plan_document import plan_document
from bwalloc.bench.players import LEGACY
from bwalloc.cli.command import command_line
from bwalloc.cli.outputs import check_outputs, write_json, writing
from bwalloc.cli.progress import progress_bar
from bwalloc.errors import BwallocError

LISTED = 12
"""Spans and upgrades that the terminal shows; the files hold all of them."""
WIDE = 100


def run(
    env: str,
    *,
    allocators: Annotated[str, Parameter(help="names, comma separated")] = "",
    split: str = "test",
    episodes: int = 6,
    seed: int = 0,
    jobs: int = 0,
    envs: Path | None = None,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    report: Annotated[Path | None, Parameter(name="--report")] = None,
) -> int:
    """Price every link, advise the upgrade that pays back first, and make it to see what it brings.

    Args:
        env: name or path of an environment with a network of its own.
        allocators: who plays beside static-peak and the clairvoyant; by default the environment's
            best classical allocator, forecast, and its agents.
        split: train, validation, test or ood.
        episodes: number of episodes.
        seed: first seed.
        jobs: processes; one per core by default.
        envs: a folder with environments of your own.
        json_file: write everything here.
        report: draw it here, one HTML file.
    """
    if jobs < 0:
        msg = f"--jobs {jobs}: expected a number of processes, or 0 for one per core."
        raise BwallocError(msg)
    check_outputs(json=json_file, report=report)
    names = [part.strip() for part in allocators.split(",") if part.strip()]
    with progress_bar(env) as tell:
        found = plan(
            env,
            allocators=names or None,
            jobs=jobs or os.cpu_count() or 1,
            progress=tell,
            split=split,
            episodes=episodes,
            seed=seed,
            envs=envs,
        )
    whole = plan_document(command_line(), found)
    show(whole)
    if json_file:
        write_json(json_file, whole)
        print(f"results: {json_file}")
    if report:
        from bwalloc.bench.report.plan import write_plan

        with writing(report):
            write_plan(report, whole)
        print(f"report: {report}")
    return 0


def show(whole: Mapping[str, Any]) -> None:
    """Print the tables and the verdict."""
    console = Console()
    if not sys.stdout.isatty():
        console.width = WIDE
    for title, table in (_spans(whole), _upgrades(whole)):
        console.print(title, style="bold", markup=False)
        console.print(table)
        console.print()
    for line in _verdict(whole):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    title, table = _legacy(whole)
    console.print(f"\n{title}", style="bold", markup=False)
    console.print(table)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _spans(whole: Mapping[str, Any]) -> tuple[str, Table]:
    stands = ", sold spans at their first tier" if whole["sells"] else ""
    count = whole["episodes"]
    title = f"{whole['env']}, {whole['split']} split, {count} episode{'s' * (count != 1)}{stands}"
    table = _table("span", "Gbit/s", "worth $/Gbit/s-h", "95 %", "price $/Gbit/s-h")
    for row in whole["spans"][:LISTED]:
        worth = row["usd_per_gbps_h"]
        price = row["price_usd_per_gbps_h"]
        table.add_row(
            escape(row["span"]),
            f"{row['capacity_gbps']:.2f}",
            f"{worth['mean']:.4f}",
            _range(worth, 4),
            f"{price:.4f}" if price and math.isfinite(price) else "-",
        )
    return title, table


def _upgrades(whole: Mapping[str, Any]) -> tuple[str, Table]:
    table = _table("span", "Gbit/s", "worth $/h", "price $/h", "net $/h", "95 %", "per $")
    for row in whole["upgrades"][:LISTED]:
        price, payback = row["price_usd_per_h"], row["payback"]
        table.add_row(
            escape(row["span"]),
            f"{row['from_gbps']:.2f} to {row['to_gbps']:.2f}",
            f"{row['worth_usd_per_h']['mean']:.3f}",
            f"{price:.3f}" if price else "-",
            f"{row['net_usd_per_h']['mean']:+.3f}",
            _range(row["net_usd_per_h"], 3),
            "-" if payback is None else f"{payback:.2f}",
        )
    return "Upgrades, the one that pays back first on top", table


def _verdict(whole: Mapping[str, Any]) -> list[str]:
    """The advised upgrade, promised against found."""
    from bwalloc.bench.report.plan_words import too_wide_text

    advised, wide = whole["advised"], too_wide_text(whole["spans"])
    last = [wide] if wide else []
    if advised is None:
        return ["No upgrade is worth more than it costs.", *last]
    price = advised["price_usd_per_h"]
    paid = f"for {price:.3f} $/h" if price else "no price is known: it may cost up to its worth"
    paid = f"which costs {-price:.3f} $/h less" if price < 0 else paid
    promised, bound = advised["promised_net_usd_per_h"], advised["bound_net_usd_per_h"]
    lines = [
        f"advised: {advised['span']} from {advised['from_gbps']:.2f} to "
        f"{advised['to_gbps']:.2f} Gbit/s, {paid}",
        f"promised by its shadow price: {promised['mean']:+.3f} $/h ({_range(promised, 3)})",
        f"the bound, solved again: {bound['mean']:+.3f} $/h ({_range(bound, 3)})",
    ]
    for name, found in advised["found_net_usd_per_h"].items():
        lines.append(f"found, {name}: {found['mean']:+.3f} $/h ({_range(found, 3)})")
    return [*lines, *last]


def _legacy(whole: Mapping[str, Any]) -> tuple[str, Table]:
    legacy = whole["legacy"]
    title = f"Legacy provisioning ({LEGACY}) earns {legacy['net_usd_per_h']['mean']:.2f} $/h"
    table = _table("instead", "kind", "more $/h", "95 %")
    rows = sorted(legacy["costs_usd_per_h"].items(), key=lambda item: -item[1]["mean"])
    for name, row in rows:
        table.add_row(escape(name), row["kind"], f"{row['mean']:+.2f}", _range(row, 2))
    return title, table


def _range(interval: Mapping[str, float], digits: int) -> str:
    return f"{interval['lo']:.{digits}f}..{interval['hi']:.{digits}f}"
