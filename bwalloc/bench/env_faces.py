"""How fast the public faces of an environment are, beside environments that do nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from bwalloc.bench.env_speed import reference_loop_per_s
from bwalloc.gym import CloudEdgeEnv, CloudEdgeVectorEnv

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario

THREADS = 2


@dataclass(frozen=True, slots=True)
class FaceSpeed:
    """Env-steps per second through Gymnasium, observations and resets included.

    `cpu_us` is the time of all threads in one env-step; `reference_ratio` is steps per iteration
    of `reference_loop_per_s`, measured right after.
    """

    face: str
    num_envs: int
    steps_per_s: float
    cpu_us: float
    reference_ratio: float


class IdleEnv(gymnasium.Env[Any, Any]):
    """Gymnasium's floor: the spaces of an environment, and nothing behind them."""

    def __init__(self, like: gymnasium.Env[Any, Any]) -> None:
        """Take the spaces, and one observation to hand out."""
        self.observation_space, self.action_space = like.observation_space, like.action_space
        self._observation = like.observation_space.sample()

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """The observation."""
        super().reset(seed=seed)
        return self._observation, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """The same observation."""
        del action
        return self._observation, 0.0, False, False, {}


class IdleVectorEnv(VectorEnv[Any, Any, Any]):
    """`IdleEnv`, many at once."""

    def __init__(self, like: VectorEnv[Any, Any, Any]) -> None:
        """Take the spaces, and one batch of observations."""
        self.num_envs, self.metadata = like.num_envs, {"autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space = like.single_observation_space
        self.single_action_space = like.single_action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._observation = self.observation_space.sample()
        self._zeros = np.zeros(self.num_envs), np.zeros(self.num_envs, bool)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """The observations."""
        del seed, options
        return self._observation, {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """The same observations."""
        del actions
        reward, flags = self._zeros
        return self._observation, reward, flags, flags, {}


def single_speeds(name: str, seconds: float) -> list[FaceSpeed]:
    """One environment as `gym.make` gives it, and the floor under the same wrappers."""
    env = _made(lambda: CloudEdgeEnv(name))
    idle = _made(lambda: IdleEnv(CloudEdgeEnv(name)))
    return [_single("gym.make", env, seconds), _single("gym.make, idle", idle, seconds)]


def vector_speed(scenario: Scenario, num_envs: int, seconds: float) -> FaceSpeed:
    """The native vector environment, its episodes ending at staggered times."""
    env = CloudEdgeVectorEnv(num_envs, scenario, threads=THREADS)
    env.reset(seed=0)
    for lane in env.lanes:
        lane.engine.state.interval[:] = np.arange(num_envs) * lane.engine.intervals // num_envs
    for order in list(env.worlds.orders.values()):
        order.result()  # the first orders come all at once, later ones one by one
    actions = np.zeros(env.action_space.shape or (), np.float32)
    return _measured("vector", num_envs, lambda: env.step(actions), seconds)


def idle_vector_speed(scenario: Scenario, num_envs: int, seconds: float) -> FaceSpeed:
    """The floor of the vector environment."""
    env = IdleVectorEnv(CloudEdgeVectorEnv(num_envs, scenario))
    actions = np.zeros(env.action_space.shape or (), np.float32)
    return _measured("vector, idle", num_envs, lambda: env.step(actions), seconds)


def _made(build: Callable[[], gymnasium.Env[Any, Any]]) -> gymnasium.Env[Any, Any]:
    """Under the wrappers of `gym.make`."""
    spec = gymnasium.envs.registration.EnvSpec("bwalloc/Bench-v0", entry_point=build)  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
    return gymnasium.make(spec, disable_env_checker=True)


def _single(face: str, env: gymnasium.Env[Any, Any], seconds: float) -> FaceSpeed:
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape or (), np.float32)

    def step() -> None:
        if env.step(action)[3]:
            env.reset()

    return _measured(face, 1, step, seconds)


def _measured(face: str, num_envs: int, step: Callable[[], Any], seconds: float) -> FaceSpeed:
    step()
    done, begin, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - begin < seconds:
        step()
        done += num_envs
    wall, busy = time.perf_counter() - begin, time.process_time() - cpu
    rate = done / wall
    return FaceSpeed(face, num_envs, rate, 1e6 * busy / done, rate / reference_loop_per_s(0.3))
