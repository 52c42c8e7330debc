"""`bwalloc search`: which values of recipe keys earn most on the validation split."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bwalloc.cli.command import command_line
from bwalloc.cli.exit_codes import INTERRUPTED
from bwalloc.cli.extras import needing
from bwalloc.cli.progress import progress_bar
from bwalloc.cli.sweep import NOT_ALL, checked, chosen_recipe
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
    env: str,
    *,
    out: Path,
    trials: int,
    space: Path | None = None,
    algo: str | None = None,
    recipe: Path | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    jobs: int = 0,
    backend: str = "loky",
    address: str | None = None,
    envs: Path | None = None,
) -> int:
    """Search recipe keys with Optuna; the same command goes on with a search that was stopped.

    Args:
        env: name or path of an environment.
        out: a folder for all trials; on a cluster, one that all machines share.
        trials: how many, those of earlier sittings included.
        space: a TOML file of ranges and choices by recipe key; the usual ones by default.
        algo: apg, ppo, sac or bc; that of the recipe, else apg, by default.
        recipe: a recipe file to start from, which is the first trial.
        minutes: stop each trial after this many minutes.
        steps: stop each trial after this many intervals of single episodes.
        seed: of what is drawn.
        jobs: trials at a time; one per core, or all that the cluster has, by default.
        backend: loky (processes of this machine), ray or dask.
        address: of a Ray cluster or a Dask scheduler; without, one is started on this machine.
        envs: a folder with environments of your own.
    """
    if trials < 1:
        msg = f"--trials {trials}: expected at least 1."
        raise BwallocError(msg)
    if seed < 0:
        msg = f"--seed {seed}: expected at least 0."
        raise BwallocError(msg)
    how = checked(out, minutes, jobs, backend, address)
    with needing("learn", "tune"):
        import_module("optuna")
    from bwalloc.learn.search import Search, search
    from bwalloc.learn.search_space import read_space
    from bwalloc.learn.search_usual import usual_space

    base = chosen_recipe(recipe, env, "bwalloc search", algorithm=algo, steps=steps)
    scenario = load_scenario(base.env, envs=envs)
    chosen = read_space(space, base) if space else usual_space(base, scenario)
    home = envs.resolve() if envs else None
    plan = Search(base, chosen, out.resolve(), trials, seed, minutes, home, command_line())
    with progress_bar(f"{trials} trials") as tell:
        result = search(plan, how, _Teller(trials, tell))
    return _publish(plan, result, out, env, scenario.rival)


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


def _publish(plan: Search, result: Searched, out: Path, env: str, rival: str) -> int:
    """Print what is known; 1 where a trial has no result, 130 after Ctrl-C."""
    from bwalloc.learn.search import BEST_RECIPE, SEARCH
    from bwalloc.learn.search_document import best_of
    from bwalloc.learn.sweep_document import problem

    _print_table(result)
    best = best_of(result.trials)
    if best:
        print(f"best trial: {best.folder}, {best.gain:+.2f} $/h over {rival} (validation)")
        print(f"recipe: {out / BEST_RECIPE}")
        print(f"Next: bwalloc sweep {env} --recipe {out / BEST_RECIPE} --seeds 5 --out DIR")
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
