"""Search of recipe keys with Optuna on the validation split; goes on where it was stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bwalloc.errors import RecipeError
from bwalloc.files import write_atomically
from bwalloc.learn.recipe import flat, recipe_toml
from bwalloc.learn.search_document import Tried, best_of, document, latest, tried
from bwalloc.learn.search_trial import FOLDER, JOURNAL, TrialWork, open_study, run_trial
from bwalloc.learn.sweep_backends import run_everywhere
from bwalloc.learn.sweep_document import write_document
from bwalloc.learn.sweep_grid import changed
from bwalloc.learn.sweep_member import standing
from bwalloc.learn.sweep_watch import watching
from bwalloc.scenario import load_scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from optuna import Study

    from bwalloc.learn.recipe import Recipe
    from bwalloc.learn.search_space import Space
    from bwalloc.learn.sweep_backends import Spread

SEARCH, BEST_RECIPE = "search.json", "best-recipe.toml"
ASKED = "asked"
"""In the journal: what was searched, so that no other search is mixed into it."""
SEEDS_APART = 1_000_003


@dataclass(frozen=True, slots=True)
class Search:
    """What to search, and where.

    Attributes:
        recipe: what every trial starts from, and the first trial itself.
        space: ranges and choices by recipe key.
        out: the folder of the journal and of all trials, absolute, seen by every machine.
        trials: how many in all, those of earlier sittings included.
        seed: of what is drawn.
        minutes: stop each trial after this many.
        envs: a folder with environments of your own.
        command: what to type to run this again, for the record.
    """

    recipe: Recipe
    space: Space
    out: Path
    trials: int
    seed: int = 0
    minutes: float | None = None
    envs: Path | None = None
    command: str = ""

    @property
    def asked(self) -> dict[str, Any]:
        """What makes two searches the same."""
        space = {f"space of {key}": entry.plain() for key, entry in self.space.items()}
        return {**flat(self.recipe), "minutes": self.minutes, **space}


@dataclass(frozen=True, slots=True)
class Searched:
    """How a search ended; `lost` is what the processes died of."""

    trials: Sequence[Tried]
    lost: str = ""
    interrupted: bool = False


def search(
    plan: Search, how: Spread, listener: Callable[[Sequence[Tried]], None] | None = None
) -> Searched:
    """Run trials until there are as many as asked for.

    Writes `search.json` and, once a trial has come to its end, `best-recipe.toml`.

    Args:
        plan: the search.
        how: where trials run.
        listener: hears every few seconds of all trials.

    Raises:
        RecipeError: the folder holds a search of something else.
        BwallocError: the environment is broken, or no such cluster is there.
    """
    load_scenario(plan.recipe.env, envs=plan.envs)
    study = _opened(plan)
    _go_on_with(study, "RUNNING", "FAIL")

    def look() -> None:
        if listener:
            listener(tried(study))

    def left() -> list[TrialWork]:
        _go_on_with(study, "RUNNING")
        done = sum(each.is_over for each in tried(study))
        first = plan.seed * SEEDS_APART + len(study.trials)
        return [_work(plan, first + row) for row in range(plan.trials - done)]

    lost, is_interrupted = "", False
    try:
        with watching(look):
            lost = run_everywhere(run_trial, left, how)
    except KeyboardInterrupt:
        is_interrupted = True
    look()
    result = Searched(tried(study), lost, is_interrupted)
    _publish(plan, result)
    return result


def _work(plan: Search, seed: int) -> TrialWork:
    return TrialWork(
        plan.out, plan.recipe, plan.space, seed, plan.minutes, plan.envs, plan.command
    )  # fmt: skip


def _opened(plan: Search) -> Study:
    """The study, begun with the recipe itself or found with the same question."""
    plan.out.mkdir(parents=True, exist_ok=True)
    mend(plan.out / JOURNAL)
    study = open_study(plan.out, plan.seed)
    asked = json.loads(json.dumps(plan.asked))
    known = study.user_attrs.get(ASKED)
    if known is None:
        held = flat(plan.recipe)
        if all(entry.holds(held[key]) for key, entry in plan.space.items()):
            study.enqueue_trial({key: held[key] for key in plan.space})
        study.set_user_attr(ASKED, asked)
        return study
    for key in dict.fromkeys([*known, *asked]):
        if known.get(key) != asked.get(key):
            msg = (
                f"'{plan.out}' holds another search ({key}: {known.get(key)}, now "
                f"{asked.get(key)}). Name another --out, or search on with the same options."
            )
            raise RecipeError(msg)
    return study


def mend(journal: Path) -> None:
    """Cut off a last line that a killed process did not finish."""
    if not journal.exists():
        return
    data = journal.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        write_atomically(journal, whole)


def _go_on_with(study: Study, *states: str) -> None:
    """Queue trials that were left in these states again, in the folders they lie in."""
    from optuna.trial import TrialState

    for folder, trial in latest(study).items():
        if trial.state.name not in states:
            continue
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(dict(trial.params), user_attrs={FOLDER: folder})


def _publish(plan: Search, result: Searched) -> None:
    recipes = [changed(plan.recipe, each.changes, each.folder) for each in result.trials]
    standings = [
        standing(plan.out / each.folder, recipe, plan.minutes)
        for each, recipe in zip(result.trials, recipes, strict=True)
    ]
    about = {
        "env": plan.recipe.env,
        "algorithm": plan.recipe.algorithm,
        "minutes": plan.minutes,
        "seed": plan.seed,
    }
    tree = document(
        result.trials, standings, plan.space, lost=result.lost, command=plan.command,
        about=about, interrupted=result.interrupted,
    )  # fmt: skip
    write_document(plan.out / SEARCH, tree)
    best = best_of(result.trials)
    if best:
        recipe = recipes[result.trials.index(best)]
        head = f"# {best.folder}, {best.gain:+.2f} $/h over the rival on validation, found by\n"
        said = " ".join(plan.command.split())
        text = f"{head}#   {said}\n{recipe_toml(recipe)}"
        write_atomically(plan.out / BEST_RECIPE, text.encode())
