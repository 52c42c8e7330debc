"""`CloudEdgeVectorEnv`: a batch of episodes as one array program."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from bwalloc.errors import BwallocError, unknown_name
from bwalloc.gym.engine import Engine
from bwalloc.gym.episodes import Catalogue, Choice, random_seed, world_of
from bwalloc.gym.info import columns_of, with_masks
from bwalloc.gym.spaces import action_space, checked_actions, observation_space
from bwalloc.scenario import WorldsAhead

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario, World

Observation = dict[str, np.ndarray]
MODES = (AutoresetMode.SAME_STEP, AutoresetMode.DISABLED)


class CloudEdgeVectorEnv(VectorEnv[Observation, np.ndarray, np.ndarray]):
    """`num_envs` episodes of one environment, stepped together.

    Observations, actions and rewards are those of `CloudEdgeEnv`, with the environments first.
    Autoreset: `SAME_STEP` (the observation returned is that of the next episode; the last one is
    in `info["final_obs"]`, its info in `info["final_info"]`) or `DISABLED` (reset with
    `options={"reset_mask": mask}`). Coming episodes are drawn in a thread while this one runs;
    where every episode draws a network of its own, each has an engine, stepped one by one.

    Args:
        num_envs: number of episodes.
        env, split, overrides, envs: as in `CloudEdgeEnv`; `env` may be a scenario.
        threads: threads that share the batch.
        autoreset_mode: `SAME_STEP` or `DISABLED`.
        render_mode: None only; render a single environment instead.
    """

    def __init__(
        self,
        num_envs: int = 1,
        env: str | Scenario = "metro-inference",
        *,
        split: str = "train",
        overrides: Mapping[str, Any] | None = None,
        envs: Path | None = None,
        threads: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: str | None = None,
    ) -> None:
        """Load the environment; `reset` begins the episodes."""
        if num_envs < 1:
            msg = f"num_envs: got {num_envs}, expected at least 1."
            raise BwallocError(msg)
        if render_mode is not None:
            msg = f"render_mode '{render_mode}': only single environments draw; use gym.make."
            raise BwallocError(msg)
        self.catalogue = Catalogue(env, overrides, split, envs)
        self.num_envs, self.render_mode, self.threads = num_envs, None, threads
        self.mode = _checked_mode(autoreset_mode)
        self.metadata = {"autoreset_mode": self.mode, "render_modes": []}
        self.single_observation_space = observation_space(self.scenario.sizes)
        self.single_action_space = action_space(self.scenario.sizes)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.generators = [np.random.default_rng() for _ in range(num_envs)]
        self.worlds = WorldsAhead(self.scenario)
        self.choices: list[Choice | None] = [None] * num_envs
        self.coming: list[int] = [0] * num_envs
        self.lanes: list[Lane] = []

    @property
    def scenario(self) -> Scenario:
        """The scenario the spaces are built for."""
        return self.catalogue.scenario

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin all episodes, or those of `options["reset_mask"]`.

        Args:
            seed: number of the first episode, the others follow; or one number (or None) each.
            options: as in `CloudEdgeEnv.reset`, for all that begin; and `reset_mask`, bool
                (num_envs,).
        """
        given = dict(options or {})
        mask = np.asarray(given.pop("reset_mask", np.ones(self.num_envs, bool)), bool)
        if mask.shape != (self.num_envs,) or not mask.any():
            msg = f"reset_mask: got shape {mask.shape}, expected ({self.num_envs},) with a True."
            raise BwallocError(msg)
        if not self.lanes and not mask.all():
            msg = "reset_mask: the first reset must begin every episode."
            raise BwallocError(msg)
        columns, before = np.flatnonzero(mask), list(self.choices)
        for column, number in zip(columns, _seeds(seed, columns, self.num_envs), strict=True):
            if number is not None:
                self.generators[column] = np.random.default_rng(number)
                chosen = number
            else:
                chosen = random_seed(self.generators[column])
            self.choices[column] = self.catalogue.choose(chosen, given)
        try:
            self._begin(columns)
        except BwallocError:
            self.choices = before  # the episodes that run are still these
            raise
        seeds = np.array([choice.seed if choice else 0 for choice in self.choices])
        return self._observation(), with_masks({"seed": seeds}, mask)

    def step(
        self, actions: np.ndarray
    ) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play one interval of every episode.

        Raises:
            ActionError: Actions of a wrong shape or not finite; nothing has changed then.
            BwallocError: `reset` was not called, or (with autoreset disabled) an episode is over.
        """
        used = checked_actions(actions, self.action_space.shape or ())
        self._check_running()
        outcomes = [lane.engine.step(used[lane.columns]) for lane in self.lanes]
        rewards = np.zeros(self.num_envs)
        truncated = np.zeros(self.num_envs, bool)
        for lane, outcome in zip(self.lanes, outcomes, strict=True):
            rewards[lane.columns] = outcome.reward
            truncated[lane.columns] = outcome.is_last
        info = self._info(outcomes)
        terminated = np.zeros(self.num_envs, bool)
        observation = self._observation()
        if truncated.any() and self.mode is AutoresetMode.SAME_STEP:
            info = self._with_final(info, observation, truncated)
            self._begin_next(np.flatnonzero(truncated))
            observation = self._observation()
        return observation, rewards, terminated, truncated, info

    def close_extras(self, **kwargs: Any) -> None:
        """Nothing to close."""

    def get_state(self) -> dict[str, Any]:
        """A copy of everything that changes; `set_state` goes back to it."""
        kept: dict[str, Any] = {name: getattr(self, name) for name in _MOVING}
        kept["lanes"] = [lane.engine.get_state() for lane in self.lanes]
        return copy.deepcopy(kept)

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` gave.

        Raises:
            BwallocError: The state is not one of `get_state`.
        """
        for name in (*_MOVING, "lanes"):
            if name not in state:
                msg = f"set_state: '{name}' is missing; pass what get_state() returned."
                raise BwallocError(msg)
        kept = copy.deepcopy(state)
        for name in _MOVING:
            setattr(self, name, kept[name])
        scenarios = {
            column: self.catalogue.scenario_of(choice)
            for column, choice in enumerate(self.choices)
            if choice is not None
        }
        self.lanes = self._lanes(scenarios) if scenarios else []
        for lane, engine_state in zip(self.lanes, kept["lanes"], strict=True):
            lane.engine.set_state(engine_state)

    def _check_running(self) -> None:
        if not self.lanes:
            msg = "No episode has begun: call reset() before step()."
            raise BwallocError(msg)
        if self.mode is AutoresetMode.SAME_STEP:
            return
        for lane in self.lanes:
            over = np.flatnonzero(lane.engine.state.interval >= lane.engine.intervals)
            if over.size:
                number = int(lane.columns[over[0]])
                msg = f"Episode {number} is over: reset(options={{'reset_mask': mask}}) begins it."
                raise BwallocError(msg)

    def _begin_next(self, columns: np.ndarray) -> None:
        for column in columns:
            before = self.choices[column]
            split = before.split if before else self.catalogue.split
            self.choices[column] = Choice(split, self.coming[column])
        self._begin(columns)

    def _begin(self, columns: np.ndarray) -> None:
        """Begin the chosen episodes in these columns, and order those that come after them."""
        chosen = {int(column): self.choices[column] for column in columns}
        scenarios = {
            c: self.catalogue.scenario_of(choice) for c, choice in chosen.items() if choice
        }
        if not self.lanes:
            self.lanes = self._lanes(scenarios)
        for lane in self.lanes:
            mine = [column for column in lane.columns.tolist() if column in chosen]
            if not mine:
                continue
            lane.fit(scenarios[mine[0]], len(mine), self.threads)
            worlds = [self._world(scenarios[column], chosen[column]) for column in mine]
            lane.engine.restart(np.array(mine) - lane.columns[0], worlds)
        for column in columns:
            self.coming[column] = random_seed(self.generators[column])
            choice = self.choices[column]
            if choice and self.mode is AutoresetMode.SAME_STEP and not self.catalogue.is_drawn:
                self.worlds.order(choice.split, self.coming[column])

    def _lanes(self, scenarios: dict[int, Scenario]) -> list[Lane]:
        """One lane for all columns if they share a network for good, else one each."""
        first = scenarios[0]
        shared = all(scenario.digest == first.digest for scenario in scenarios.values())
        if shared and not self.catalogue.is_drawn:
            engine = Engine(first, self.num_envs, threads=self.threads)
            return [Lane(np.arange(self.num_envs), engine)]
        return [Lane(np.array([column]), Engine(scenarios[column], 1)) for column in scenarios]

    def _world(self, scenario: Scenario, choice: Choice | None) -> World:
        assert choice is not None
        if scenario is self.scenario and choice.start is None:
            return self.worlds.take(choice.split, choice.seed)
        return world_of(scenario, choice)

    def _observation(self) -> Observation:
        parts = [lane.engine.observe() for lane in self.lanes]
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _info(self, outcomes: list[Any]) -> dict[str, Any]:
        present = np.ones(self.num_envs, bool)
        infos = [
            columns_of(lane.engine, outcome)
            for lane, outcome in zip(self.lanes, outcomes, strict=True)
        ]
        return with_masks(infos[0] if len(infos) == 1 else _joined(infos), present)

    def _with_final(
        self, info: dict[str, Any], observation: Observation, ended: np.ndarray
    ) -> dict[str, Any]:
        final_obs = np.full(self.num_envs, None, object)
        for column in np.flatnonzero(ended):
            final_obs[column] = {name: rows[column] for name, rows in observation.items()}
        return {
            **info,
            "final_obs": final_obs,
            "_final_obs": ended.copy(),
            "final_info": dict(info),
            "_final_info": ended.copy(),
        }


