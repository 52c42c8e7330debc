"""The policy network as a torch module: it owns the weights of `allocate.policy.neural`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from bwalloc.allocate.policy.neural import (
    Architecture,
    Graph,
    act,
    act_spans,
    embed,
    layer_shapes,
)
from bwalloc.observe import tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from bwalloc.observe import Feature

FIRST = 0.01
"""Scale of the last layer at the start: actions begin close to 0, the base allocator."""
WIDE, EVEN = 6.0, 3.0
"""A feature that reaches beyond `WIDE` begins with weights as if it reached to `EVEN`: otherwise it
drowns the others, and the first updates stray."""
SILENT = "span.out"
"""The last layer of spans begins at 0: a tier is a step, which a small action may take."""


class PolicyNetwork(nn.Module):
    """Weights of `allocate.policy.neural`, initialised so that its first actions are small."""

    def __init__(self, architecture: Architecture, seed: int = 0) -> None:
        """Draw the weights: uniform with variance 1 / channels in. Ref: LeCun et al. (1998)."""
        super().__init__()
        self.architecture = architecture
        self.layers = drawn_layers(layer_shapes(architecture), seed)
        with torch.no_grad():
            _even_out(self.layers[_key("demand.in.weight")], tables_of(spans=architecture.spans))

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """The weights by the names of `allocate.policy.neural`."""
        return named_weights(self.layers)

    def load(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take over weights; their names and shapes must be those of the architecture."""
        state = {_key(name): torch.as_tensor(value) for name, value in weights.items()}
        self.layers.load_state_dict(state)

    def numpy(self) -> dict[str, np.ndarray]:
        """A copy of the weights, as `Learned` takes them."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self.weights.items()}

    def forward(self, features: Mapping[str, torch.Tensor], graph: Graph) -> Any:
        """The action for features, (demands, 3 + tunnels, B)."""
        return self.both(features, graph)[0]

    def both(
        self, features: Mapping[str, torch.Tensor], graph: Graph
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The action, and that about spans, (spans, 2, B), or None if it does not see them."""
        weights = self.weights
        embedding = embed(weights, features, graph, self.architecture)
        return act(weights, embedding, graph), act_spans(weights, embedding)


def drawn_layers(shapes: Mapping[str, tuple[int, int]], seed: int) -> nn.ParameterDict:
    """Weights and biases of layers by name, (channels out, channels in)."""
    generator = torch.Generator().manual_seed(seed)
    layers = nn.ParameterDict()
    for name, (rows, columns) in shapes.items():
        reach = math.sqrt(3.0 / columns) * (FIRST if name.endswith(".out") else 1.0)
        weight = (2 * torch.rand(rows, columns, generator=generator) - 1) * reach
        weight = weight * 0 if name == SILENT else weight
        layers[_key(f"{name}.weight")] = nn.Parameter(weight)
        layers[_key(f"{name}.bias")] = nn.Parameter(torch.zeros(rows))
    return layers


def _even_out(weight: torch.Tensor, tables: Mapping[str, Sequence[Feature]]) -> None:
    """Shrink the first weights of features of demands that reach far, (hidden, features)."""
    for column, feature in enumerate(tables["demands"]):
        reach = max(abs(feature.low), abs(feature.high))
        if reach > WIDE:
            weight[:, column] *= EVEN / reach


def named_weights(layers: nn.ParameterDict) -> dict[str, torch.Tensor]:
    """What `drawn_layers` made, by the names of `allocate.policy.neural`."""
    return {_name(key): value for key, value in layers.items()}


def _key(name: str) -> str:
    return name.replace(".", "/")  # torch allows no dots in the names of parameters


def _name(key: str) -> str:
    return key.replace("/", ".")
