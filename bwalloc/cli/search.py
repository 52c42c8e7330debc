"""`bwalloc search`: which values of recipe keys earn most on the validation split."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from bwalloc.cli.command import command_line
from bwalloc.cli.exit_codes import INTERRUPTED
from bwalloc.cli.extras import needing
from bwalloc.cli.progress import progress_bar
from bwalloc.cli.runs import NOT_ALL, USUAL, Runs
from bwalloc.errors import BwallocError
from bwalloc.scenario import load_scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from bwalloc.learn.search import Search, Searched
    from bwalloc.learn.search_document import Tried

SHOWN = 10
"""Trials in the table, from the best."""


def run(
    env: str | None = None,
    *,
    out: Path,
    trials: int,
    space: Path | None = None,
    seed: int = 0,
    runs: Annotated[Runs, Parameter(name="*")] = USUAL,
) -> int:
    """Search recipe keys with Optuna; the same command goes on with a search that was stopped.

    Args:
        env: name or path of an environment; that of the recipe by default.
        out: a folder for all trials; on a cluster, one that all machines share.
        trials: how many, those of earlier sittings included.
        space: a TOML file of ranges and choices by recipe key; the usual ones by default.
        seed: of what is drawn.
        runs: the trials, of which the recipe is the first, and where they take place.
    """
    if trials < 1:
        msg = f"--trials {trials}: expected at least 1."
        raise BwallocError(msg)
    if seed < 0:
        msg = f"--seed {seed}: expected at least 0."
        raise BwallocError(msg)
    how = runs.spread(out)
    with needing("learn", "tune"):
        import_module("optuna")
    from bwalloc.learn.search import Search, search
    from bwalloc.learn.search_space import read_space
    from bwalloc.learn.search_usual import usual_space

    base = runs.chosen(env, "bwalloc search")
    scenario = load_scenario(base.env, envs=runs.envs)
    chosen = read_space(space, base) if space else usual_space(base, scenario)
    plan = Search(
        base, chosen, out.resolve(), trials, seed, runs.minutes, runs.home, command_line()
    )  # fmt: skip
    with progress_bar(f"{trials} trials") as tell:
        result = search(plan, how, _Teller(trials, tell))
    return _publish(plan, result, out, scenario.rival)


class _Teller:
    """A bar of how many trials are over, and a line for each."""

    def __init__(self, trials: int, tell: Callable[[str, int, int], None]) -> None:
        self.trials, self.tell = trials, tell
        self.said: set[str] = set()

    def __call__(self, found: Sequence[Tried]) -> None:
        over = [each for each in found if each.is_over]
        gains = [each.gain for each in over if each.status == "finished" and each.gain is not None]
        best = f"best {max(gains):+.2f} $/h" if gains else "none at its end"
        self.tell(best, len(over), self.trials)
        for each in over:
            if each.folder not in self.said:
                print(f"{each.folder}: {_said_of(each)}", file=sys.stderr)
        self.said |= {each.folder for each in over}


def _said_of(each: Tried) -> str:
    if each.status == "failed":
        return f"FAILED: {each.error}"
    gain = "" if each.gain is None else f" {each.gain:+.2f} $/h"
    return f"{each.status}{gain}, {_changes(each.changes)}"


def _changes(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_number(value)}" for key, value in sorted(changes.items()))


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else json.dumps(value)


def _publish(plan: Search, result: Searched, out: Path, rival: str) -> int:
    """Print what is known; 1 where a trial has no result, 130 after Ctrl-C."""
    from bwalloc.learn.search import BEST_RECIPE, SEARCH
    from bwalloc.learn.search_document import best_of
    from bwalloc.learn.sweep_document import problem

    _print_table(result)
    best = best_of(result.trials)
    if best:
        print(f"best trial: {best.folder}, {best.gain:+.2f} $/h over {rival} (validation)")
        print(f"recipe: {out / BEST_RECIPE}")
        print(f"Next: bwalloc sweep --recipe {out / BEST_RECIPE} --seeds 5 --out DIR")
    print(f"results: {out / SEARCH}")
    if result.interrupted:
        print("bwalloc: interrupted; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    missing = {
        each.folder: text for each in result.trials if (text := problem(each, result.lost))
    }  # fmt: skip
    for folder, text in missing.items():
        print(f"bwalloc: {out / folder}: {text}", file=sys.stderr)
    return NOT_ALL if missing or len(result.trials) < plan.trials else 0


def _print_table(result: Searched) -> None:
    def worth(each: Tried) -> float:
        return float("-inf") if each.gain is None else each.gain

    table = Table(box=None, pad_edge=False)
    table.add_column("trial", no_wrap=True)
    table.add_column("gain $/h", justify="right", no_wrap=True)
    table.add_column("ended", no_wrap=True)
    table.add_column("drawn")
    for each in sorted(result.trials, key=worth, reverse=True)[:SHOWN]:
        gain = "-" if each.gain is None else f"{each.gain:+.2f}"
        table.add_row(each.folder, gain, each.status, _changes(each.changes))
    Console().print(table)
