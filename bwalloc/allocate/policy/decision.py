"""One decision of a policy from its inputs alone: what an exported file computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.policy.correction import Correction
from bwalloc.allocate.policy.neural import (
    Architecture,
    Graph,
    Weights,
    act,
    act_spans,
    embed,
    spans_of_links,
)
from bwalloc.arrays import Array, Incidence, namespace

if TYPE_CHECKING:
    from bwalloc.allocate.policy.corrected import CorrectedForecast

FEATURES = ("demands", "tunnels", "links", "globals")
ASKED = ("want_gbps", "weight", "split", "spare_weight")
INPUTS = (*FEATURES, *ASKED, "capacity_gbps", "hops")
"""Features (features, rows, B) by kind, `globals` (features, 1, B); the ask of the base allocator,
(demands, B), its `split` (demands, tunnels, B); capacity (links, B); links of each flat tunnel,
padded with the number of links, int64 (demands * tunnels, hops)."""
OUTPUTS = ("rates_gbps", "action")
"""Feasible rates (demands, tunnels, B) and the action (demands, 3 + tunnels, B)."""
SPAN_INPUTS = ("spans", "span_of_link")
"""Inputs of a policy that orders, behind `INPUTS`: features (features, spans, B); row of the span
of each link, the number of spans where it is not sold, int64 (links, 1)."""
SPAN_OUTPUTS = ("span_action",)
"""Its output behind `OUTPUTS`: the action about spans, (spans, 2, B)."""
TOPOLOGY = ("hops", "span_of_link")
"""Inputs that are int64 and have no batch."""


def input_names(*, spans: bool) -> tuple[str, ...]:
    """Inputs of a decision; `spans` of a policy that orders."""
    return (*INPUTS, *SPAN_INPUTS) if spans else INPUTS


def output_names(*, spans: bool) -> tuple[str, ...]:
    """Outputs of a decision; `spans` of a policy that orders."""
    return (*OUTPUTS, *SPAN_OUTPUTS) if spans else OUTPUTS


def decided(
    weights: Weights,
    architecture: Architecture,
    correction: Correction,
    given: Mapping[str, Array],
    paths: Incidence,
    ordered: Incidence | None = None,
) -> tuple[Array, ...]:
    """Network, correction and decode.

    Args:
        weights: of the policy network, as `layer_shapes` lists them.
        architecture: what the weights were made for.
        correction: what an action means.
        given: arrays by the names of `input_names`.
        paths: incidence of `given["hops"]`.
        ordered: incidence of `given["span_of_link"]`, for a policy that orders.

    Returns:
        Arrays as `output_names` lists them.
    """
    capacity, split = given["capacity_gbps"], given["split"]
    exists = (given["hops"][:, 0] < paths.n_resources).reshape(split.shape[:2])
    xp = namespace(capacity)
    exists = xp.asarray(exists, dtype=capacity.dtype)
    graph = Graph(paths, exists, ordered)
    kinds = (*FEATURES, "spans") if architecture.spans else FEATURES
    embedding = embed(weights, {kind: given[kind] for kind in kinds}, graph, architecture)
    action, about = act(weights, embedding, graph), act_spans(weights, embedding)
    ask = Ask(*(given[name] for name in ASKED))
    rates = Decoder.over(paths, exists)(correction(ask, action), capacity)
    return (rates, action) if about is None else (rates, action, about)


def inputs_of(corrected: CorrectedForecast, rates_gbps: np.ndarray) -> dict[str, np.ndarray]:
    """The inputs of the decision that is due; `rates_gbps` are the last ones, NumPy only.

    Those of a policy that orders where spans are seen.
    """
    base, capacity = corrected.base, corrected.readings.capacity_gbps
    given = {**corrected.features(rates_gbps), **{name: getattr(base, name) for name in ASKED}}
    batch = capacity.shape[-1]
    whole: dict[str, np.ndarray] = {
        name: np.broadcast_to(values, (*values.shape[:-1], batch)).astype(np.float32)
        for name, values in (given | {"capacity_gbps": capacity}).items()
    }
    whole["hops"] = corrected.network.flat_hops.astype(np.int64)
    if corrected.span_observer is not None:
        whole["span_of_link"], _ = spans_of_links(corrected.network)
    return whole
