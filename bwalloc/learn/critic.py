"""The critic at the cut: what an episode is worth from there on.

Ref: Xu et al., Accelerated Policy Learning with Parallel Differentiable Simulation, ICLR 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from bwalloc.allocate.policy.neural import Architecture, Graph, embed
from bwalloc.learn.network import PolicyNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Critic(nn.Module):
    """An encoder like the policy's, pooled over demands, with one number per episode."""

    def __init__(self, architecture: Architecture, seed: int = 0) -> None:
        """Draw the weights."""
        super().__init__()
        self.encoder = PolicyNetwork(architecture, seed)
        self.head = nn.Linear(architecture.hidden, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, features: Mapping[str, torch.Tensor], graph: Graph) -> torch.Tensor:
        """Money to come in units of the reward, (B,)."""
        encoder = self.encoder
        rows = embed(encoder.weights, features, graph, encoder.architecture)
        return self.head(graph.mean(rows.demands)[:, 0].T)[:, 0]


def td_lambda(
    rewards: Sequence[torch.Tensor],
    values: Sequence[torch.Tensor],
    last: torch.Tensor,
    discount: float,
    trace: float,
) -> list[torch.Tensor]:
    """Targets of the critic before each interval of an unroll.

    Args:
        rewards: money of each interval, (B,) each.
        values: critic before each interval, (B,) each.
        last: critic after the last interval, (B,).
        discount: gamma, per interval.
        trace: lambda.

    Returns:
        TD(lambda) returns, one (B,) per interval. Ref: Sutton & Barto (2018), section 12.1.
    """
    targets: list[torch.Tensor] = []
    after, target = last, last
    for reward, value in zip(reversed(rewards), reversed(values), strict=True):
        target = reward + discount * ((1 - trace) * after + trace * target)
        targets.append(target)
        after = value
    return targets[::-1]
