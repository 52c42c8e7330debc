"""The decision as one torch graph whose topology is an input: what ONNX is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from bwalloc.allocate.correction import Correction
from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.neural import Graph, act, embed
from bwalloc.arrays import Incidence
from bwalloc.learn.network import PolicyNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bwalloc.allocate.learned import Policy

INPUTS = (
    "demands", "tunnels", "links", "globals",
    "want_gbps", "weight", "split", "spare_weight", "capacity_gbps", "hops",
)  # fmt: skip
"""Inputs of the graph: features (features, rows) by kind; the ask of the base allocator,
(demands,) and `split` (demands, tunnels); capacity (links,); links of each flat tunnel, padded with
the number of links, int64 (demands * tunnels, hops)."""
OUTPUTS = ("rates_gbps", "action")
"""Outputs: feasible rates (demands, tunnels) and the action (demands, 3 + tunnels)."""


class PaddedIncidence:
    """`Incidence` over a tensor of hops: every entry is summed, padded ones into a row of waste.

    Args:
        hops: int64 (tunnels, hops), padded with `n_resources`.
        n_resources: number of resources.
    """

    def __init__(self, hops: torch.Tensor, n_resources: int) -> None:
        """Number the tunnel of every entry."""
        self.hops, self.n_resources = hops, n_resources
        tunnels = torch.arange(hops.shape[0])[:, None].expand(hops.shape)
        self.tunnel, self.resource = tunnels.reshape(-1), hops.reshape(-1)

    def total(self, values: torch.Tensor, axis: int = 0) -> torch.Tensor:
        """As `Incidence.total`."""
        shape = list(values.shape)
        shape[axis] = self.n_resources + 1
        entries = values.index_select(axis, self.tunnel)
        whole = values.new_zeros(shape).index_add(axis, self.resource, entries)
        return whole.narrow(axis, 0, self.n_resources)

    def spread(self, values: torch.Tensor, axis: int = 0) -> torch.Tensor:
        """As `Incidence.spread`."""
        shape = list(values.shape)
        shape[axis] = 1
        padded = torch.cat([values, values.new_zeros(shape)], axis)
        shape[axis : axis + 1] = list(self.hops.shape)
        return padded.index_select(axis, self.resource).reshape(shape).sum(axis + 1)

    def least(self, values: torch.Tensor) -> torch.Tensor:
        """As `Incidence.least`."""
        padded = torch.cat([values, torch.full_like(values[:1], torch.inf)])
        least = padded[self.hops].amin(1)
        return torch.where(torch.isinf(least), torch.zeros_like(least), least)


class TracedDecoder(Decoder):
    """`Decoder` over an incidence of tensors."""

    def __init__(self, paths: PaddedIncidence, exists: torch.Tensor) -> None:
        """Take over the incidence; `exists` is float (demands, tunnels)."""
        self.compiled, self.shape = False, exists.shape
        self.exists = cast("Any", exists[:, :, None])
        self.paths = cast("Incidence", paths)


class TracedCorrection(Correction):
    """`Correction` with given scales, for any network."""

    def __init__(self, scale: Mapping[str, float]) -> None:
        """Take over the scales."""
        self.scale = dict(scale)


class DecisionGraph(nn.Module):
    """From features and the base allocator's ask to feasible rates: network, correction, decode."""

    def __init__(self, policy: Policy, scale: Mapping[str, float]) -> None:
        """Take over the weights and the scales of the action."""
        super().__init__()
        self.network = PolicyNetwork(policy.architecture)
        self.network.load(policy.weights)
        self.correction = TracedCorrection(scale)

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Decide; arguments as in `INPUTS`, results as in `OUTPUTS`."""
        given = dict(zip(INPUTS, inputs, strict=True))
        hops, capacity = given["hops"], given["capacity_gbps"][:, None]
        paths = PaddedIncidence(hops, capacity.shape[0])
        exists = (hops[:, 0] < capacity.shape[0]).to(capacity.dtype).reshape(given["split"].shape)
        graph = Graph(cast("Incidence", paths), exists)
        features = {kind: given[kind][:, :, None] for kind in ("demands", "tunnels", "links")}
        features["globals"] = given["globals"][:, None, None]
        weights = self.network.weights
        embedding = embed(weights, features, graph, self.network.architecture)
        action = act(weights, embedding, graph)
        ask = Ask(*(given[name][..., None] for name in INPUTS[4:8]))
        rates = TracedDecoder(paths, exists)(self.correction(ask, action), capacity)
        return rates[:, :, 0], action[:, :, 0]
