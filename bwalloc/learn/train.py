"""`train`: run a recipe to its end, validate as it goes, keep the best policy."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from bwalloc.allocate.policy.learned import Policy
from bwalloc.errors import RecipeError
from bwalloc.learn.run import Origin, Point, RunFolder, share_of
from bwalloc.learn.run_lock import alone_in
from bwalloc.learn.validation import Validation
from bwalloc.provenance import PACKAGES, commit, machine, versions
from bwalloc.scenario import load_template

if TYPE_CHECKING:
    from pathlib import Path

    from bwalloc.learn.grounds import Draw
    from bwalloc.learn.recipe import Recipe
    from bwalloc.scenario import Scenario, Template

LEARNERS = ("torch", "stable-baselines3")
TRAIN = "train"
SMOOTHED = 50
"""Updates averaged for the money of training that is shown."""
SAVE_EVERY_S = 30.0
STEPS = "steps"
"""In the arrays of a checkpoint too: a kill between its two files must not part steps and weights.
"""


class Trainer(Protocol):
    """One algorithm: what `train` drives."""

    steps: int

    def update(self, progress: float) -> float:
        """Learn a little; returns money of a mean interval, USD."""
        ...

    def weights(self) -> dict[str, np.ndarray]:
        """A copy of the policy's weights."""
        ...

    def tensors(self) -> dict[str, np.ndarray]:
        """Everything a killed run needs, as arrays."""
        ...

    def resume(self, tensors: Mapping[str, np.ndarray], steps: int) -> None:
        """Go on from `tensors` after `steps`."""
        ...


@runtime_checkable
class Fitted(Protocol):
    """A trainer that fits answers which are known; `loss` is how far off the last update was."""

    loss: float | None


@dataclass(frozen=True, slots=True)
class Tell:
    """What a caller hears after every update.

    `point` is None between validations; `loss` where the algorithm fits no answers.
    """

    progress: float
    steps: int
    seconds: float
    train_usd_per_h: float | None
    point: Point | None
    loss: float | None = None


Listener = Callable[[Tell], None]


def train(
    recipe: Recipe,
    out: Path,
    *,
    minutes: float | None = None,
    device: str = "cpu",
    init: Mapping[str, np.ndarray] | None = None,
    listener: Listener | None = None,
    envs: Path | None = None,
    command: str = "",
    waits: bool = False,
) -> RunFolder:
    """Train a policy; a folder that holds a checkpoint of the same recipe is gone on with.

    Args:
        recipe: what to do; stops after `recipe.steps`.
        out: the run folder.
        minutes: stop after this many minutes of this and earlier sittings, if that is sooner.
        device: torch device of the unrolls (apg) or of the learner (ppo, sac).
        init: weights to start from instead of random ones.
        listener: hears of every update.
        envs: a folder with environments of your own.
        command: what to type to run this again, for the record.
        waits: for another process that trains in the folder, instead of refusing.

    Returns:
        The run folder, whose `best` is the kept policy.

    Raises:
        BwallocError: there is no such environment, the recipe or `init` does not go with it, or the
            folder holds another run, or is trained in by another process; nothing is written then.
    """
    template = load_template(recipe.env, envs=envs)
    also = others(recipe, template, envs)
    if recipe.algorithm == "bc" and recipe.constants:
        msg = (
            "constants: bc clones what was decided with those of `env`; leave them to apg after it."
        )
        raise RecipeError(msg)
    folder = RunFolder(out, recipe)
    draw = partial(_drawn, template, recipe) if template.is_drawn else None
    lesson = partial(_lesson, template, recipe)
    trainer = make_trainer(
        lesson(template.usual), recipe, device, init, draw, [lesson(each) for each in also]
    )
    session = _Session(recipe, template, also, folder, trainer, minutes, listener)
    with alone_in(out, waits=waits):  # what is refused is refused by now: nothing is written
        folder.begin(Origin(command, machine(), commit(), versions(*PACKAGES, *LEARNERS)))
        session.run()
    return folder


def _drawn(template: Template, recipe: Recipe, number: int) -> Scenario:
    return _lesson(template, recipe, template.scenario(TRAIN, number))


def _lesson(template: Template, recipe: Recipe, scenario: Scenario) -> Scenario:
    """A scenario as it is trained on: its variety, and the constants of the policy."""
    return replace(recipe.varied(scenario), tuned=recipe.tuned(template.usual))


def others(recipe: Recipe, template: Template, envs: Path | None) -> list[Scenario]:
    """The environments that the recipe visits beside its own.

    Raises:
        RecipeError: The algorithm visits none, one of them draws networks, or one has more to see
            than policies of the recipe's environment do.
    """
    if recipe.also and recipe.algorithm != "apg":
        msg = f"also: {recipe.algorithm} learns on `env` alone; leave it out, or use apg."
        raise RecipeError(msg)
    found: list[Scenario] = []
    for name in recipe.also:
        other = load_template(name, envs=envs)
        if other.is_drawn:
            msg = f"also: {name} draws its networks, which only `env` may: swap the two."
            raise RecipeError(msg)
        if other.usual.sizes.sees_everything and not template.usual.sizes.sees_everything:
            msg = (
                f"also: {name} sells capacity or has jobs, which policies of {recipe.env} do not "
                "see; train on an `env` that has either."
            )
            raise RecipeError(msg)
        found.append(other.usual)
        if len({each.digest for each in found if each.slug == other.usual.slug}) > 1:
            msg = f"also: two environments are called {other.usual.slug}; rename one of the files."
            raise RecipeError(msg)
    return found