class Lane:
    """The columns that share one network, and their engine."""

    def __init__(self, columns: np.ndarray, engine: Engine) -> None:
        """Hold both."""
        self.columns, self.engine = columns, engine

    def fit(self, scenario: Scenario, beginning: int, threads: int) -> None:
        """Rebuild the engine where episodes of another scenario begin, in so many columns.

        Raises:
            BwallocError: Other columns go on with the scenario there was.
        """
        if scenario.digest == self.engine.scenario.digest:
            return
        if beginning < len(self.columns):
            msg = (
                "reset(options={'overrides': ..., 'reset_mask': ...}): the episodes of a batch "
                "share one network; begin all of them, or pass overrides to gym.make_vec."
            )
            raise BwallocError(msg)
        self.engine = Engine(scenario, len(self.columns), threads=threads)


_MOVING = ("generators", "choices", "coming")


def _joined(infos: list[dict[str, Any]]) -> dict[str, Any]:
    """Infos of lanes one after another; 0 where a lane has no such class."""
    joined: dict[str, Any] = {}
    for name in dict.fromkeys(name for info in infos for name in info):
        values = [info.get(name) for info in infos]
        if isinstance(next(value for value in values if value is not None), dict):
            joined[name] = _joined([value or {} for value in values])
        else:
            joined[name] = np.concatenate([np.zeros(1) if v is None else v for v in values])
    return joined


