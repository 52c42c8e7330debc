"""Which episode an environment plays: split, seed, start, and the scenario it is drawn from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.errors import ScenarioError, unknown_name
from bwalloc.scenario import SPLITS, Scenario, draw_world, find, load_scenario

if TYPE_CHECKING:
    from bwalloc.scenario import World

OPTIONS = ("split", "start", "overrides")
_DRAWN = re.compile(r"^\[random\]", re.MULTILINE)
SEEDS = 2**31
"""Episodes without a given seed are drawn below this."""


@dataclass(frozen=True)
class Choice:
    """One episode: `seed` and `split` as in `compare`; `start` replaces the hour of the week."""

    split: str
    seed: int
    start: float | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Catalogue:
    """The scenario of an environment, with overrides for single episodes."""

    def __init__(
        self, env: str, overrides: Mapping[str, Any] | None, split: str, envs: Path | None
    ) -> None:
        """Load the environment; raises what `load_scenario` raises."""
        if split not in SPLITS:
            raise unknown_name(kind="split", name=split, known=SPLITS, remedy="Pick one.")
        self.env, self.split, self.envs = env, split, envs
        self.overrides = dict(overrides or {})
        self.scenario = self._load({})
        self.is_drawn = _DRAWN.search(find(env, envs).read_text(encoding="utf-8")) is not None

    def choose(self, seed: int, options: Mapping[str, Any] | None) -> Choice:
        """The episode that `reset(seed=, options=)` asks for.

        Raises:
            UnknownNameError: An option or a split that does not exist.
        """
        given = dict(options or {})
        for name in given:
            if name not in OPTIONS:
                remedy = "Pass them as reset(options={...})."
                raise unknown_name(kind="reset option", name=name, known=OPTIONS, remedy=remedy)
        split = given.get("split", self.split)
        if split not in SPLITS:
            raise unknown_name(kind="split", name=split, known=SPLITS, remedy="Pick one.")
        return Choice(split, seed, given.get("start"), given.get("overrides") or {})

    def scenario_of(self, choice: Choice) -> Scenario:
        """The scenario of an episode.

        Raises:
            ScenarioError: The overrides change the size of observations or actions.
        """
        if not choice.overrides and not self.is_drawn:
            return self.scenario
        drawn = {"random.seed": choice.seed} if self.is_drawn else {}
        scenario = self._load({**drawn, **choice.overrides})
        if scenario.sizes != self.scenario.sizes:
            msg = (
                f"reset(options=...): {dict(choice.overrides)} changes the size of the spaces from "
                f"{self.scenario.sizes} to {scenario.sizes}; pass it to gym.make instead."
            )
            raise ScenarioError(msg)
        return scenario

    def _load(self, more: Mapping[str, Any]) -> Scenario:
        return load_scenario(self.env, overrides={**self.overrides, **more}, envs=self.envs)


def world_of(scenario: Scenario, choice: Choice) -> World:
    """Draw the world of an episode."""
    return draw_world(scenario, choice.split, choice.seed, start_h=choice.start)


def random_seed(generator: np.random.Generator) -> int:
    """The seed of an episode nobody asked for by number."""
    return int(generator.integers(SEEDS))
