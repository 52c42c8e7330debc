"""The policy network: features in, action out; written once for NumPy and torch.

Demands, tunnels, links and, where capacity is ordered, spans each have an encoder, and exchange
messages over their incidence; every weight is shared by all rows of a kind, so the network fits any
topology and any set of demands.
Arrays are (channels, rows, B): one matrix product per layer, the batch last.
Ref: Gilmer et al., Neural Message Passing, ICML 2017; actions correct a base allocator, so that
a network whose last layer is zero IS that allocator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate.policy.correction import PARTS, SPAN_PARTS
from bwalloc.arrays import Array, Incidence, joined, like, namespace, short_sum, silu
from bwalloc.observe import tables_of

if TYPE_CHECKING:
    from bwalloc.network import Network

HISTORY = ("fast", "medium", "deviation", "burst", "phase", "until", "gap", "uneven")
"""Features of a demand that remember more than the last interval."""
MOST_HIDDEN, MOST_ROUNDS = 256, 16
"""Larger networks are refused, in recipes and in bundles."""
Weights = Mapping[str, Array]
"""Arrays by name, as `layer_shapes` lists them."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What the shapes of the weights follow from.

    Attributes:
        hidden: channels of every encoder.
        rounds: rounds of message passing; 0 leaves every row to itself.
        history: whether features that remember more than the last interval are seen.
        spans: whether everything is seen: rhythms, works, and spans that are sold, which are
            answered.
    """

    hidden: int = 32
    rounds: int = 2
    history: bool = True
    spans: bool = False

    @property
    def latest(self) -> np.ndarray:
        """1 for the features of a demand that are seen without history, (features, 1, 1)."""
        names = [feature.name for feature in tables_of(spans=self.spans)["demands"]]
        return np.array([name not in HISTORY for name in names], np.float32)[:, None, None]


class Graph:
    """Who touches whom in one network: what the messages travel over.

    Args:
        crosses: which links each flat tunnel crosses.
        exists: 1 for the tunnels that exist, else 0, float (demands, tunnels).
        ordered: which span that is sold each link belongs to, as an incidence of links; None where
            nobody asks.
    """

    def __init__(self, crosses: Incidence, exists: Array, ordered: Incidence | None = None) -> None:
        """Count the neighbours of every row: messages are averages."""
        xp = namespace(exists)
        self.shape, self.crosses = exists.shape, crosses
        tunnels = exists.reshape(-1, 1) * 0 + 1
        links = xp.ones((crosses.n_resources, 1), dtype=exists.dtype)
        self.per_link = 1.0 / crosses.total(tunnels).clip(1)[None]
        self.per_tunnel = 1.0 / crosses.spread(links).clip(1)[None]
        self.exists = exists[None, :, :, None]
        self.per_demand = 1.0 / self.exists.sum(2).clip(1)
        is_real = xp.amax(exists, 1)
        self.share = (is_real / is_real.sum().clip(1))[None, None]
        self.ordered = ordered
        if ordered is not None:
            self.per_span = 1.0 / ordered.total(links).clip(1)[None]
            one = self.per_span.reshape(1, 1, -1) * 0 + 1
            self.share_of_spans = one / one.sum().clip(1)

    @classmethod
    def of(cls, network: Network) -> Graph:
        """The graph of a network, on NumPy."""
        crosses = Incidence(network.flat_hops, network.n_links)
        span_of, count = spans_of_links(network)
        exists = network.tunnels.exists.astype(np.float32)
        return cls(crosses, exists, Incidence(span_of, count))

    def to_links(self, tunnels: Array) -> Array:
        """Mean over the tunnels on each link."""
        return self.crosses.total(tunnels, 1) * like(self.per_link, tunnels)

    def to_tunnels(self, links: Array) -> Array:
        """Mean over the links of each tunnel."""
        return self.crosses.spread(links, 1) * like(self.per_tunnel, links)

    def to_spans(self, links: Array) -> Array:
        """Mean over the links of each span that is sold."""
        assert self.ordered is not None
        return self.ordered.total(links, 1) * like(self.per_span, links)

    def mean_of_spans(self, spans: Array) -> Array:
        """Mean over all spans that are sold, as one row; 0 where there are none."""
        return like(self.share_of_spans, spans) @ spans

    def from_spans(self, spans: Array) -> Array:
        """The span of each link, 0 where it is not sold."""
        assert self.ordered is not None
        return self.ordered.spread(spans, 1)

    def to_demands(self, tunnels: Array) -> Array:
        """Mean over the tunnels of each demand."""
        by_demand = tunnels.reshape(len(tunnels), *self.shape, -1) * like(self.exists, tunnels)
        return short_sum(by_demand, 2) * like(self.per_demand, tunnels)

    def repeated(self, demands: Array) -> Array:
        """Each demand's row once per tunnel."""
        channels, rows, batch = demands.shape
        wide = (channels, rows, self.shape[1], batch)
        repeated = namespace(demands).broadcast_to(demands[:, :, None], wide)
        return repeated.reshape(channels, rows * self.shape[1], batch)

    def mean(self, demands: Array) -> Array:
        """Mean over all demands, as one row."""
        return like(self.share, demands) @ demands


def spans_of_links(network: Network) -> tuple[np.ndarray, int]:
    """Row of the span of each link, the number of spans where it is not sold; and that number.

    Returns:
        int64 (links, 1), and how many spans are sold.
    """
    offers = network.offers
    if offers is None:
        return np.zeros((network.n_links, 1), np.int64), 0
    count, menu = len(offers.span), offers.links_of(network.links)
    return np.where(menu < 0, count, menu)[:, None].astype(np.int64), count