def make_trainer(
    scenario: Scenario,
    recipe: Recipe,
    device: str,
    init: Mapping[str, np.ndarray] | None,
    draw: Draw | None = None,
    also: Sequence[Scenario] = (),
) -> Trainer:
    """The trainer of the recipe's algorithm; with `draw`, apg and bc draw their networks.

    apg visits `also` beside them.

    Raises:
        RecipeError: The weights to start from are of a network that sees spans and rhythms, and
            this one does not, or the other way about.
    """
    architecture = recipe.architecture(scenario)
    if init and ("span.out.weight" in init) != architecture.spans:
        seen = "sees spans and rhythms" if architecture.spans else "sees neither spans nor rhythms"
        msg = (
            f"--init: a policy of {scenario.slug} {seen}, and the weights are of an agent made for "
            "an environment of the other kind; start without them, or from another agent."
        )
        raise RecipeError(msg)
    if recipe.algorithm == "apg":
        from bwalloc.learn.apg import ApgTrainer

        return ApgTrainer(scenario, recipe, device=device, init=init, draw=draw, also=also)
    if recipe.algorithm == "bc":
        from bwalloc.learn.cloning import CloningTrainer

        return CloningTrainer(scenario, recipe, device=device, init=init, draw=draw)
    from bwalloc.learn.sb3 import Sb3Trainer

    return Sb3Trainer(scenario, recipe, device=device, init=init)


class _Session:
    """One sitting of a run."""

    def __init__(
        self,
        recipe: Recipe,
        template: Template,
        also: Sequence[Scenario],
        folder: RunFolder,
        trainer: Trainer,
        minutes: float | None,
        listener: Listener | None,
    ) -> None:
        self.recipe, self.folder, self.trainer = recipe, folder, trainer
        self.scenario, self.minutes = template.usual, minutes
        self.listener = listener or (lambda _: None)
        self.validation = Validation.of(template, recipe.validation.episodes, also=also)
        self.recent: deque[float] = deque(maxlen=SMOOTHED)
        self.before_s, self.begin = 0.0, time.monotonic()

    def run(self) -> None:
        """Go on from the checkpoint; update, validate, save until steps, time or patience end."""
        self._resume()
        validated = self.trainer.steps // self.recipe.validation.every_steps
        if not self.folder.points:
            self._validate()
        saved_s = self._seconds()
        while not self._is_over():
            self.recent.append(self.trainer.update(self._progress()))
            due = self.trainer.steps // self.recipe.validation.every_steps
            point = None
            if due > validated:
                validated, point = due, self._validate()
            if point or self._seconds() - saved_s > SAVE_EVERY_S:
                self._save()
                saved_s = self._seconds()
            self._tell(point)
        if self.folder.points[-1].steps < self.trainer.steps:  # what was learned last counts too
            self._tell(self._validate())
        self._save()

    def _resume(self) -> None:
        saved = self.folder.load()
        if saved:
            tensors, state = saved
            self.trainer.resume(tensors, int(tensors[STEPS]))
            self.before_s = float(state["seconds"])
        self.begin = time.monotonic()

    def _seconds(self) -> float:
        return self.before_s + time.monotonic() - self.begin

    def _progress(self) -> float:
        return share_of(self.recipe, self.minutes, self.trainer.steps, self._seconds())

    def _is_over(self) -> bool:
        return self._progress() >= 1.0 or self.folder.is_out_of_patience(self.minutes)

    def _train_usd_per_h(self) -> float | None:
        per_h = 3600.0 / self.scenario.timing.interval_s
        return float(np.mean(self.recent)) * per_h if self.recent else None

    def _validate(self) -> Point:
        weights = self.trainer.weights()
        recipe, scenario = self.recipe, self.scenario
        policy = Policy(recipe.architecture(scenario), weights, recipe.tuned(scenario))
        score, before = self.validation(policy), self.folder.best
        if before is None or score.usd_per_h > before.validation_usd_per_h:
            self.folder.keep_best(weights)
        steps, seconds = self.trainer.steps, self._seconds()
        return self.folder.report(steps, seconds, self._train_usd_per_h(), score)

    def _save(self) -> None:
        steps = self.trainer.steps
        tensors = {**self.trainer.tensors(), STEPS: np.array(steps)}
        self.folder.save(tensors, {STEPS: steps, "seconds": self._seconds()})

    def _tell(self, point: Point | None) -> None:
        trainer = self.trainer
        self.listener(
            Tell(
                min(self._progress(), 1.0), trainer.steps, self._seconds(),
                self._train_usd_per_h(), point,
                trainer.loss if isinstance(trainer, Fitted) else None,
            )
        )  # fmt: skip
