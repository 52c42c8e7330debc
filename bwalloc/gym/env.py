"""`CloudEdgeEnv`: one episode at a time."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from bwalloc.errors import BwallocError
from bwalloc.gym.drawing import Course, frame_of
from bwalloc.gym.engine import Engine
from bwalloc.gym.episodes import Catalogue, Choice, random_seed, world_of
from bwalloc.gym.info import columns_of, row_of
from bwalloc.gym.spaces import action_space, checked_actions, observation_space

if TYPE_CHECKING:
    from bwalloc.gym.render import Renderer, Window
    from bwalloc.scenario import Scenario

Observation = dict[str, Any]
FIRST = np.array([0])


class CloudEdgeEnv(gymnasium.Env[Observation, np.ndarray]):
    """Bandwidth allocation on one cloud-edge network.

    One step is one control interval. The action corrects what the tuned `forecast` allocator asks
    for, so action 0 IS that allocator; see `bwalloc.allocate.policy.correction`. The observation
    holds features of telemetry up to the interval before; see `bwalloc.observe.features`. The
    reward is the money of the interval, USD / `reward_scale_usd`. Episodes are truncated after
    `scenario.timing.intervals` steps and never terminated.

    Args:
        env: name or path of an environment.
        split: episodes are drawn from train, validation, test or ood.
        overrides: changes of the environment file by key, for example `{"surge.scale": 2}`.
        render_mode: `rgb_array`, `human` or None.
        envs: a folder with environments of your own.

    Raises:
        UnknownNameError: There is no such environment or split.
    """

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 8}  # noqa: RUF012

    def __init__(
        self,
        env: str = "metro-inference",
        *,
        split: str = "train",
        overrides: Mapping[str, Any] | None = None,
        render_mode: str | None = None,
        envs: Path | None = None,
    ) -> None:
        """Load the environment; `reset` begins an episode."""
        self.catalogue = Catalogue(env, overrides, split, envs)
        self.render_mode = checked_mode(render_mode, self.metadata["render_modes"])
        self.observation_space = observation_space(self.scenario.sizes)
        self.action_space = action_space(self.scenario.sizes)
        self._action_shape = self.action_space.shape or ()
        self.engine = Engine(self.scenario, 1)
        self.choice: Choice | None = None
        self.net_usd = 0.0
        self._course = Course()
        self._renderer: Renderer | Window | None = None

    @property
    def scenario(self) -> Scenario:
        """The scenario the spaces are built for."""
        return self.catalogue.scenario

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: the number of the episode, as in `bwalloc compare --seed`; None draws one.
            options: `split`; `start`, the hour of the week (0 is Monday 00:00 UTC); `overrides`
                for this episode only, which must not change the spaces.
        """
        super().reset(seed=seed)
        number = random_seed(self.np_random) if seed is None else seed
        choice = self.catalogue.choose(number, options)
        scenario = self.catalogue.scenario_of(choice)
        world = world_of(scenario, choice)
        self.engine = Engine(scenario, 1)
        self.engine.restart(FIRST, [world])
        self.choice, self.net_usd, self._course = choice, 0.0, Course()
        if self.render_mode == "human":
            self.render()
        return self._observation(), {"seed": choice.seed, "split": choice.split}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play one interval.

        Raises:
            ActionError: The action has a wrong shape or is not finite; nothing has changed then.
            BwallocError: `reset` was not called, or the episode is over.
        """
        actions = checked_actions(action, self._action_shape)
        return self._after(lambda: self.engine.step(actions[None]))

    def _after(self, play: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        if self.choice is None or self.engine.state.interval[0] >= self.engine.intervals:
            msg = "The episode is over or has not begun: call reset() before step()."
            raise BwallocError(msg)
        outcome = play()
        info = row_of(columns_of(self.engine, outcome), 0)
        reward = float(outcome.reward[0])
        self.net_usd += reward * self.engine.scenario.reward_scale_usd
        if self.render_mode:
            self._course.add(self.engine, outcome)
        if self.render_mode == "human":
            self.render()
        return self._observation(), reward, False, bool(outcome.is_last[0]), info

    def render(self) -> np.ndarray | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The network now, uint8 (height, width, 3); None in human mode, which shows it.

        Raises:
            BwallocError: `reset` was not called, matplotlib is absent, or no window can be opened.
        """
        from bwalloc.gym.render import Renderer, Window

        if self.render_mode is None:
            gymnasium.logger.warn("render() without render_mode: gym.make(id, render_mode=...).")
            return None
        if self.choice is None:
            msg = "There is nothing to draw yet: call reset() before render()."
            raise BwallocError(msg)
        if self._renderer is None or self._renderer.scenario is not self.engine.scenario:
            self.close()
            kind = Window if self.render_mode == "human" else Renderer
            self._renderer = kind(self.engine.scenario)
        return self._renderer.draw(frame_of(self.engine, self._course, self.choice, self.net_usd))

    def close(self) -> None:
        """Free the picture."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def get_state(self) -> dict[str, Any]:
        """A copy of everything that changes; `set_state` goes back to it."""
        return copy.deepcopy(
            {
                "choice": self.choice,
                "net_usd": self.net_usd,
                "course": self._course,
                "generator": self.np_random.bit_generator.state,
                "engine": self.engine.get_state(),
            }
        )

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` gave; the next step is as it was then.

        Raises:
            BwallocError: The state is not one of `get_state`.
        """
        missing = {"choice", "net_usd", "generator", "engine"} - set(state)
        if missing:
            msg = f"set_state: '{sorted(missing)[0]}' is missing; pass what get_state() returned."
            raise BwallocError(msg)
        kept = copy.deepcopy(state)
        if kept["choice"] is not None:
            self.engine = Engine(self.catalogue.scenario_of(kept["choice"]), 1)
        self.engine.set_state(kept["engine"])
        self.choice, self.net_usd = kept["choice"], kept["net_usd"]
        self._course = kept.get("course") or Course()
        self.np_random.bit_generator.state = kept["generator"]

    def __getstate__(self) -> dict[str, Any]:
        """The picture stays behind."""
        return {**self.__dict__, "_renderer": None}

    def _observation(self) -> Observation:
        return {name: rows[0] for name, rows in self.engine.observe().items()}


def checked_mode(mode: str | None, known: list[str]) -> str | None:
    """A render mode that exists.

    Raises:
        BwallocError: It does not.
    """
    if mode is not None and mode not in known:
        msg = f"render_mode: got '{mode}', expected one of {', '.join(known)}, or None."
        raise BwallocError(msg)
    return mode