def layer_shapes(
    architecture: Architecture, inputs: Mapping[str, int] | None = None
) -> dict[str, tuple[int, int]]:
    """Layers by name, (channels out, channels in); each has a weight and a bias.

    Args:
        architecture: what is built.
        inputs: channels in by kind of row; those of `TABLES`, unless other features are seen.
    """
    h, spans = architecture.hidden, architecture.spans
    tables = tables_of(spans=spans)
    sizes = inputs or {kind: len(table) for kind, table in tables.items()}
    shapes = {
        "demand.in": (h, sizes["demands"] + sizes["globals"]),
        "tunnel.in": (h, sizes["tunnels"] + h),
        "link.in": (h, sizes["links"]),
    }
    if spans:
        shapes["span.in"] = (h, sizes["spans"] + sizes["globals"])
    for number in range(architecture.rounds):
        shapes[f"link.{number}"] = (h, (2 + spans) * h)
        if spans:
            shapes[f"span.{number}"] = (h, 3 * h)
        shapes[f"tunnel.{number}"] = (h, 3 * h)
        shapes[f"demand.{number}"] = (h, 3 * h)
    shapes |= {"demand.out": (len(PARTS) - 1, h), "tunnel.out": (1, h)}
    return shapes | ({"span.out": (len(SPAN_PARTS), h)} if spans else {})


@dataclass(frozen=True, slots=True)
class Embedding:
    """Rows after the message passing, (hidden, rows, B)."""

    demands: Array
    tunnels: Array
    links: Array
    spans: Array | None = None


def embed(
    weights: Weights, features: Mapping[str, Array], graph: Graph, architecture: Architecture
) -> Embedding:
    """Encode every row, and let rows talk to their neighbours.

    Args:
        weights: of `layer_shapes`.
        features: of `Observer`, (features, rows, B) by kind.
        graph: of the network the features are about.
        architecture: what the weights were made for.
    """
    seen = features["demands"]
    if not architecture.history:
        seen = seen * like(architecture.latest, seen)
    demands = _layer(weights, "demand.in", (seen, None), (features["globals"], None))
    links = _layer(weights, "link.in", (features["links"], None))
    spans = None
    if architecture.spans:
        everywhere = (features["globals"], None)
        spans = _layer(weights, "span.in", (features["spans"], None), everywhere)
    tunnels = _layer(
        weights, "tunnel.in", (features["tunnels"], None), (demands, graph.repeated)
    )  # fmt: skip
    for number in range(architecture.rounds):
        heard = [(links, None), (graph.to_links(tunnels), None)]
        heard += [] if spans is None else [(spans, graph.from_spans)]
        links = links + _layer(weights, f"link.{number}", *heard)
        if spans is not None:
            told = [(graph.to_spans(links), None), (graph.mean_of_spans(spans), None)]
            spans = spans + _layer(weights, f"span.{number}", (spans, None), *told)
        tunnels = tunnels + _layer(
            weights, f"tunnel.{number}",
            (tunnels, None), (links, graph.to_tunnels), (demands, graph.repeated),
        )  # fmt: skip
        demands = demands + _layer(
            weights, f"demand.{number}",
            (demands, None), (graph.to_demands(tunnels), None), (graph.mean(demands), None),
        )  # fmt: skip
    return Embedding(demands, tunnels, links, spans)


def act(weights: Weights, embedding: Embedding, graph: Graph) -> Array:
    """The action in (-1, 1), (demands, 3 + tunnels, B), as `Correction` takes it."""
    answer = answered(weights, embedding, graph)
    return namespace(answer).tanh(answer)


def act_spans(weights: Weights, embedding: Embedding) -> Array | None:
    """The action about spans in (-1, 1), (spans, 2, B), as `GatedOrders` takes it.

    None where the network does not see them.
    """
    answer = answered_spans(weights, embedding)
    return None if answer is None else namespace(answer).tanh(answer)


def answered_spans(weights: Weights, embedding: Embedding) -> Array | None:
    """The action about spans before it is squashed, (spans, 2, B)."""
    if embedding.spans is None:
        return None
    answer = _linear(weights, "span.out", (embedding.spans, None))
    return namespace(answer).swapaxes(answer, 0, 1)


def answered(weights: Weights, embedding: Embedding, graph: Graph) -> Array:
    """The action before it is squashed, (demands, 3 + tunnels, B)."""
    xp = namespace(embedding.demands)
    per_demand = xp.swapaxes(_linear(weights, "demand.out", (embedding.demands, None)), 0, 1)
    per_tunnel = _linear(weights, "tunnel.out", (embedding.tunnels, None))
    return joined(per_demand, per_tunnel.reshape(*graph.shape, -1))


def _layer(weights: Weights, name: str, *voices: Voice) -> Array:
    return silu(_linear(weights, name, *voices))


def _linear(weights: Weights, name: str, *voices: Voice) -> Array:
    """One linear layer on the voices' channels together, each carried to its rows afterwards.

    Averages and repetitions are linear, so they commute with the matrix: it works on the fewer
    rows.
    """
    weight = weights[f"{name}.weight"]
    total, first = weights[f"{name}.bias"][:, None, None], 0
    for values, carry in voices:
        block = weight[:, first : first + len(values)]
        first += len(values)
        spoken = (block @ values.reshape(len(values), -1)).reshape(len(weight), *values.shape[1:])
        total = total + (spoken if carry is None else carry(spoken))
    return total


Voice = tuple[Any, Callable[[Any], Any] | None]
"""Rows that speak, (channels, rows, B), and what brings them to the rows that listen."""
