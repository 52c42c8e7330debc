"""A run folder: recipe, progress, checkpoint and best policy; what a killed run goes on from.

Nothing is pickled: weights and moments are safetensors, the rest is TOML and JSON.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bwalloc.allocate.policy.learned import Policy
from bwalloc.errors import BwallocError, RecipeError
from bwalloc.files import write_atomically
from bwalloc.learn.recipe import Recipe, flat, read_recipe, recipe_toml
from bwalloc.tensors import Tensors, tensors_from_bytes, tensors_to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bwalloc.learn.validation import Score

RECIPE, PROGRESS, STATE, ORIGIN = "recipe.toml", "progress.jsonl", "state.json", "origin.json"
BEST, CHECKPOINT = "best.safetensors", "checkpoint.safetensors"


@dataclass(frozen=True, slots=True)
class Origin:
    """How a run was started: the command, and what it ran on."""

    command: str
    hardware: str
    commit: str | None
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Point:
    """One line of `progress.jsonl`: a validation."""

    steps: int
    seconds: float
    train_usd_per_h: float | None
    validation_usd_per_h: float
    gain_usd_per_h: float
    gain_half_width: float


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path, recipe: Recipe) -> None:
        """Look at what is there, if anything is; `begin` makes it.

        Raises:
            RecipeError: it holds a run of another recipe.
        """
        self.path, self.recipe = path, recipe
        self._look()

    def begin(self, origin: Origin) -> None:
        """Look again, and store the recipe and how the run was started.

        A run that goes on keeps what it was started by.

        Raises:
            RecipeError: it holds a run of another recipe by now.
        """
        self._look()
        told = json.dumps(asdict(origin), indent=1) + "\n"
        for name, text in ((RECIPE, recipe_toml(self.recipe)), (ORIGIN, told)):
            if not (self.path / name).exists():
                write_atomically(self.path / name, text.encode())

    def origin(self) -> Origin:
        """How the run was started; where it was not noted, hardly anything."""
        file = self.path / ORIGIN
        if not file.exists():
            return Origin("", "", None, {})
        return Origin(**json.loads(file.read_text(encoding="utf-8")))

    @property
    def best(self) -> Point | None:
        """The validation with the most money so far."""
        return max(self.points, key=lambda point: point.validation_usd_per_h, default=None)

    def is_out_of_patience(self, minutes: float | None) -> bool:
        """Whether `patience` validations in a row brought no better policy.

        Those of the part in which rates alone are learned do not count: what comes after it, of
        orders too, is a part of its own.
        """
        patience, first = self.recipe.validation.patience, self.recipe.rates_first
        money = [
            each.validation_usd_per_h
            for each in self.points
            if share_of(self.recipe, minutes, each.steps, each.seconds) >= first
        ]
        return bool(money) and 0 < patience < len(money) - money.index(max(money))

    def report(
        self, steps: int, seconds: float, train_usd_per_h: float | None, score: Score
    ) -> Point:
        """Add a validation to the progress."""
        point = Point(
            steps, seconds, train_usd_per_h,
            score.usd_per_h, score.gain_usd_per_h, score.gain_half_width,
        )  # fmt: skip
        self.points.append(point)
        text = "".join(json.dumps(asdict(each)) + "\n" for each in self.points)
        write_atomically(self.path / PROGRESS, text.encode())
        return point

    def keep_best(self, weights: Tensors) -> None:
        """Store the weights of the best policy so far."""
        write_atomically(self.path / BEST, tensors_to_bytes(weights))

    def save(self, tensors: Tensors, state: Mapping[str, Any]) -> None:
        """Store a checkpoint: arrays, and plain numbers."""
        write_atomically(self.path / CHECKPOINT, tensors_to_bytes(tensors))
        write_atomically(self.path / STATE, json.dumps(dict(state)).encode())

    def load(self) -> tuple[Tensors, dict[str, Any]] | None:
        """The checkpoint, or None where the run has not saved one."""
        file, state = self.path / CHECKPOINT, self.path / STATE
        if not file.exists() or not state.exists():
            return None
        return _load(file), json.loads(state.read_text(encoding="utf-8"))

    def _look(self) -> None:
        file = self.path / RECIPE
        if file.exists():
            _check_same(read_recipe(file), self.recipe, self.path)
        self.points = [Point(**row) for row in _lines(self.path / PROGRESS)]


def share_of(recipe: Recipe, minutes: float | None, steps: int, seconds: float) -> float:
    """How much of a run is done; 1 or more ends it."""
    limit_s = math.inf if minutes is None else 60.0 * minutes
    return max(steps / recipe.steps, seconds / limit_s)


def policy_of_run(path: Path, tuned: Mapping[str, Mapping[str, float]]) -> tuple[Policy, Recipe]:
    """The best policy of a run folder.

    Raises:
        BwallocError: the folder holds no run, or one that kept no policy yet.
    """
    for name in (RECIPE, BEST):
        if not (path / name).exists():
            msg = f"'{path}' is no finished run: {name} is missing. Train one: bwalloc train ENV."
            raise BwallocError(msg)
    recipe = read_recipe(path / RECIPE)
    weights = _load(path / BEST)
    architecture = recipe.network.architecture(spans="span.out.weight" in weights)
    return Policy(architecture, weights, tuned), recipe


def _load(path: Path) -> Tensors:
    return tensors_from_bytes(path.read_bytes(), str(path))


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _check_same(found: Recipe, wanted: Recipe, path: Path) -> None:
    known, asked = flat(found), flat(wanted)
    for key in dict.fromkeys([*known, *asked]):
        if known.get(key) != asked.get(key):
            msg = (
                f"'{path}' holds a run of another recipe ({key}: {known.get(key)}, now "
                f"{asked.get(key)}). Name another --out, or train on with the same options."
            )
            raise RecipeError(msg)
