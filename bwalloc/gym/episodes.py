"""Which episode an environment plays: split, seed, start, and the scenario it is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.errors import ScenarioError, unknown_name
from bwalloc.scenario import SPLITS, Scenario, draw_world, load_template

if TYPE_CHECKING:
    from bwalloc.scenario import Template, World

OPTIONS = ("split", "start", "overrides")
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
        self,
        env: str | Scenario,
        overrides: Mapping[str, Any] | None,
        split: str,
        envs: Path | None,
    ) -> None:
        """Load the environment; raises what `load_scenario` raises.

        A scenario that is built already is taken as it is, and no overrides with it.
        """
        if split not in SPLITS:
            raise unknown_name(kind="split", name=split, known=SPLITS, remedy="Pick one.")
        self.split, self.envs = split, envs
        self.overrides = dict(overrides or {})
        self.template: Template | None = None
        if isinstance(env, Scenario):
            self.env, self.scenario, self.is_built = env.slug, env, True
            self._refuse_overrides(self.overrides)
            return
        self.env, self.is_built = env, False
        self.template = self._load({})
        self.scenario = self.template.usual

    @property
    def is_drawn(self) -> bool:
        """Whether every episode plays a network of its own; `scenario` then stands for all."""
        return self.template is not None and self.template.is_drawn

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
        self._refuse_overrides(choice.overrides)
        if self.template is None:
            return self.scenario
        template = self._load(choice.overrides) if choice.overrides else self.template
        scenario = template.scenario(choice.split, choice.seed)
        if scenario.sizes != self.scenario.sizes:
            msg = (
                f"reset(options=...): {dict(choice.overrides)} changes the size of the spaces from "
                f"{self.scenario.sizes} to {scenario.sizes}; pass it to gym.make instead."
            )
            raise ScenarioError(msg)
        return scenario

    def _refuse_overrides(self, overrides: Mapping[str, Any]) -> None:
        if self.is_built and overrides:
            msg = (
                f"overrides {dict(overrides)}: the scenario '{self.env}' is built already; pass "
                "them to load_scenario, or name the environment instead."
            )
            raise ScenarioError(msg)

    def _load(self, more: Mapping[str, Any]) -> Template:
        return load_template(self.env, overrides={**self.overrides, **more}, envs=self.envs)


def world_of(scenario: Scenario, choice: Choice) -> World:
    """Draw the world of an episode."""
    return draw_world(scenario, choice.split, choice.seed, start_h=choice.start)


def random_seed(generator: np.random.Generator) -> int:
    """The seed of an episode nobody asked for by number."""
    return int(generator.integers(SEEDS))
