"""`bwalloc sweep`: a recipe times seeds times values of its keys, on this machine or a cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from bwalloc.cli.command import command_line
from bwalloc.cli.exit_codes import INTERRUPTED
from bwalloc.cli.progress import progress_bar
from bwalloc.cli.runs import NOT_ALL, USUAL, Runs
from bwalloc.scenario import load_scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bwalloc.learn.sweep import Sweep, Swept
    from bwalloc.learn.sweep_member import Standing


def run(
    env: str | None = None,
    *,
    out: Path,
    seeds: str = "5",
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    runs: Annotated[Runs, Parameter(name="*")] = USUAL,
) -> int:
    """Train a recipe with several seeds and settings; the same command goes on with what is left.

    Args:
        env: name or path of an environment; that of the recipe by default.
        out: a folder for all runs; on a cluster, one that all machines share.
        seeds: how many (5 is 0 to 4), or which, with commas (0,3,7).
        set_: values of a recipe key, as apg.learning_rate=1e-3,3e-3; every one with every other.
        runs: of the recipe, and where they take place.
    """
    how = runs.spread(out)
    from bwalloc.learn.sweep import Sweep, sweep
    from bwalloc.learn.sweep_grid import members_of, seeds_of, settings_of

    base = runs.chosen(env, "bwalloc sweep")
    members = members_of(base, seeds_of(seeds), settings_of(set_))
    plan = Sweep(members, out.resolve(), runs.minutes, runs.home, command_line())
    with progress_bar(f"{len(members)} runs") as tell:
        result = sweep(plan, how, _Teller(plan, tell))
    return _publish(plan, result, out)


class _Teller:
    """A bar of how far all runs are, and a line for each that ends."""

    def __init__(self, plan: Sweep, tell: Callable[[str, int, int], None]) -> None:
        self.plan, self.tell = plan, tell
        self.said: set[int] = set()

    def __call__(self, standings: Sequence[Standing]) -> None:
        ended = {row for row, at in enumerate(standings) if at.status in ("finished", "failed")}
        done = sum(100 if row in ended else int(100 * at.share) for row, at in enumerate(standings))
        self.tell(f"{len(ended)} done", done, 100 * len(standings))
        for row in sorted(ended - self.said):
            print(f"{self.plan.members[row].folder}: {said_of(standings[row])}", file=sys.stderr)
        self.said |= ended


def said_of(at: Standing) -> str:
    """A run in one line."""
    if at.status == "failed" or not at.best:
        return f"FAILED: {at.error}"
    best = at.best
    return (
        f"{best.gain_usd_per_h:+.2f} +- {best.gain_half_width:.2f} $/h over the rival, "
        f"{at.steps:,} steps, {at.seconds:.0f} s"
    )


def _publish(plan: Sweep, result: Swept, out: Path) -> int:
    """Print what is known; 1 where a run is missing, 130 after Ctrl-C."""
    from bwalloc.learn.sweep import SWEEP
    from bwalloc.learn.sweep_document import best_of, problem

    _print_table(plan, result)
    best = best_of(plan.members, result.standings)
    if best:
        at = result.standings[plan.members.index(best)]
        rival = load_scenario(best.recipe.env, envs=plan.envs).rival
        print(f"best run on validation: {best.folder}, {said_of(at).replace('the rival', rival)}")
        print(f"Next: bwalloc export {out / best.folder} --out agents/NAME")
    print(f"results: {out / SWEEP}")
    if result.interrupted:
        print("bwalloc: interrupted; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    missing = {
        member.folder: text
        for member, at in zip(plan.members, result.standings, strict=True)
        if (text := problem(at, result.lost))
    }
    for folder, text in missing.items():
        print(f"bwalloc: {out / folder}: {text}", file=sys.stderr)
    return NOT_ALL if missing else 0


def _print_table(plan: Sweep, result: Swept) -> None:
    from bwalloc.learn.sweep_document import by_setting

    table = Table(box=None, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    for name in ("seeds", "gain $/h", "95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in by_setting(plan.members, result.standings):
        gain = row["gain_usd_per_h"]
        cells = ("-", "") if gain is None else (f"{gain['mean']:+.2f}", _ends(gain))
        table.add_row(row["setting"] or "the recipe", str(row["finished"]), *cells)
    Console().print(table)


def _ends(gain: dict[str, float | None]) -> str:
    return "" if gain["lo"] is None else f"{gain['lo']:+.2f}..{gain['hi']:+.2f}"
