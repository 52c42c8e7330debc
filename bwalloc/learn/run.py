"""A run folder: recipe, progress, checkpoint and best policy; what a killed run goes on from.

Nothing is pickled: weights and moments are safetensors, the rest is TOML and JSON.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate.learned import Policy
from bwalloc.errors import BwallocError, RecipeError
from bwalloc.files import write_atomically
from bwalloc.learn.recipe import Recipe, read_recipe, recipe_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bwalloc.learn.validation import Score

RECIPE, PROGRESS, STATE = "recipe.toml", "progress.jsonl", "state.json"
BEST, CHECKPOINT = "best.safetensors", "checkpoint.safetensors"
Weights = dict[str, np.ndarray]


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
        """Open or create it.

        Raises:
            RecipeError: it holds a run of another recipe.
        """
        self.path, self.recipe = path, recipe
        file = path / RECIPE
        if file.exists():
            _check_same(read_recipe(file), recipe, path)
        else:
            write_atomically(file, recipe_toml(recipe).encode())
        self.points = [Point(**row) for row in _lines(path / PROGRESS)]

    @property
    def best(self) -> Point | None:
        """The validation with the most money so far."""
        return max(self.points, key=lambda point: point.validation_usd_per_h, default=None)

    @property
    def stale(self) -> int:
        """Validations since the best one."""
        best = self.best
        return 0 if best is None else len(self.points) - 1 - self.points.index(best)

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

    def keep_best(self, weights: Weights) -> None:
        """Store the weights of the best policy so far."""
        save_weights(self.path / BEST, weights)

    def save(self, tensors: Weights, state: Mapping[str, Any]) -> None:
        """Store a checkpoint: arrays, and plain numbers."""
        save_weights(self.path / CHECKPOINT, tensors)
        write_atomically(self.path / STATE, json.dumps(dict(state)).encode())

    def load(self) -> tuple[Weights, dict[str, Any]] | None:
        """The checkpoint, or None where the run has not saved one."""
        file, state = self.path / CHECKPOINT, self.path / STATE
        if not file.exists() or not state.exists():
            return None
        return load_weights(file), json.loads(state.read_text(encoding="utf-8"))


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
    weights = load_weights(path / BEST)
    return Policy(recipe.network.architecture, weights, tuned), recipe


def save_weights(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    """Write arrays as safetensors, whole or not at all."""
    from safetensors.numpy import save

    write_atomically(path, save({name: np.ascontiguousarray(v) for name, v in weights.items()}))


def load_weights(path: Path) -> Weights:
    """Read arrays written by `save_weights`.

    Raises:
        BwallocError: the file is missing or broken.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        msg = f"'{path}' cannot be read as weights ({error})."
        raise BwallocError(msg) from None


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _check_same(found: Recipe, wanted: Recipe, path: Path) -> None:
    if found == wanted:
        return
    known, asked = found.model_dump(), wanted.model_dump()
    key = next(name for name in known if known[name] != asked[name])
    msg = (
        f"'{path}' holds a run of another recipe ({key}: {known[key]}, now {asked[key]}). "
        "Name another --out, or train on with the same options."
    )
    raise RecipeError(msg)
