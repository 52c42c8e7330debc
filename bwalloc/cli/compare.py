"""`bwalloc compare`: allocators on the same episodes, beside a proven bound."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from bwalloc.bench.compare import Comparison, check, compare
from bwalloc.bench.players import LEGACY
from bwalloc.bench.summary import document, summarise
from bwalloc.bench.tasks import Setting, scenario_of
from bwalloc.cli.command import command_line
from bwalloc.cli.exit_codes import INTERRUPTED
from bwalloc.cli.outputs import check_outputs, write_json, writing
from bwalloc.cli.progress import progress_bar
from bwalloc.errors import BwallocError

FIGURES = ("net $/h", "95 %", "regret", "95 %", "gain $/h", "95 %", "left %", "ms")
LEFT_OUT_IF_NARROW = (1, 3)
"""The intervals of net and regret: the paired one of the gain says more."""
SLOWEST = 5
"""How many are named with their time."""
MOST_COLUMNS = 1000
"""Wider than any table."""


def run(
    *env: str,
    allocators: Annotated[str, Parameter(help="names, comma separated")] = "",
    split: str = "test",
    episodes: int = 12,
    seed: int = 0,
    trace: Annotated[tuple[str, ...], Parameter(help="CLASS=PATH", negative="")] = (),
    columns: Annotated[str, Parameter(help="time=NAME,context=NAME,generated=NAME")] = "",
    max_decide_ms: float | None = None,
    bound: bool = True,
    jobs: int = 0,
    envs: Path | None = None,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    report: Annotated[Path | None, Parameter(name="--report")] = None,
) -> int:
    """Compare allocators on the same episodes, beside the references and a proven bound.

    Args:
        env: names or paths of environments.
        allocators: which rules and agents; all rules, and the agents of each environment by
            default. What holds a / is the folder of an exported agent.
        split: train, validation, test or ood.
        episodes: number of episodes.
        seed: first seed.
        trace: request traces that drive a class, as CLASS=PATH.
        columns: what the columns of the traces are called; as in Azure's by default.
        max_decide_ms: leave out allocators whose median decision takes longer.
        bound: prove a bound of every episode, which takes most of the time where it is not known
            yet; without it regret and clairvoyant are left out.
        jobs: processes; one per core by default.
        envs: a folder with environments of your own.
        json_file: write the results here.
        report: draw the results here, one HTML file.
    """
    if not env:
        msg = "Name at least one environment: bwalloc compare metro-inference (bwalloc envs list)."
        raise BwallocError(msg)
    if jobs < 0:
        msg = f"--jobs {jobs}: expected a number of processes, or 0 for one per core."
        raise BwallocError(msg)
    check_outputs(json=json_file, report=report)
    names = _split(allocators) if allocators else None
    if names == []:
        msg = f"--allocators '{allocators}': expected names, comma separated, or leave it out."
        raise BwallocError(msg)
    settings: dict[str, Any] = {"split": split, "episodes": episodes, "seed": seed, "envs": envs}
    settings["traces"] = _pairs("trace", trace, "inference=requests.csv")
    settings["columns"] = _pairs("columns", _split(columns), "time=at")
    for name in env:
        check(Setting(name, **settings), names, max_decide_ms, bound=bound)
    comparisons: list[Comparison] = []
    for name in env:
        if not any(one.interrupted for one in comparisons):
            options = {"allocators": names, "max_decide_ms": max_decide_ms, "bound": bound}
            options |= settings
            comparisons.append(_compare_one(name, jobs=jobs or os.cpu_count() or 1, **options))
    return _publish(comparisons, json_file, report)


def _compare_one(name: str, **options: Any) -> Comparison:
    with progress_bar(name) as tell:
        return compare(name, progress=tell, **options)


def _publish(comparisons: list[Comparison], json_file: Path | None, report: Path | None) -> int:
    """Print and write what was finished; 130 after Ctrl-C."""
    finished = [one for one in comparisons if LEGACY in one.played]
    is_interrupted = any(one.interrupted for one in comparisons)
    if is_interrupted:
        kept = [name for one in finished for name in one.played]
        print(f"bwalloc: interrupted; finished: {', '.join(kept) or 'nothing'}", file=sys.stderr)
    if not finished:
        return INTERRUPTED
    whole = document(command_line(), [summarise(one) for one in finished])
    for result in whole["results"]:
        _print(result)
    if json_file:
        write_json(json_file, whole)
        print(f"results: {json_file}")
    if report:
        with writing(report):
            _report(report, whole, finished)
        print(f"report: {report}")
    return INTERRUPTED if is_interrupted else 0


def _report(path: Path, whole: dict[str, Any], finished: list[Comparison]) -> None:
    from bwalloc.bench.drawing import draw_network, draw_series, shown_allocators
    from bwalloc.bench.report import Drawings, report_from_document, write_report

    drawings = []
    for result, one in zip(whole["results"], finished, strict=True):
        scenario = scenario_of(one.setting, one.setting.seed)
        names = shown_allocators(one, _winner(result))
        network = draw_network(scenario, one, names)
        drawings.append(Drawings(scenario.title, network, draw_series(scenario, one, names)))
    write_report(path, report_from_document(whole, drawings))


def _winner(result: dict[str, Any]) -> str:
    """The allocator that earns most of those that could be run: rules and agents."""
    nets = {
        name: row["net_usd_per_h"]["mean"]
        for name, row in result["allocators"].items()
        if row["kind"] != "reference"
    }
    return max(nets, key=nets.__getitem__)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _pairs(option: str, texts: Sequence[str], example: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            msg = f"--{option} {text}: expected a name, = and a value, for example {example}."
            raise BwallocError(msg)
        if key in pairs:
            msg = f"--{option} {text}: '{key}' is {pairs[key]} already; give one of them."
            raise BwallocError(msg)
        pairs[key] = value
    return pairs


def _print(result: dict[str, Any]) -> None:
    console = Console()
    table = _table(result, is_narrow=False)
    if sys.stdout.isatty() and _width(console, table) > console.width:
        table = _table(result, is_narrow=True)
    console.width = max(
        console.width, _width(console, table)
    )  # a narrower terminal wraps, not cuts
    console.print(table)
    violations = sum(row["violations"] for row in result["allocators"].values())
    console.print(f"best classical: {result['best_classical']}; violations: {violations}")
    if any(row["kind"] == "agent" for row in result["allocators"].values()):
        console.print(_verdict(result))
    for name in result["left_out"]:
        console.print(f"left out: {name}")
    console.print(_time(result))


def _table(result: dict[str, Any], *, is_narrow: bool) -> Table:
    """Net, regret and gain by allocator; a narrow one has the interval of the gain alone."""
    count = result["episodes"]
    title = f"{result['env']}, {result['split']} split, {count} episode{'s' * (count != 1)}"
    table = Table(title=title, box=None, pad_edge=False, collapse_padding=is_narrow)
    for name in ("allocator", "kind"):
        table.add_column(name, no_wrap=True)
    shown = [at for at in range(len(FIGURES)) if not (is_narrow and at in LEFT_OUT_IF_NARROW)]
    for at in shown:
        table.add_column(FIGURES[at], justify="right", no_wrap=True)
    bound = result["bound"]["net_usd_per_h"]
    if math.isfinite(bound["mean"]):
        figures = [_number(bound["mean"], 2), _range(bound, 2), "0.000", *[""] * 5]
        table.add_row("bound", "proven", *(figures[at] for at in shown))
    ranked = sorted(
        result["allocators"].items(), key=lambda item: -item[1]["net_usd_per_h"]["mean"]
    )
    for name, row in ranked:
        style = "bold" if name == result["best_classical"] else ""
        figures = _cells(row)
        table.add_row(name, row["kind"], *(figures[at] for at in shown), style=style)
    return table


def _width(console: Console, table: Table) -> int:
    """Columns that a table takes where nothing is cut."""
    unlimited = console.options.update(max_width=MOST_COLUMNS)
    return Measurement.get(console, unlimited, table).maximum


def _verdict(result: dict[str, Any]) -> str:
    """Who earns most; a lead that the episodes do not prove is said to be none."""
    winner = _winner(result)
    row = result["allocators"][winner]
    text = f"winner: {winner} ({row['kind']})"
    if row["kind"] == "agent" and not row["gain_over_best_classical_usd_per_h"]["lo"] > 0.0:
        text += f"; its gain on {result['best_classical']} may be chance, the interval holds 0"
    return text


def _time(result: dict[str, Any]) -> str:
    """Seconds of the whole, of the plans, and of the allocators that took longest."""
    spent = {name: row["wall_s"] for name, row in result["allocators"].items() if row["wall_s"]}
    spent["bound"] = result["bound"]["wall_s"] or 0.0
    longest = sorted(spent, key=spent.__getitem__, reverse=True)[:SLOWEST]
    parts = ", ".join(f"{name} {spent[name]:.1f}" for name in longest)
    return f"time: {result['wall_s']:.0f} s ({parts})"


def _cells(row: dict[str, Any]) -> list[str]:
    net, regret, gain = (
        row[key] for key in ("net_usd_per_h", "regret", "gain_over_best_classical_usd_per_h")
    )
    return [
        f"{net['mean']:.2f}",
        _range(net, 2),
        _number(regret["mean"], 3),
        _range(regret, 3),
        f"{gain['mean']:+.2f}",
        _range(gain, 2),
        "" if row["left"] is None else f"{100 * row['left']:.1f}",
        f"{row['decide_ms']['p50']:.2f}" if row["decide_ms"] else "",
    ]


def _range(interval: dict[str, float], digits: int) -> str:
    if not math.isfinite(interval["lo"]):
        return ""
    return f"{interval['lo']:.{digits}f}..{interval['hi']:.{digits}f}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"
