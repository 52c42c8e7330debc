"""The decision as one torch graph whose topology is an input: what ONNX is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from bwalloc.allocate.policy.correction import Correction
from bwalloc.allocate.policy.decision import decided, input_names
from bwalloc.learn.network import PolicyNetwork

if TYPE_CHECKING:
    from bwalloc.allocate.policy.learned import Policy


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
    """`decided` for a policy; arguments and results are its `input_names` and `output_names`.

    Batches of one.
    """

    def __init__(self, policy: Policy) -> None:
        """Take over the weights and the scales of the action."""
        super().__init__()
        self.network = PolicyNetwork(policy.architecture)
        self.network.load(policy.weights)
        self.correction = Correction(policy.tuned.get("action", {}))

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Decide."""
        network = self.network
        spans = network.architecture.spans
        given: dict[str, Any] = dict(zip(input_names(spans=spans), inputs, strict=True))
        paths: Any = DenseIncidence(given["hops"], given["capacity_gbps"])
        ordered: Any = None
        if spans:
            ordered = DenseIncidence(given["span_of_link"], given["spans"][0])
        return decided(
            network.weights, network.architecture, self.correction, given, paths, ordered
        )
