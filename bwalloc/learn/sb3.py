"""PPO and SAC of Stable-Baselines3 with the policy network, on the native vector environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from bwalloc.gym.replay import CompactReplay
from bwalloc.gym.sb3 import make_sb3
from bwalloc.learn.apg import cosine, first_seed
from bwalloc.learn.checkpoint import arrays_to_modules, modules_to_arrays
from bwalloc.learn.sb3_policies import Plan, PpoPolicy, SacPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stable_baselines3.common.base_class import BaseAlgorithm
    from torch import nn, optim

    from bwalloc.learn.network import PolicyNetwork
    from bwalloc.learn.recipe import Recipe
    from bwalloc.scenario import Scenario

SAC_ROUNDS = 16
"""Steps of the batch in one update of SAC, each followed by its gradient steps."""
SEEDS = NEVER = 2**31


class Sb3Trainer:
    """One algorithm of Stable-Baselines3, its policy, and the episodes it learns from."""

    def __init__(
        self,
        scenario: Scenario,
        recipe: Recipe,
        *,
        device: str = "cpu",
        init: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Build environments and learner from the recipe; `init` are weights to start from."""
        self.recipe, self.scenario = recipe, scenario
        self.steps, self.share, self.updates = 0, 1.0, 0
        self.earned = _Earned()
        build = self._ppo if recipe.algorithm == "ppo" else self._sac
        self.model: BaseAlgorithm = build(device)
        self.model.set_logger(Logger(None, []))
        if init:
            self.network.load(init)

    @property
    def network(self) -> PolicyNetwork:
        """The policy network, inside the learner."""
        policy: Any = self.model.policy
        return policy.actor if self.recipe.algorithm == "ppo" else policy.actor.network

    @property
    def steps_per_update(self) -> int:
        """Intervals of single episodes that one update plays."""
        if self.recipe.algorithm == "ppo":
            return self.recipe.ppo.n_envs * self.recipe.ppo.n_steps
        return self.recipe.sac.n_envs * SAC_ROUNDS

    def update(self, progress: float) -> float:
        """Play some intervals and learn from them.

        Args:
            progress: share of the run that is done, 0 to 1; the learning rate follows it.

        Returns:
            Money of a mean interval, USD, exploration and warm-up included.
        """
        section = self._section
        self.share = section.final_share + (1 - section.final_share) * cosine(progress)
        self.network.requires_grad_(self.updates >= section.critic_first)
        self.earned.restart()
        self.model.learn(
            self.steps_per_update, self.earned, log_interval=NEVER, reset_num_timesteps=False
        )
        self.updates += 1
        self.steps = self.model.num_timesteps
        return self.earned.mean * self.scenario.reward_scale_usd

    def weights(self) -> dict[str, np.ndarray]:
        """A copy of the policy's weights."""
        return self.network.numpy()

    def tensors(self) -> dict[str, np.ndarray]:
        """Weights and moments of policy and critic; the replay memory is not kept."""
        return modules_to_arrays(*self._parts())

    def resume(self, tensors: Mapping[str, np.ndarray], steps: int) -> None:
        """Go on after `steps`, with episodes that were not played before."""
        arrays_to_modules(tensors, *self._parts())
        learner: Any = self.model
        self.steps = self.model.num_timesteps = steps
        self.updates, learner.is_centred = steps // self.steps_per_update, True
        self.model.set_random_seed((self._seed + steps) % SEEDS)
        if isinstance(self.model, SAC):
            self.model.learning_starts += steps

    @property
    def _section(self) -> Any:
        return getattr(self.recipe, self.recipe.algorithm)

    @property
    def _seed(self) -> int:
        return first_seed(self.recipe.seed) % SEEDS

    def _parts(self) -> tuple[dict[str, nn.Module], dict[str, optim.Optimizer]]:
        policy: Any = self.model.policy
        if self.recipe.algorithm == "ppo":
            return {"policy": policy}, {"policy": policy.optimizer}
        modules = {"policy": policy.actor, "critic": policy.critic, "target": policy.critic_target}
        optimisers = {"policy": policy.actor.optimizer, "critic": policy.critic.optimizer}
        return modules, optimisers

    def _shared(self, device: str) -> dict[str, Any]:
        section = self._section
        plan = Plan(
            self.scenario, self.recipe.architecture(self.scenario), self.recipe.seed,
            section.log_std_init, section.critic_learning_rate / section.learning_rate,
        )  # fmt: skip
        return {
            "env": make_sb3(self.scenario, section.n_envs),
            "learning_rate": lambda _: section.learning_rate * self.share,
            "batch_size": section.batch_size,
            "gamma": section.gamma,
            "policy_kwargs": {"plan": plan},
            "seed": self._seed,
            "device": device,
        }

    def _ppo(self, device: str) -> PPO:
        ppo = self.recipe.ppo
        return _Ppo(
            PpoPolicy, n_steps=ppo.n_steps, n_epochs=ppo.n_epochs, gae_lambda=ppo.gae_lambda,
            clip_range=ppo.clip_range, ent_coef=ppo.ent_coef, target_kl=ppo.target_kl,
            **self._shared(device),
        )  # fmt: skip

    def _sac(self, device: str) -> SAC:
        sac = self.recipe.sac
        return _Sac(
            SacPolicy, buffer_size=sac.buffer_size, tau=sac.tau, ent_coef=sac.ent_coef,
            learning_starts=sac.learning_starts, gradient_steps=sac.gradient_steps,
            replay_buffer_class=CompactReplay, **self._shared(device),
        )  # fmt: skip


class _Ppo(PPO):
    """PPO whose first rollout only tells the critic where to begin."""

    is_centred = False

    def train(self) -> None:
        """Learn from the rollout."""
        if self.is_centred:
            super().train()
            return
        policy: Any = self.policy
        policy.critic.centre(float(self.rollout_buffer.rewards.mean()) / (1.0 - self.gamma))
        self.is_centred = True

    def _update_learning_rate(self, optimizers: Any) -> None:
        super()._update_learning_rate(optimizers)
        for group in self.policy.optimizer.param_groups:
            group["lr"] *= group["times"]


class _Sac(SAC):
    """SAC that explores with its policy from the first step, and starts its critic near the truth.

    Uniform actions, which SAC begins with, throw away what the base allocator or an agent knows.
    """

    is_centred = False

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Learn from the replay memory."""
        memory: Any = self.replay_buffer
        if not self.is_centred:
            value = float(memory.rewards[: memory.size()].mean()) / (1.0 - self.gamma)
            for critic in (self.critic, self.critic_target):
                critic.centre(value)  # pyright: ignore[reportCallIssue]
            self.is_centred = True
        super().train(gradient_steps, batch_size)

    def _update_learning_rate(self, optimizers: Any) -> None:
        super()._update_learning_rate(optimizers)
        for group in self.critic.optimizer.param_groups:
            group["lr"] *= self.policy.plan.critic_times  # pyright: ignore[reportAttributeAccessIssue]

    def _sample_action(self, learning_starts: int, *args: Any, **kwargs: Any) -> Any:
        del learning_starts
        return super()._sample_action(0, *args, **kwargs)


class _Earned(BaseCallback):
    """Mean reward of the steps of one update."""

    def restart(self) -> None:
        """Forget."""
        self.total, self.count = 0.0, 0

    @property
    def mean(self) -> float:
        """Of all steps since `restart`."""
        return self.total / max(self.count, 1)

    def _on_step(self) -> bool:
        rewards = self.locals["rewards"]
        self.total, self.count = self.total + float(rewards.sum()), self.count + rewards.size
        return True