def _seeds(
    seed: int | Sequence[int | None] | None, columns: np.ndarray, num_envs: int
) -> list[int | None]:
    """The seed of each column that begins; a list holds one for each, or one for every column."""
    if seed is None:
        return [None] * len(columns)
    if isinstance(seed, int | np.integer):
        return [_checked_seed(int(seed) + place) for place in range(len(columns))]
    if len(seed) not in (num_envs, len(columns)):
        msg = f"seed: got {len(seed)} numbers, expected one for each of {len(columns)} episodes."
        raise BwallocError(msg)
    chosen = [seed[int(column)] for column in columns] if len(seed) == num_envs else seed
    return [_checked_seed(number) for number in chosen]


def _checked_seed(seed: object) -> int | None:
    if seed is None or (isinstance(seed, int | np.integer) and seed >= 0):
        return None if seed is None else int(seed)
    msg = f"seed: got {seed!r}, expected a whole number from 0, or None."
    raise BwallocError(msg)


def _checked_mode(mode: AutoresetMode | str) -> AutoresetMode:
    names = {str(known.value): known for known in MODES} | {known.name: known for known in MODES}
    if isinstance(mode, AutoresetMode) and mode in MODES:
        return mode
    if str(mode) in names:
        return names[str(mode)]
    given = mode.name if isinstance(mode, AutoresetMode) else str(mode)
    known = [each.name for each in MODES]
    raise unknown_name(kind="autoreset mode", name=given, known=known, remedy="Use one of them.")
