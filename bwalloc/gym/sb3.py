"""The native batch as a vector environment of Stable-Baselines3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from bwalloc.errors import BwallocError
from bwalloc.gym.vector import CloudEdgeVectorEnv

try:
    from stable_baselines3.common.vec_env import VecEnv, VecMonitor
except ImportError:
    message = "Stable-Baselines3 is not installed: pip install 'bwalloc[learn]'."
    raise BwallocError(message) from None

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

    from bwalloc.scenario import Scenario


class CloudEdgeVecEnv(VecEnv):
    """`CloudEdgeVectorEnv` behind the interface of Stable-Baselines3.

    An `info` is empty but at the end of an episode, where it holds `terminal_observation`,
    `TimeLimit.truncated` and what `CloudEdgeEnv.step` puts there: building one per environment
    and step would cost more than the simulation.
    """

    def __init__(self, env: CloudEdgeVectorEnv) -> None:
        """Adapt `env`; it must reset itself (`AutoresetMode.SAME_STEP`)."""
        if env.mode is not gymnasium.vector.AutoresetMode.SAME_STEP:
            msg = f"CloudEdgeVecEnv needs autoreset SAME_STEP, got {env.mode.name}."
            raise BwallocError(msg)
        self.env = env
        self._actions: np.ndarray | None = None
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> dict[str, np.ndarray]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Begin all episodes; the seeds of `seed()` hold for this reset only."""
        seeds = None if all(seed is None for seed in self._seeds) else list(self._seeds)
        observation, _ = self.env.reset(seed=seeds, options=self._options[0] or None)
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Play them."""
        observation, rewards, _, truncated, info = self.env.step(self._actions)  # pyright: ignore[reportArgumentType]
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for column in np.flatnonzero(truncated):
            infos[column] = _final_info(info["final_info"], int(column))
            infos[column]["terminal_observation"] = info["final_obs"][column]
            infos[column]["TimeLimit.truncated"] = True
        return observation, rewards.astype(np.float32), truncated, infos

    def close(self) -> None:
        """Close the batch."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The attribute of the batch, once per environment."""
        return [getattr(self.env, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Environments of a batch share their attributes: only all of them can be set."""
        if len(list(self._get_indices(indices))) != self.num_envs:
            msg = f"set_attr('{attr_name}'): a batch shares its attributes; set it for all."
            raise BwallocError(msg)
        setattr(self.env, attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """Call a method of the batch once; its result for every environment asked for."""
        result = getattr(self.env, method_name)(*args, **kwargs)
        return [result] * len(list(self._get_indices(indices)))

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],
        indices: VecEnvIndices = None,
    ) -> list[bool]:
        """No environment of a batch is wrapped."""
        del wrapper_class
        return [False] * len(list(self._get_indices(indices)))


def make_sb3(
    env_id: str | Scenario,
    n_envs: int = 64,
    *,
    seed: int | None = None,
    monitor: bool = True,
    **options: Any,
) -> VecEnv:
    """A `VecEnv` for Stable-Baselines3 over the native batch.

    Args:
        env_id: a registered id, for example `bwalloc/MetroInference-v1`; or a scenario.
        n_envs: number of environments in the batch.
        seed: number of the first episode; the others follow.
        monitor: add `VecMonitor`, which reports returns and lengths of episodes.
        **options: of `CloudEdgeVectorEnv`: split, overrides, threads.

    Raises:
        gymnasium.error.NameNotFound: The id is not registered; names the nearest.
    """
    if isinstance(env_id, str):
        batch: Any = gymnasium.make_vec(env_id, num_envs=n_envs, **options).unwrapped
    else:
        batch = CloudEdgeVectorEnv(n_envs, env_id, **options)
    adapted = CloudEdgeVecEnv(batch)
    adapted.seed(seed)
    return VecMonitor(adapted) if monitor else adapted


def _final_info(info: dict[str, Any], column: int) -> dict[str, Any]:
    return {
        name: _final_info(value, column) if isinstance(value, dict) else value[column]
        for name, value in info.items()
        if not name.startswith("_")
    }
