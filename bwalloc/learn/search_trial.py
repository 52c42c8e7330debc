"""One trial of a search: draw a recipe, train it, stop it where others were better by then."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bwalloc.learn.run import RunFolder, share_of
from bwalloc.learn.sweep_grid import changed
from bwalloc.learn.sweep_member import ERROR, check_seen, note_error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from optuna import Study, Trial

    from bwalloc.learn.recipe import Recipe
    from bwalloc.learn.run import Point
    from bwalloc.learn.search_space import Space
    from bwalloc.learn.train import Tell

JOURNAL = "trials.log"
"""Optuna's journal of all trials, one line of JSON per event."""
STUDY = "bwalloc"
FOLDER, ERROR_ATTRIBUTE = "folder", "error"
PARTS = 20
"""Curves are compared at every twentieth of a run."""
FREE_PARTS = 5
"""Parts in which no run is stopped."""
FREE_TRIALS = 5
"""Trials that came to their end before any other is stopped."""
RANDOM_TRIALS = 10
"""Trials drawn at random before earlier ones say where to look."""


class Pruned(Exception):  # noqa: N818 - no error: it ends a run that is not worth its time
    """Raised by the listener of a trial, through `train`, to end it; its checkpoint is written."""


@dataclass(frozen=True, slots=True)
class TrialWork:
    """What a worker is told.

    Attributes:
        out: the folder of the search, absolute.
        recipe: what trials start from.
        space: what is drawn.
        seed: of the draw; another for every trial.
        minutes, envs, command: as in `Search`.
    """

    out: Path
    recipe: Recipe
    space: Space
    seed: int
    minutes: float | None
    envs: Path | None
    command: str


def open_study(out: Path, seed: int = 0) -> Study:
    """The study of a folder, which any number of processes and machines may open."""
    optuna: Any = import_module("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal = optuna.storages.journal
    file = str(out / JOURNAL)
    return optuna.create_study(
        study_name=STUDY,
        storage=optuna.storages.JournalStorage(
            journal.JournalFileBackend(file, lock_obj=journal.JournalFileOpenLock(file))
        ),
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=RANDOM_TRIALS, multivariate=True, constant_liar=True
        ),
        pruner=optuna.pruners.MedianPruner(FREE_TRIALS, FREE_PARTS),
    )


def folder_name(attributes: Mapping[str, Any], number: int) -> str:
    """Where a trial lies; one that goes on with a stopped one lies where that did."""
    return attributes.get(FOLDER, f"trial-{number:04}")


def run_trial(work: TrialWork) -> None:
    """Draw a trial and train it; what comes of it stands in the journal.

    Raises:
        BwallocError: this machine does not see the folder.
    """
    check_seen(work.out / JOURNAL)
    from optuna.trial import TrialState

    from bwalloc.learn.train import train

    study = open_study(work.out, work.seed)
    trial = study.ask({key: entry.distribution() for key, entry in work.space.items()})
    folder = work.out / folder_name(trial.user_attrs, trial.number)
    trial.set_user_attr(FOLDER, folder.name)
    (folder / ERROR).unlink(missing_ok=True)
    try:
        recipe = changed(work.recipe, trial.params, folder.name)
        found = train(
            recipe, folder, minutes=work.minutes, envs=work.envs, command=work.command,
            listener=_Pruning(trial, folder, recipe, work.minutes), waits=True,
        )  # fmt: skip
        study.tell(trial, gain_of(found.best))
    except Pruned:
        study.tell(trial, state=TrialState.PRUNED)
    except Exception as error:
        trial.set_user_attr(ERROR_ATTRIBUTE, note_error(folder, error))
        study.tell(trial, state=TrialState.FAIL)


def gain_of(best: Point | None) -> float:
    """What a trial is judged by.

    Raises:
        ArithmeticError: it is no number.
    """
    if best is None or not math.isfinite(best.gain_usd_per_h):
        msg = "the run earned no finite amount of money on validation."
        raise ArithmeticError(msg)
    return best.gain_usd_per_h


def curve(
    points: list[Point], recipe: Recipe, minutes: float | None, share: float
) -> dict[int, float]:
    """Best gain so far at every twentieth of a run, up to `share` of it."""
    known = {
        part: [
            point.gain_usd_per_h
            for point in points
            if share_of(recipe, minutes, point.steps, point.seconds) <= part / PARTS
        ]
        for part in range(1, math.floor(share * PARTS) + 1)
    }
    return {part: max(gains) for part, gains in known.items() if gains}


class _Pruning:
    """Hears of a run, tells the study, and ends the run if the study says so."""

    def __init__(self, trial: Trial, folder: Path, recipe: Recipe, minutes: float | None) -> None:
        self.trial, self.folder, self.recipe, self.minutes = trial, folder, recipe, minutes
        self.said = 0

    def __call__(self, tell: Tell) -> None:
        if tell.point is None:
            return
        points = RunFolder(self.folder, self.recipe).points
        for part, gain in curve(points, self.recipe, self.minutes, tell.progress).items():
            if part > self.said:
                self.trial.report(gain, part)
                self.said = part
        if tell.progress < 1.0 and self.said and self.trial.should_prune():
            raise Pruned
