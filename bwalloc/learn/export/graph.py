"""The decision as one torch graph whose topology is an input: what ONNX is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from bwalloc.allocate.correction import Correction
from bwalloc.allocate.decision import INPUTS, decided
from bwalloc.learn.network import PolicyNetwork

if TYPE_CHECKING:
    from bwalloc.allocate.learned import Policy
    from bwalloc.arrays import Incidence


class DenseIncidence:
    """`Incidence` over a tensor of hops, batches of one: sums are products with a 0/1 matrix.

    Args:
        hops: int64 (tunnels, hops), padded with the number of resources.
        resources: anything with one row per resource.
    """

    def __init__(self, hops: torch.Tensor, resources: torch.Tensor) -> None:
        """Fill the matrix, (tunnels, resources)."""
        self.hops, self.n_resources = hops, resources.shape[0]
        filled = resources.new_zeros((hops.shape[0], resources.shape[0] + 1))
        self.matrix = filled.scatter(1, hops, 1.0)[:, :-1]

    def total(self, values: torch.Tensor, axis: int = 0) -> torch.Tensor:
        """As `Incidence.total`; `axis` must be the last but one."""
        del axis
        return (values[..., 0] @ self.matrix)[..., None]

    def spread(self, values: torch.Tensor, axis: int = 0) -> torch.Tensor:
        """As `Incidence.spread`; `axis` must be the last but one."""
        del axis
        return (values[..., 0] @ self.matrix.T)[..., None]

    def least(self, values: torch.Tensor) -> torch.Tensor:
        """As `Incidence.least`."""
        padded = torch.cat([values, torch.full_like(values[:1], torch.inf)])
        least = padded[self.hops].amin(1)
        return torch.where(torch.isinf(least), torch.zeros_like(least), least)


class DecisionGraph(nn.Module):
    """`decided` for a policy; arguments and results are those of `INPUTS` and `OUTPUTS`, B = 1."""

    def __init__(self, policy: Policy) -> None:
        """Take over the weights and the scales of the action."""
        super().__init__()
        self.network = PolicyNetwork(policy.architecture)
        self.network.load(policy.weights)
        self.correction = Correction(policy.tuned.get("action", {}))

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Decide."""
        given: dict[str, Any] = dict(zip(INPUTS, inputs, strict=True))
        paths = DenseIncidence(given["hops"], given["capacity_gbps"])
        network = self.network
        return decided(
            network.weights, network.architecture, self.correction, given, cast("Incidence", paths)
        )
