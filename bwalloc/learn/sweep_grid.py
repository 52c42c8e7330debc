"""The members of a sweep: a recipe, seeds, and values of its keys, every one with every other."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from bwalloc.errors import BwallocError, RecipeError, unknown_name
from bwalloc.learn.recipe import ALGORITHMS, Recipe, flat, recipe_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FIXED = ("schema", "env", "seed")
"""Keys that a sweep has other ways to say."""
MOST_SEEDS = 10_000


@dataclass(frozen=True, slots=True)
class Member:
    """One run of a sweep: what differs from the recipe that all share, and its whole recipe."""

    changes: Mapping[str, Any]
    seed: int
    recipe: Recipe

    @property
    def setting(self) -> str:
        """What differs, as a folder is called; empty if only the seed does."""
        return ",".join(f"{key}={_text(self.changes[key])}" for key in sorted(self.changes))

    @property
    def folder(self) -> str:
        """Its run folder, below that of the sweep."""
        name = f"seed-{self.seed}"
        return f"{self.setting}/{name}" if self.changes else name


def members_of(
    recipe: Recipe, seeds: Sequence[int], settings: Mapping[str, Sequence[Any]]
) -> list[Member]:
    """All members, setting by setting.

    Args:
        recipe: what they share.
        seeds: of weights and episodes.
        settings: values by dotted key, such as `apg.learning_rate`.

    Raises:
        RecipeError: a value is wrong, or its key is not read by the algorithm.
        UnknownNameError: a recipe has no such key; names the nearest.
        BwallocError: two members would be the same.
    """
    check_keys(settings)
    members: list[Member] = []
    for values in product(*settings.values()):
        said = dict(zip(settings, values, strict=True))
        for seed in seeds:
            whole = changed(recipe, {**said, "seed": seed}, _option(said))
            held = flat(whole)
            _check_read(said, held, whole.algorithm)
            members.append(Member({key: held[key] for key in said}, seed, whole))
    _check_distinct(members)
    return members


def changed(recipe: Recipe, changes: Mapping[str, Any], where: str) -> Recipe:
    """The recipe with other values of some dotted keys.

    Args:
        recipe: stays as it is.
        changes: values by key; keys are known ones.
        where: what to name in a message.

    Raises:
        RecipeError: a value is wrong; names the key and what was expected.
    """
    table = recipe.model_dump(by_alias=True)
    for key, value in changes.items():
        section, _, name = key.rpartition(".")
        (table[section] if section else table)[name] = value
    return recipe_from(table, where)


def check_keys(keys: Iterable[str]) -> None:
    """See that a recipe of some algorithm has these keys, and that they may differ.

    Raises:
        UnknownNameError: there is no such key; names the nearest.
        RecipeError: it is said in another way.
    """
    plain = [Recipe.model_validate({"env": "any", "algorithm": name}) for name in ALGORITHMS]
    known = dict.fromkeys(key for recipe in plain for key in flat(recipe))
    for key in keys:
        if key in FIXED:
            msg = f"{key}: is said by the command itself (ENV, --seeds); name another key."
            raise RecipeError(msg)
        if key not in known:
            remedy = "All keys: bwalloc/learn/recipe.py."
            raise unknown_name(kind="recipe key", name=key, known=known, remedy=remedy)


def seeds_of(text: str) -> list[int]:
    """Seeds as `--seeds` says them: `5` is 0 to 4, `0,3,7` are these three, `7,` is one.

    Raises:
        BwallocError: it says none, or says one twice.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        msg = f"--seeds {text}: expected how many, or whole numbers with commas, as 5 or 0,3,7."
        raise BwallocError(msg)
    numbers = [int(part) for part in parts]
    if "," not in text:
        if not 1 <= numbers[0] <= MOST_SEEDS:
            msg = f"--seeds {text}: expected at least 1, at most {MOST_SEEDS}; one seed: '{text},'."
            raise BwallocError(msg)
        return list(range(numbers[0]))
    if len(set(numbers)) < len(numbers):
        msg = f"--seeds {text}: says a seed twice."
        raise BwallocError(msg)
    return numbers


def settings_of(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Values by key as several `--set KEY=V1,V2` say them; a value is read as in a recipe.

    Raises:
        BwallocError: one holds no key or no value, or a key comes twice.
    """
    settings: dict[str, list[Any]] = {}
    for text in texts:
        key, _, values = text.partition("=")
        said = [_value(part.strip()) for part in values.split(",") if part.strip()]
        if not key.strip() or not said:
            msg = f"--set {text}: expected KEY=V1,V2, for example apg.learning_rate=1e-3,3e-3."
            raise BwallocError(msg)
        if key.strip() in settings:
            msg = f"--set {text}: '{key.strip()}' is set already; give all its values at once."
            raise BwallocError(msg)
        settings[key.strip()] = said
    return settings


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a name, such as that of an algorithm, without its quotes


def _text(value: Any) -> str:
    return re.sub(r"[^\w.+-]", "~", value) if isinstance(value, str) else json.dumps(value)


def _option(said: Mapping[str, Any]) -> str:
    return " ".join(f"--set {key}={value}" for key, value in said.items()) or "bwalloc sweep"


def _check_read(keys: Iterable[str], held: Mapping[str, Any], algorithm: str) -> None:
    for key in keys:
        if key not in held:
            msg = f"{key}: is not read by the algorithm {algorithm}; name a key that is."
            raise RecipeError(msg)


def _check_distinct(members: Sequence[Member]) -> None:
    seen: set[str] = set()
    for member in members:
        if member.folder in seen:
            msg = f"{member.setting}: is asked for twice; name every value once."
            raise BwallocError(msg)
        seen.add(member.folder)
