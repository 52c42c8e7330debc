"""How much of a training run of Stable-Baselines3 PPO passes in the environment."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario


@dataclass(frozen=True, slots=True)
class EnvironmentShare:
    """Wall time of one update of PPO, and the part of it spent in `VecEnv.step` and `reset`."""

    learner: str
    n_envs: int
    torch_threads: int
    steps: int
    seconds: float
    environment_s: float

    @property
    def share(self) -> float:
        """Part of the wall time that passed in the environment, 0 to 1."""
        return self.environment_s / self.seconds


def environment_shares(
    scenario: Scenario, n_envs: int = 64, n_steps: int = 64
) -> list[EnvironmentShare]:
    """One update of three learners each, after two that warm up.

    `SB3 defaults` is `PPO("MultiInputPolicy", env)` with a shorter rollout; `wide batches` does the
    least learning that is usual (4 epochs, batches of 1,024); `policy network` is the learner of
    `bwalloc train --algo ppo`.

    Args:
        scenario: the environment.
        n_envs: environments in the batch.
        n_steps: intervals of each in one update; the shares hardly depend on it.

    Raises:
        ImportError: Stable-Baselines3 is not installed.
    """
    rollout = n_envs * n_steps
    wide = {"batch_size": min(1024, rollout), "n_epochs": 4}
    learners = {
        "SB3 defaults": _plain(scenario, n_envs, n_steps),
        "wide batches": _plain(scenario, n_envs, n_steps, **wide),
        "policy network": _network(scenario, n_envs, n_steps),
    }
    return [_measured(name, model) for name, model in learners.items()]


def _plain(scenario: Scenario, n_envs: int, n_steps: int, **options: Any) -> Any:
    from stable_baselines3 import PPO

    from bwalloc.gym import make_sb3

    env = make_sb3(scenario, n_envs, seed=0)
    return PPO("MultiInputPolicy", env, n_steps=n_steps, seed=0, device="cpu", **options)


def _network(scenario: Scenario, n_envs: int, n_steps: int) -> Any:
    from bwalloc.learn.recipe import recipe_from
    from bwalloc.learn.sb3 import Sb3Trainer

    usual = recipe_from({"env": scenario.slug, "algorithm": "ppo"}, "bench env").ppo
    batch = min(usual.batch_size, n_envs * n_steps)
    ppo = {"n_envs": n_envs, "n_steps": n_steps, "batch_size": batch}
    recipe = recipe_from({"env": scenario.slug, "algorithm": "ppo", "ppo": ppo}, "bench env")
    return Sb3Trainer(scenario, recipe).model


def _measured(name: str, model: Any) -> EnvironmentShare:
    import torch

    steps = model.n_steps * model.n_envs
    for _ in range(2):  # the first rollout of the policy network only places its critic
        model.learn(steps, reset_num_timesteps=False)
    clock = _Clock(model.env)
    begin = time.perf_counter()
    model.learn(steps, reset_num_timesteps=False)
    seconds = time.perf_counter() - begin
    return EnvironmentShare(
        name, model.n_envs, torch.get_num_threads(), steps, seconds, clock.seconds
    )


class _Clock:
    """Counts the time in an environment's steps."""

    def __init__(self, env: Any) -> None:
        self.seconds, self._step = 0.0, env.step
        env.step = self.step

    def step(self, actions: Any) -> Any:
        begin = time.perf_counter()
        result = self._step(actions)
        self.seconds += time.perf_counter() - begin
        return result
