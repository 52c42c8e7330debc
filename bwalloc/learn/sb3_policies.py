"""The policy network as a policy of Stable-Baselines3: actors and critics of PPO and SAC.

The mean action IS the network's action, so weights go to and from `ApgTrainer` unchanged. Noise has
one scale per part of an action (reserve, weight, leftover, split; renewal and bar of spans), shared
by all rows, and the numbers of an action that move nothing (rows that pad, tunnels that do not
exist) count in no likelihood.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.sac.policies import SACPolicy
from torch import nn
from torch.nn import functional

from bwalloc.allocate.policy.correction import PARTS, SPAN_PARTS
from bwalloc.allocate.policy.neural import (
    Architecture,
    Graph,
    act,
    act_spans,
    answered,
    answered_spans,
    embed,
    layer_shapes,
)
from bwalloc.gym.spaces import features_of, n_sold, split_action
from bwalloc.learn.network import PolicyNetwork, drawn_layers, named_weights
from bwalloc.observe import tables_of

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.scenario import Scenario, Sizes

Observation = Mapping[str, torch.Tensor]
LOWEST, HIGHEST = -5.0, 0.5
"""Bounds of the log of the noise's standard deviation."""


class View:
    """How one network looks in padded spaces: observations to features, answers to actions."""

    def __init__(self, scenario: Scenario) -> None:
        """Keep the graph, and which numbers of an action move something."""
        self.network: Network = scenario.network
        self.sizes: Sizes = scenario.sizes
        self.graph = Graph.of(scenario.network)
        exists = scenario.network.tunnels.exists
        single = np.repeat(exists.any(1, keepdims=True), len(PARTS) - 1, 1)
        parts = np.minimum(np.arange(single.shape[1] + exists.shape[1]), len(PARTS) - 1)
        bars = np.tile(len(PARTS) + np.arange(len(SPAN_PARTS)), self.sizes.spans)
        sold = np.repeat(np.arange(self.sizes.spans) < n_sold(self.network), len(SPAN_PARTS))
        part = self._padded(np.tile(parts, (len(exists), 1))).ravel()
        moves = self._padded(np.hstack([single, exists])).ravel()
        self.part = np.concatenate([part, bars]).astype(np.int64)
        self.moves = np.concatenate([moves, sold]).astype(np.float32)
        self.n_parts = len(PARTS) + (len(SPAN_PARTS) if self.sizes.spans else 0)

    def features(self, observation: Observation) -> dict[str, torch.Tensor]:
        """(features, rows, B) by kind, as the network takes them."""
        return features_of(observation, self.network, self.sizes)

    def flat(self, answer: torch.Tensor, about: torch.Tensor | None = None) -> torch.Tensor:
        """Answers as actions of the space, (B, padded numbers).

        Args:
            answer: (demands, 3 + tunnels, B).
            about: of spans, (spans, 2, B).
        """
        rows, columns = self.sizes.demands, len(PARTS) - 1 + self.sizes.tunnels
        missing = (0, columns - answer.shape[1], 0, rows - answer.shape[0])
        flat = functional.pad(answer.permute(2, 0, 1), missing).reshape(answer.shape[2], -1)
        if about is None:
            return flat
        missing = (0, 0, 0, self.sizes.spans - about.shape[0])
        spans = functional.pad(about.permute(2, 0, 1), missing).reshape(answer.shape[2], -1)
        return torch.cat([flat, spans], 1)

    def rows(self, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The inverse of `flat`."""
        demands, tunnels = self.graph.shape
        whole, about = split_action(actions, self.sizes)
        answer = whole[:, :demands, : len(PARTS) - 1 + tunnels].permute(1, 2, 0)
        return answer, about[:, : n_sold(self.network)].permute(1, 2, 0)

    def _padded(self, table: np.ndarray) -> np.ndarray:
        rows, columns = self.sizes.demands, len(PARTS) - 1 + self.sizes.tunnels
        return np.pad(table, ((0, rows - table.shape[0]), (0, columns - table.shape[1])))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a policy is built from; passed as `policy_kwargs`.

    `critic_times` is the learning rate of the critic over that of the policy: an actor that runs
    ahead of its critic is misled.
    """

    scenario: Scenario
    architecture: Architecture
    seed: int
    log_std_init: float
    critic_times: float


class Noise(nn.Module):
    """Independent noise, one scale per part of an action."""

    part: torch.Tensor
    moves: torch.Tensor

    def __init__(self, view: View, log_std_init: float) -> None:
        """All parts begin at the same scale."""
        super().__init__()
        self.log_std = nn.Parameter(torch.full((view.n_parts,), log_std_init))
        self.register_buffer("part", torch.as_tensor(view.part), persistent=False)
        self.register_buffer("moves", torch.as_tensor(view.moves), persistent=False)

    def forward(self) -> torch.Tensor:
        """Log of the standard deviation of every number of an action."""
        return self.log_std.clamp(LOWEST, HIGHEST)[self.part]

    def log_prob(self, drawn: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Log density of the numbers that move something, (B,)."""
        log_std = self()
        distance = (drawn - mean) * torch.exp(-log_std)
        each = -0.5 * distance.square() - log_std - 0.5 * math.log(2 * math.pi)
        return (each * self.moves).sum(1)

    def sample(self, mean: torch.Tensor) -> torch.Tensor:
        """A draw around `mean`, (B, numbers)."""
        return mean + torch.exp(self()) * torch.randn_like(mean)


class Pooled(nn.Module):
    """A small layer per demand, and one number from the mean over demands."""

    def __init__(self, hidden: int, seed: int) -> None:
        """Draw the weights."""
        super().__init__()
        self.layers = drawn_layers({"row": (hidden, hidden), "value.out": (1, hidden)}, seed)

    def forward(self, demands: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Money to come in units of the reward, (B, 1), of rows (hidden, demands, B)."""
        weights = named_weights(self.layers)
        inner = torch.einsum("oc,crb->orb", weights["row.weight"], demands)
        inner = functional.silu(inner + weights["row.bias"][:, None, None])
        pooled = graph.mean(inner)[:, 0].T
        return functional.linear(pooled, weights["value.out.weight"], weights["value.out.bias"])

    def centre(self, value: float) -> None:
        """Begin at `value`: many steps of a small learning rate lie between 0 and it."""
        with torch.no_grad():
            named_weights(self.layers)["value.out.bias"].fill_(value)


class PpoPolicy(ActorCriticPolicy):
    """Gaussian noise around the network's action, and a critic on its rows of demands.

    The critic reads the rows and does not move them, so that a bad critic spoils no good policy; an
    encoder of its own would double the cost of a step.
    """

    def __init__(self, *args: Any, plan: Plan, **kwargs: Any) -> None:
        """Build from `plan`; the other arguments are those of `ActorCriticPolicy`."""
        self.plan, self.view = plan, View(plan.scenario)
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Any) -> None:
        plan = self.plan
        self.actor = PolicyNetwork(plan.architecture, plan.seed)
        self.critic = Pooled(plan.architecture.hidden, plan.seed + 1)
        self.noise = Noise(self.view, plan.log_std_init)
        groups = [
            {"params": [*self.actor.parameters(), *self.noise.parameters()], "times": 1.0},
            {"params": list(self.critic.parameters()), "times": plan.critic_times},
        ]
        self.optimizer = torch.optim.Adam(groups, lr_schedule(1), eps=1e-5)

    def forward(
        self, obs: Any, deterministic: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Actions, values, and the log density of the actions."""
        mean, values = self._both(obs)
        actions = mean if deterministic else self.noise.sample(mean)
        return actions, values, self.noise.log_prob(actions, mean)

    def evaluate_actions(
        self, obs: Any, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values, log density of `actions`, and entropy of the noise."""
        mean, values = self._both(obs)
        each = self.noise() + 0.5 * math.log(2 * math.pi * math.e)
        entropy = (each * self.noise.moves).sum()
        return values, self.noise.log_prob(actions, mean), entropy.expand(len(mean))

    def predict_values(self, obs: Any) -> torch.Tensor:
        """Money to come in units of the reward, (B, 1)."""
        return self._both(obs)[1]

    def get_distribution(self, obs: Any) -> Any:
        """The noise around the network's action, numbers that move nothing included."""
        assert isinstance(self.action_dist, DiagGaussianDistribution)
        return self.action_dist.proba_distribution(self._both(obs)[0], self.noise())

    def _both(self, obs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean action and the critic's value."""
        actor, graph = self.actor, self.view.graph
        weights = actor.weights
        rows = embed(weights, self.view.features(obs), graph, actor.architecture)
        flat = self.view.flat(act(weights, rows, graph), act_spans(weights, rows))
        return flat, self.critic(rows.demands.detach(), graph)


class SacActor(nn.Module):
    """The network's action with noise before it is squashed."""

    optimizer: torch.optim.Optimizer

    def __init__(self, plan: Plan, view: View) -> None:
        """Draw the weights."""
        super().__init__()
        self.view, self.network = view, PolicyNetwork(plan.architecture, plan.seed)
        self.noise = Noise(view, plan.log_std_init)

    def forward(self, obs: Any, deterministic: bool = False) -> torch.Tensor:
        """Actions in (-1, 1), (B, numbers)."""
        mean = self._answer(obs)
        return torch.tanh(mean if deterministic else self.noise.sample(mean))

    def action_log_prob(self, obs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Actions drawn, and their log density."""
        mean = self._answer(obs)
        drawn = self.noise.sample(mean)
        # log(1 - tanh(x)^2), exact for large x too
        squash = 2 * (math.log(2) - drawn - functional.softplus(-2 * drawn))
        log_prob = self.noise.log_prob(drawn, mean) - (squash * self.noise.moves).sum(1)
        return torch.tanh(drawn), log_prob

    def set_training_mode(self, mode: bool) -> None:
        """As `BasePolicy` wants it."""
        self.train(mode)

    def _answer(self, obs: Any) -> torch.Tensor:
        features, network, graph = self.view.features(obs), self.network, self.view.graph
        rows = embed(network.weights, features, graph, network.architecture)
        answer = answered(network.weights, rows, graph)
        return self.view.flat(answer, answered_spans(network.weights, rows))


class SacCritic(nn.Module):
    """An encoder of features and action together, and two heads pooled over demands.

    One round of messages carries an action to the links it loads and to those it competes with.
    """

    optimizer: torch.optim.Optimizer

    def __init__(self, plan: Plan, view: View) -> None:
        """Draw the weights."""
        super().__init__()
        whole = plan.architecture
        self.view = view
        rounds = min(whole.rounds, 1)
        self.architecture = Architecture(whole.hidden, rounds, spans=whole.spans)
        self.history = whole.history
        self.layers = drawn_layers(_reading_actions(self.architecture), plan.seed + 1)
        self.first, self.second = (Pooled(whole.hidden, plan.seed + n) for n in (2, 3))

    def forward(self, obs: Any, actions: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Two estimates of the money to come, (B, 1) each."""
        graph = self.view.graph
        features = self._with_action(self.view.features(obs), self.view.rows(actions))
        rows = embed(named_weights(self.layers), features, graph, self.architecture)
        return self.first(rows.demands, graph), self.second(rows.demands, graph)

    def set_training_mode(self, mode: bool) -> None:
        """As `BasePolicy` wants it."""
        self.train(mode)

    def centre(self, value: float) -> None:
        """Begin at `value`: many steps of a small learning rate lie between 0 and it."""
        self.first.centre(value)
        self.second.centre(value)

    def _with_action(
        self, features: dict[str, torch.Tensor], actions: tuple[torch.Tensor, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Features with the action's numbers behind them, by the rows they are about."""
        action, about = actions
        demands, single = features["demands"], len(PARTS) - 1
        if not self.history:
            latest = torch.as_tensor(self.architecture.latest, device=demands.device)
            demands = demands * latest
        per_demand = action[:, :single].transpose(0, 1)
        per_tunnel = action[:, single:].reshape(1, -1, action.shape[-1])
        seen = {
            **features,
            "demands": torch.cat([demands, per_demand]),
            "tunnels": torch.cat([features["tunnels"], per_tunnel]),
        }
        if "spans" in features:
            seen["spans"] = torch.cat([features["spans"], about.transpose(0, 1)])
        return seen


class SacPolicy(SACPolicy):
    """Actor and critics of SAC over the policy network."""

    def __init__(self, *args: Any, plan: Plan, **kwargs: Any) -> None:
        """Build from `plan`; the other arguments are those of `SACPolicy`."""
        self.plan, self.view = plan, View(plan.scenario)
        super().__init__(*args, **kwargs)

    def make_actor(self, features_extractor: Any = None) -> Any:
        """The actor."""
        del features_extractor
        return SacActor(self.plan, self.view).to(self.device)

    def make_critic(self, features_extractor: Any = None) -> Any:
        """Both critics as one module."""
        del features_extractor
        return SacCritic(self.plan, self.view).to(self.device)


def _reading_actions(architecture: Architecture) -> dict[str, tuple[int, int]]:
    """Layers of an encoder that sees the action, by the rows that its numbers are about."""
    tables = tables_of(spans=architecture.spans)
    inputs = {kind: len(table) for kind, table in tables.items()}
    inputs["demands"] += len(PARTS) - 1
    inputs["tunnels"] += 1
    if architecture.spans:
        inputs["spans"] += len(SPAN_PARTS)
    shapes = layer_shapes(architecture, inputs)
    return {name: shape for name, shape in shapes.items() if not name.endswith(".out")}
