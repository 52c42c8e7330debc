"""`bwalloc bench decide`: what a decision of an exported policy costs, and if runtimes agree."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from bwalloc.cli.command import command_line
from bwalloc.cli.extras import needing
from bwalloc.cli.outputs import check_outputs, write_json
from bwalloc.errors import BwallocError, unknown_name
from bwalloc.provenance import PACKAGES, commit, machine, versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bwalloc.bench.decide_document import Decided
    from bwalloc.bench.decide_latency import Latency

MISSED = 1
"""Exit code where a target is missed."""
LARGEST = 10_000


def run(
    agent: str = "metro-inference",
    *,
    env: str = "metro-inference",
    section: tuple[str, ...] = ("all",),
    decisions: int = 400,
    demands_up_to: int = LARGEST,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> int:
    """Parity of torch, onnxruntime and NumPy, time of a whole decision, and what loading takes.

    Exits with 1 where runtimes differ by more than 1e-5 of the widest link, or where a whole
    decision takes more than twice the bare inference at 1,000 demands.

    Args:
        agent: name of an agent of the catalogue, the folder of a bundle (with a /), or a .bwalloc
            file.
        env: environment on which linear programmes run beside, and to whose network loading binds.
        section: what to measure, several times or `all`: parity; latency; footprint.
        decisions: how many are timed on networks of up to 1,000 demands; fewer on larger ones.
        demands_up_to: networks with more demands are left out.
        json_file: write the figures here.
    """
    with needing("serve"):
        import_module("onnxruntime")  # what everything is held against
    from bwalloc.bench.decide_document import SECTIONS, measure_decisions
    from bwalloc.scenario import load_scenario
    from bwalloc.serve import load_bundle

    for name in section:
        if name not in (*SECTIONS, "all"):
            known, remedy = [*SECTIONS, "all"], "Use one of them."
            raise unknown_name(kind="section", name=name, known=known, remedy=remedy)
    for option, value in (("decisions", decisions), ("demands-up-to", demands_up_to)):
        if value < 1:
            msg = f"--{option} {value}: expected at least 1."
            raise BwallocError(msg)
    check_outputs(json=json_file)
    load_bundle(agent)  # whatever is wrong with them is told here, not in a process of its own
    load_scenario(env)
    errors = Console(stderr=True)
    found = measure_decisions(
        agent,
        env,
        SECTIONS if "all" in section else section,
        decisions=decisions,
        most_demands=demands_up_to,
        told=lambda what: errors.print(f"measuring {what} ..."),
    )
    _print(found)
    if json_file:
        write_json(json_file, {**_origin(agent, env), **found.document()})
        print(f"results: {json_file}")
    return 0 if found.is_met else MISSED


def _origin(agent: str, env: str) -> dict[str, Any]:
    packages = (*PACKAGES, "onnxruntime", "torch")
    return {
        "command": command_line(), "commit": commit(), "versions": versions(*packages),
        "machine": machine(), "agent": agent, "env": env,
    }  # fmt: skip


def _print(found: Decided) -> None:
    if found.parity:
        _print_parity(found)
    _print_latency("one decision, one thread", found.latency)
    _print_latency("the same without numba", found.latency_without_numba)
    if found.footprint:
        _table(
            "until the first decision, fresh processes",
            ("way", "s", "peak MiB", "seconds by step"),
            [
                (
                    each.way,
                    f"{each.total_s:.2f}",
                    f"{each.peak_mib:.0f}",
                    ", ".join(f"{step} {spent:.2f}" for step, spent in each.seconds.items()),
                )
                for each in found.footprint
            ],
        )
    _print_verdict(found)


def _print_parity(found: Decided) -> None:
    names = list(found.parity[0].from_numpy)
    rows = [
        (
            each.case, f"{each.demands:,} x {each.links}", str(each.networks), str(each.decisions),
            *(f"{each.from_numpy[name]:.1e}" for name in names),
            f"{each.largest:.1e}", str(each.beyond),
        )
        for each in found.parity
    ]  # fmt: skip
    heads = ("telemetry", "demands x links", "networks", "decisions", *names)
    title = "largest difference of a rate from NumPy's, and between any two, / widest link"
    _table(title, (*heads, "any two", "beyond"), rows)


def _print_latency(title: str, rows: Sequence[Latency]) -> None:
    heads = ("who", "demands x links", "decisions", "p50 ms", "p99 ms", "CPU ms", "x bare", "CPU x")
    cells = [
        (
            each.who, f"{each.demands:,} x {each.links}", str(each.decisions),
            f"{each.p50_ms:.3g}", f"{each.p99_ms:.3g}", f"{each.cpu_p50_ms:.3g}",
            f"{each.times_bare:.2f}", f"{each.cpu_times_bare:.2f}",
        )
        for each in rows
    ]  # fmt: skip
    if cells:
        _table(title, heads, cells)


def _print_verdict(found: Decided) -> None:
    from bwalloc.bench.decide_document import MOST_TIMES_BARE, TARGET_DEMANDS, TOLERANCE, is_cheap

    if found.parity:
        verdict = "met" if found.is_alike else "MISSED"
        print(f"target: runtimes differ by at most {TOLERANCE:.0e}: {verdict}")
    for name, each in found.held_to_target.items():
        verdict = "met" if is_cheap(each) else "MISSED"
        print(
            f"target: '{name}' of {TARGET_DEMANDS:,} demands takes at most {MOST_TIMES_BARE:g} x "
            f"the bare inference: {verdict} ({each.times_bare:.2f})"
        )


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place < 1 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140).print(table)
