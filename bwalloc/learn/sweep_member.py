"""One member of a sweep: how far its run folder is, and the run itself, on whatever machine."""

from __future__ import annotations

import json
import platform
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from bwalloc.errors import BwallocError
from bwalloc.files import write_atomically
from bwalloc.learn.run import RECIPE, STATE, RunFolder, share_of

if TYPE_CHECKING:
    from pathlib import Path

    from bwalloc.learn.recipe import Recipe
    from bwalloc.learn.run import Point

ERROR = "error.txt"
"""In a run folder: what ended the run, in one line, and where in the code."""
Status: TypeAlias = Literal["planned", "stopped", "finished", "pruned", "failed"]


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is told.

    Attributes:
        folder: the run folder, absolute.
        recipe: of the run.
        seen: a file that every worker must see, else the folder is not shared.
        minutes: stop after that many.
        envs: a folder with environments of your own.
        command: what to type to run the whole again.
    """

    folder: Path
    recipe: Recipe
    seen: Path
    minutes: float | None = None
    envs: Path | None = None
    command: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is. `share` of its steps or time, whichever is more; `error` in one line."""

    status: Status
    share: float = 0.0
    steps: int = 0
    seconds: float = 0.0
    best: Point | None = None
    error: str = ""


def standing(path: Path, recipe: Recipe, minutes: float | None) -> Standing:
    """How far the run in a folder is, by what lies there.

    Raises:
        RecipeError: it holds a run of another recipe.
    """
    error = error_in(path)
    if not (path / RECIPE).exists():
        return Standing("failed" if error else "planned", error=error)
    folder = RunFolder(path, recipe)
    state = path / STATE
    saved = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}
    steps, seconds = int(saved.get("steps", 0)), float(saved.get("seconds", 0.0))
    share = share_of(recipe, minutes, steps, seconds)
    is_validated = bool(folder.points) and folder.points[-1].steps >= steps
    is_over = share >= 1.0 or folder.is_out_of_patience(minutes)
    is_finished = bool(saved) and is_validated and is_over
    status: Status = "failed" if error else "finished" if is_finished else "stopped"
    return Standing(status, min(share, 1.0), steps, seconds, folder.best, error)


def run_member(work: Work) -> None:
    """Train a member to its end; what goes wrong is written into its folder.

    A worker that was given up may live and train on: this one waits for it, then does what is left.

    Raises:
        BwallocError: this machine does not see the folder.
    """
    check_seen(work.seen)
    from bwalloc.learn.train import train

    try:
        train(
            work.recipe, work.folder, minutes=work.minutes, envs=work.envs, command=work.command,
            waits=True,
        )  # fmt: skip
    except Exception as error:
        note_error(work.folder, error)


def check_seen(seen: Path) -> None:
    """See that this machine shares the folder.

    Raises:
        BwallocError: it does not.
    """
    if not seen.exists():
        msg = (
            f"--out '{seen.parent}': the worker on {platform.node()} does not see this folder; "
            "name one that all machines share under the same path."
        )
        raise BwallocError(msg)


def note_error(folder: Path, error: Exception) -> str:
    """Write down what ended a run; returns it in one line."""
    words = " ".join(str(error).split())
    said = words if isinstance(error, BwallocError) else f"{type(error).__name__}: {words}"
    trace = "".join(traceback.format_exception(error))
    write_atomically(folder / ERROR, f"{said}\n\n{trace}".encode())
    return said


def error_in(folder: Path) -> str:
    """The line that `note_error` wrote, or nothing."""
    file = folder / ERROR
    return file.read_text(encoding="utf-8").partition("\n")[0] if file.exists() else ""
