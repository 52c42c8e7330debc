"""What a search may change: ranges and choices by recipe key, of a file or the usual ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel, ConfigDict

from bwalloc.errors import RecipeError, ScenarioError, nearest
from bwalloc.files import read_toml
from bwalloc.learn.recipe import flat
from bwalloc.learn.sweep_grid import changed
from bwalloc.scenario.validate import validate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bwalloc.learn.recipe import Recipe

MOST_BYTES = 100_000
KINDS = (bool, int, float, str)


class RangeSection(BaseModel):
    """From `low` to `high`, both included; `log`: by ratio, as rates of learning are drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: int | float
    high: int | float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of numbers, ends included; whole ones if both ends are of type int."""

    low: float
    high: float
    log: bool = False

    def distribution(self) -> Any:
        """As Optuna draws it."""
        kinds = import_module("optuna").distributions
        is_whole = isinstance(self.low, int) and isinstance(self.high, int)
        kind = kinds.IntDistribution if is_whole else kinds.FloatDistribution
        return kind(self.low, self.high, log=self.log)

    def holds(self, value: Any) -> bool:
        """Whether a value may be drawn."""
        return self.low <= value <= self.high

    def widened(self, value: Any) -> Range:
        """The same, and up to a value."""
        return Range(min(self.low, value), max(self.high, value), self.log)

    def plain(self) -> dict[str, Any]:
        """As a file of spaces says it."""
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True, slots=True)
class Choices:
    """Some values."""

    values: tuple[Any, ...]

    def distribution(self) -> Any:
        """As Optuna draws it."""
        return import_module("optuna").distributions.CategoricalDistribution(self.values)

    def holds(self, value: Any) -> bool:
        """Whether a value may be drawn."""
        return value in self.values

    def widened(self, value: Any) -> Choices:
        """The same, and a value."""
        return self if self.holds(value) else Choices((*self.values, value))

    def plain(self) -> list[Any]:
        """As a file of spaces says it."""
        return list(self.values)


Space: TypeAlias = Mapping[str, Range | Choices]
"""By dotted recipe key."""


def read_space(path: Path, recipe: Recipe) -> dict[str, Range | Choices]:
    """The space in a file, which is laid out as a recipe: a range or a list instead of a value.

    Args:
        path: a TOML file.
        recipe: what is searched; values at the ends of the space must be right for it.

    Raises:
        RecipeError: it is no TOML, or names the key that is unknown (with the nearest) or wrong.
    """
    table = read_toml(path, MOST_BYTES, "a TOML file of ranges, see docs/sweeps.md", RecipeError)
    space: dict[str, Range | Choices] = {}
    known = searchable(recipe)
    for section, entries in table.items():
        if not isinstance(entries, dict):
            _refuse(path, section, known)
        for name, entry in entries.items():
            key = f"{section}.{name}"
            if key not in known:
                _refuse(path, key, known)
            space[key] = _entry(entry, known[key], f"{path}, {key}")
            _check_ends(space[key], key, recipe, f"{path}, {key}")
    if not space:
        msg = f"{path}: names no key; add one, for example [network] hidden = [16, 32]."
        raise RecipeError(msg)
    return space


def searchable(recipe: Recipe) -> dict[str, Any]:
    """Keys that a search may change, with their values: those of the network and the algorithm.

    What is validated on, and for how long it is learned, stays, else gains could not be compared.
    """
    sections = ("network", recipe.algorithm)
    return {key: value for key, value in flat(recipe).items() if key.partition(".")[0] in sections}


def _refuse(path: Path, key: str, known: Mapping[str, Any]) -> None:
    word = nearest(key, known).replace("est:", "est key:")
    msg = f"{path}, {key}: is no key that a search may change. {word}"
    raise RecipeError(msg)


def _entry(entry: Any, value: Any, where: str) -> Range | Choices:
    if isinstance(entry, list):
        return _choices(entry, where)
    if not isinstance(entry, dict):
        msg = (
            f"{where}: got {entry!r}, expected a range, as {{ low = 1e-4, high = 1e-2, log = true "
            "}, or a list of values."
        )
        raise RecipeError(msg)
    return _range(entry, value, where)


def _choices(values: Sequence[Any], where: str) -> Choices:
    if not values or not all(isinstance(each, KINDS) for each in values):
        msg = f"{where}: got {list(values)!r}, expected a list of values."
        raise RecipeError(msg)
    if len(set(values)) < len(values):
        msg = f"{where}: got {list(values)!r}, which holds a value twice."
        raise RecipeError(msg)
    return Choices(tuple(values))


def _range(entry: Mapping[str, Any], value: Any, where: str) -> Range:
    try:
        found = validate(RangeSection, entry, where)
    except ScenarioError as error:
        raise RecipeError(str(error)) from None
    low, high = found.low, found.high
    if isinstance(value, bool | str):
        msg = f"{where}: holds no numbers; name its values in a list, as [true, false]."
        raise RecipeError(msg)
    if not low < high:
        msg = f"{where}: low is {low}, high is {high}; expected low below high."
        raise RecipeError(msg)
    if found.log and low <= 0:
        msg = f"{where}: low is {low}; a range with log = true begins above 0."
        raise RecipeError(msg)
    kind = int if isinstance(value, int) and low == int(low) and high == int(high) else float
    return Range(kind(low), kind(high), found.log)


def _check_ends(entry: Range | Choices, key: str, recipe: Recipe, where: str) -> None:
    values = entry.values if isinstance(entry, Choices) else (entry.low, entry.high)
    for value in values:
        changed(recipe, {key: value}, where.rpartition(",")[0])
