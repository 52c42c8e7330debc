"""Sweeps: a recipe times seeds times values of its keys, each an ordinary run folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bwalloc.learn.sweep_backends import run_everywhere
from bwalloc.learn.sweep_document import document, write_document
from bwalloc.learn.sweep_member import ERROR, Standing, Work, run_member, standing
from bwalloc.learn.sweep_watch import watching
from bwalloc.scenario import load_scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bwalloc.learn.sweep_backends import Spread
    from bwalloc.learn.sweep_grid import Member

SWEEP = "sweep.json"
ENDED = ("finished", "failed")


@dataclass(frozen=True, slots=True)
class Sweep:
    """What to run, and where to.

    Attributes:
        members: runs; all of one environment.
        out: the folder they lie in, absolute, seen by every machine that takes part.
        minutes: stop each after this many.
        envs: a folder with environments of your own.
        command: what to type to run this again, for the record.
    """

    members: Sequence[Member]
    out: Path
    minutes: float | None = None
    envs: Path | None = None
    command: str = ""

    def place(self, member: Member) -> Path:
        """The run folder of a member."""
        return self.out / member.folder

    def standings(self) -> list[Standing]:
        """How far every member is.

        Raises:
            RecipeError: a run folder holds a run of another recipe.
        """
        return [standing(self.place(each), each.recipe, self.minutes) for each in self.members]

    def work(self, member: Member) -> Work:
        """What the worker of a member is told."""
        return Work(
            self.place(member), member.recipe, self.out / SWEEP, self.minutes, self.envs,
            self.command,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Swept:
    """How a sweep ended: a standing for each member; `lost` is what the processes died of."""

    standings: Sequence[Standing]
    lost: str = ""
    interrupted: bool = False


def sweep(
    plan: Sweep, how: Spread, listener: Callable[[Sequence[Standing]], None] | None = None
) -> Swept:
    """Run what is not finished; finished members are left as they are, failed ones tried again.

    Writes `sweep.json` at the begin, whenever a member ends, and at the end.

    Args:
        plan: the sweep.
        how: where its members run.
        listener: hears every few seconds how far they are, in the order of the members.

    Raises:
        RecipeError: a run folder holds a run of another recipe.
        BwallocError: the environment is broken, or no such cluster is there.
    """
    load_scenario(plan.members[0].recipe.env, envs=plan.envs)
    plan.standings()
    for member in plan.members:
        (plan.place(member) / ERROR).unlink(missing_ok=True)
    ended = -1

    def look() -> None:
        nonlocal ended
        now = plan.standings()
        if listener:
            listener(now)
        count = sum(each.status in ENDED for each in now)
        if count != ended:
            ended = count
            _write(plan, Swept(now))

    def left() -> list[Work]:
        now = zip(plan.members, plan.standings(), strict=True)
        return [plan.work(each) for each, at in now if at.status in ("planned", "stopped")]

    look()
    lost, is_interrupted = "", False
    try:
        with watching(look):
            lost = run_everywhere(run_member, left, how)
    except KeyboardInterrupt:
        is_interrupted = True
    result = Swept(plan.standings(), lost, is_interrupted)
    if listener:
        listener(result.standings)
    _write(plan, result)
    return result


def _write(plan: Sweep, result: Swept) -> None:
    tree = document(
        plan.members, result.standings, lost=result.lost, command=plan.command,
        minutes=plan.minutes, interrupted=result.interrupted,
    )  # fmt: skip
    write_document(plan.out / SWEEP, tree)
