"""`bwalloc bench te`: the policy network on public traffic matrices."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bwalloc.cli.command import command_line
from bwalloc.cli.extras import needing
from bwalloc.cli.outputs import check_outputs, write_json
from bwalloc.errors import BwallocError
from bwalloc.provenance import PACKAGES, commit, machine, versions

if TYPE_CHECKING:
    from bwalloc.bench.te.contest import Contest, Entry

DATA_VARIABLE = "BWALLOC_TE_DATA"
MISSED = 1
"""Exit code where the target is missed."""


def run(
    *,
    dataset: str = "geant",
    data: Path | None = None,
    minutes: float | None = None,
    updates: int | None = None,
    seed: int = 0,
    seeds: int = 1,
    with_constants: bool = False,
    threads: int = 1,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> int:
    """Split public traffic matrices before they are seen: rules, linear programmes, the network.

    Exits with 1 where a seed of the policy network misses the dataset's target.

    Args:
        dataset: name of the dataset: geant.
        data: folder with its files (see docs/te.md); BWALLOC_TE_DATA by default.
        minutes: limit of each training; without it, a training ends after its updates.
        updates: steps of the optimiser in each training of the network.
        seed: of the first training.
        seeds: how many trainings.
        with_constants: also train the network on constants per tunnel, which tie it to a topology.
        threads: threads of torch.
        json_file: write the figures here.
    """
    with needing("learn"):
        import torch

        from bwalloc.bench.te.contest import run_contest
        from bwalloc.bench.te.dataset import read_dataset
        from bwalloc.bench.te.settings import TrainSettings
    _check(minutes=minutes, updates=updates, seeds=seeds, threads=threads)
    check_outputs(json=json_file)
    torch.set_num_threads(threads)
    settings = TrainSettings()
    if updates is not None:
        settings = replace(settings, updates=updates)
    read = read_dataset(dataset, _folder(data))
    chosen = tuple(range(seed, seed + seeds))
    with Progress(console=Console(stderr=True), transient=True, disable=_is_quiet()) as bar:
        task = bar.add_task(dataset, total=1.0)
        contest = run_contest(
            read, settings, chosen, minutes=minutes, corrected=with_constants,
            tell=lambda what, share: bar.update(task, completed=share, description=what),
        )  # fmt: skip
    _print(contest)
    if json_file:
        write_json(json_file, {**_document(contest), "settings": asdict(settings)})
        print(f"results: {json_file}")
    return 0 if contest.is_met else MISSED


def _check(**given: float | None) -> None:
    for name, value in given.items():
        if value is not None and not value > 0:
            msg = f"--{name} {value:g}: expected more than 0."
            raise BwallocError(msg)


def _folder(data: Path | None) -> Path:
    named = data or os.environ.get(DATA_VARIABLE)
    if not named:
        msg = f"Name the folder with the matrices: --data FOLDER, or {DATA_VARIABLE}. "
        msg += "docs/te.md says which files it holds and where they come from."
        raise BwallocError(msg)
    return Path(named)


def _is_quiet() -> bool:
    return not sys.stderr.isatty()


def _print(contest: Contest) -> None:
    table = Table(
        title=f"{contest.dataset}: MLU over the least possible, {len(contest.least)} test matrices",
        box=None, pad_edge=False,
    )  # fmt: skip
    for name in ("decides", "kind"):
        table.add_column(name, no_wrap=True)
    for name in (
        "seed",
        "mean",
        "p50",
        "p95",
        "p99",
        "decide ms",
        "CPU ms",
        "parameters",
        "trained s",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    winner = contest.winner
    for entry in sorted(contest.entries, key=lambda each: each.score.mean):
        table.add_row(*_cells(entry), style="bold" if entry is winner else "")
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print(f"winner: {winner.name} ({winner.kind})")
    if contest.target:
        verdict = "met" if contest.is_met else "MISSED"
        target = contest.target
        console.print(f"target: mean <= {target.mean:g} and p95 <= {target.p95:g}: {verdict}")


def _cells(entry: Entry) -> list[str]:
    score = entry.score
    figures = (score.mean, score.p50, score.p95, score.p99)
    return [
        entry.name, entry.kind, "" if entry.seed is None else str(entry.seed),
        *(f"{figure:.4f}" for figure in figures), f"{score.decide_ms['p50']:.2f}",
        f"{score.decide_ms['cpu_p50']:.2f}",
        f"{entry.parameters:,}" if entry.parameters else "",
        "" if entry.train_s is None else f"{entry.train_s:.0f}",
    ]  # fmt: skip


def _document(contest: Contest) -> dict[str, Any]:
    rows = [
        {
            "name": entry.name, "kind": entry.kind, "seed": entry.seed,
            "normalised_mlu": {
                key: getattr(entry.score, key) for key in ("mean", "p50", "p95", "p99")
            },
            "decide_ms": entry.score.decide_ms, "parameters": entry.parameters,
            "validation_mean": entry.validation, "updates": entry.updates,
            "train_s": entry.train_s, "train_cpu_s": entry.train_cpu_s,
            "values": [round(float(each), 6) for each in entry.values],
        }
        for entry in contest.entries
    ]  # fmt: skip
    return {
        "command": command_line(), "commit": commit(), "versions": versions(*PACKAGES, "torch"),
        "machine": machine(), "dataset": contest.dataset, "split": "test",
        "target": asdict(contest.target) if contest.target else None, "met": contest.is_met,
        "winner": contest.winner.name, "least_mlu": [round(float(x), 6) for x in contest.least],
        "rows": rows,
    }  # fmt: skip
