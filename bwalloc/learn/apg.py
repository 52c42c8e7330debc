"""Analytic policy gradient: the money of short unrolls, differentiated through the simulator."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from bwalloc.allocate.policy.neural import Graph
from bwalloc.arrays import like
from bwalloc.errors import RecipeError
from bwalloc.learn.checkpoint import arrays_to_modules, modules_to_arrays
from bwalloc.learn.critic import Critic, td_lambda
from bwalloc.learn.network import PolicyNetwork
from bwalloc.learn.unroll import Unroll

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bwalloc.learn.recipe import Recipe
    from bwalloc.scenario import Scenario

CRITIC_RATE = 1e-3
"""Learning rate of the critic."""
NEXT = "episodes/next"
"""In a checkpoint, the seed of the next episode."""


class ApgTrainer:
    """One policy, its optimiser, and the episodes it learns from.

    Every update unrolls `cut` intervals, adds at the cut a share of the value of work still queued
    (and, with a critic, what comes after), and ascends the gradient of the mean money.
    Features are taken as given: the gradient goes through queues and decoder, not through what the
    policy reads.
    """

    def __init__(
        self,
        scenario: Scenario,
        recipe: Recipe,
        *,
        device: str = "cpu",
        init: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Build network, optimiser and episodes from the recipe.

        Raises:
            RecipeError: Unrolls would be longer than an episode.
        """
        intervals = scenario.timing.intervals
        if recipe.apg.cut > intervals:
            msg = f"apg.cut: got {recipe.apg.cut}, an episode of {scenario.slug} has {intervals}."
            raise RecipeError(msg)
        architecture = recipe.architecture(scenario)
        self.recipe, self.scenario = recipe, scenario
        self.network = PolicyNetwork(architecture, recipe.seed).to(device)
        if init:
            self.network.load(init)
        average = get_ema_multi_avg_fn(recipe.apg.average)
        self.averaged = AveragedModel(self.network, multi_avg_fn=average)
        self.critic = (
            Critic(architecture, recipe.seed + 1).to(device) if recipe.apg.critic else None
        )
        self.optimiser = torch.optim.Adam(self.network.parameters(), recipe.apg.learning_rate)
        taught = self.critic.parameters() if self.critic else [torch.zeros(0)]
        self.critic_optimiser = torch.optim.Adam(taught, CRITIC_RATE)
        self.graph = Graph.of(scenario.network)
        self.device, self.steps, self.skipped = device, 0, 0
        self.unroll = self._episodes(first_seed(recipe.seed))

    @property
    def steps_per_update(self) -> int:
        """Intervals of single episodes that one update plays."""
        return self.recipe.apg.batch * self.recipe.apg.cut

    def update(self, progress: float) -> float:
        """One unroll and one step of the optimiser.

        Args:
            progress: share of the run that is done, 0 to 1; the learning rate follows it.

        Returns:
            Money of a mean interval, USD.
        """
        apg = self.recipe.apg
        self._set_rate(apg.final_share + (1 - apg.final_share) * cosine(progress))
        money, seen = self._play()
        objective = torch.stack(money).mean() + self._at_the_cut() / apg.cut
        if self.critic:
            objective = objective + self._expected(self.critic) / apg.cut
        self.optimiser.zero_grad()
        loss = -objective / self.scenario.reward_scale_usd
        loss.backward(inputs=list(self.network.parameters()))
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), apg.clip_norm)
        if torch.isfinite(norm):
            self.optimiser.step()
            self.averaged.update_parameters(self.network)
        else:
            self.skipped += 1
        if self.critic:
            self._teach(self.critic, money, seen)
        self.unroll.detach()
        self.steps += self.steps_per_update
        return float(torch.stack(money).mean().detach())

    def weights(self) -> dict[str, np.ndarray]:
        """A copy of the policy's weights, averaged over the last updates."""
        policy: Any = self.averaged.module
        return policy.numpy()

    def tensors(self) -> dict[str, np.ndarray]:
        """Weights and moments of policy and critic, and which episodes are used up."""
        saved = modules_to_arrays(self._modules(), {"policy": self.optimiser})
        saved[NEXT] = np.array(self.unroll.next_seed)
        if self.critic:
            saved |= modules_to_arrays({"critic": self.critic}, {"critic": self.critic_optimiser})
        return saved

    def resume(self, tensors: Mapping[str, np.ndarray], steps: int) -> None:
        """Go on after `steps`, with episodes that were not played before."""
        arrays_to_modules(tensors, self._modules(), {"policy": self.optimiser})
        if self.critic:
            optimisers = {"critic": self.critic_optimiser}
            arrays_to_modules(tensors, {"critic": self.critic}, optimisers)
        self.steps = steps
        self.unroll = self._episodes(int(tensors[NEXT]))

    def _modules(self) -> dict[str, torch.nn.Module]:
        return {"policy": self.network, "averaged": self.averaged}

    def _episodes(self, seed: int) -> Unroll:
        apg = self.recipe.apg
        return Unroll(
            self.scenario, apg.batch, cut=apg.cut, seed=seed, device=self.device,
            smooth_gbit=apg.smooth_gbit,
        )  # fmt: skip

    def _play(self) -> tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]:
        money: list[torch.Tensor] = []
        seen: list[dict[str, torch.Tensor]] = []
        for _ in range(self.recipe.apg.cut):
            features = {kind: rows.detach() for kind, rows in self.unroll.features().items()}
            seen.append(features)
            is_counted = self.unroll.is_counted
            actions = self.network.both(features, self.graph)
            money.append(self.unroll.step(*actions) * is_counted)
        return money, seen

    def _at_the_cut(self) -> torch.Tensor:
        """What work still queued may yet be worth, USD of a mean episode."""
        queued = self.unroll.state.queued_gbit.sum(1)
        value = like(self.scenario.network.law.whole_usd_per_gbit, queued)
        return self.recipe.apg.cut_value * (value[:, None] * queued).sum(0).mean()

    def _expected(self, critic: Critic) -> torch.Tensor:
        """What the critic expects after the cut, USD of a mean episode."""
        after = critic(self.unroll.features(), self.graph).mean()
        return self.recipe.apg.discount * after * self.scenario.reward_scale_usd

    def _teach(
        self, critic: Critic, money: list[torch.Tensor], seen: list[dict[str, torch.Tensor]]
    ) -> None:
        """Fit the critic to the unroll that was played."""
        apg, scale = self.recipe.apg, self.scenario.reward_scale_usd
        values = [critic(features, self.graph) for features in seen]
        with torch.no_grad():
            last = critic(self.unroll.features(), self.graph)
        rewards = [(each / scale).detach() for each in money]
        known = [value.detach() for value in values]
        targets = td_lambda(rewards, known, last, apg.discount, apg.trace)
        loss = (torch.stack(values) - torch.stack(targets)).square().mean()
        self.critic_optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(critic.parameters(), apg.clip_norm)
        self.critic_optimiser.step()

    def _set_rate(self, share: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.apg.learning_rate * share


def first_seed(run: int) -> int:
    """Number of the first training episode of a run; the record of an operator lies below."""
    return 2_000_000 + 1_000_000 * run


def cosine(progress: float) -> float:
    """1 at the start, 0 at the end, flat at both."""
    return 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
