"""One decision of a policy from its inputs alone: what an exported file computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.correction import Correction
from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.neural import Architecture, Graph, Weights, act, embed
from bwalloc.arrays import Array, Incidence, namespace

if TYPE_CHECKING:
    from bwalloc.allocate.corrected import CorrectedForecast

FEATURES = ("demands", "tunnels", "links", "globals")
ASKED = ("want_gbps", "weight", "split", "spare_weight")
INPUTS = (*FEATURES, *ASKED, "capacity_gbps", "hops")
"""Features (features, rows, B) by kind, `globals` (features, 1, B); the ask of the base allocator,
(demands, B), its `split` (demands, tunnels, B); capacity (links, B); links of each flat tunnel,
padded with the number of links, int64 (demands * tunnels, hops)."""
OUTPUTS = ("rates_gbps", "action")
"""Feasible rates (demands, tunnels, B) and the action (demands, 3 + tunnels, B)."""


def decided(
    weights: Weights,
    architecture: Architecture,
    correction: Correction,
    given: Mapping[str, Array],
    paths: Incidence,
) -> tuple[Array, Array]:
    """Network, correction and decode.

    Args:
        weights: of the policy network, as `layer_shapes` lists them.
        architecture: what the weights were made for.
        correction: what an action means.
        given: arrays by the names of `INPUTS`.
        paths: incidence of `given["hops"]`.

    Returns:
        Arrays as `OUTPUTS` lists them.
    """
    capacity, split = given["capacity_gbps"], given["split"]
    exists = (given["hops"][:, 0] < paths.n_resources).reshape(split.shape[:2])
    xp = namespace(capacity)
    exists = xp.asarray(exists, dtype=capacity.dtype)
    graph = Graph(paths, exists)
    features = {kind: given[kind] for kind in FEATURES}
    action = act(weights, embed(weights, features, graph, architecture), graph)
    ask = Ask(*(given[name] for name in ASKED))
    return Decoder.over(paths, exists)(correction(ask, action), capacity), action


def inputs_of(corrected: CorrectedForecast, rates_gbps: np.ndarray) -> dict[str, np.ndarray]:
    """The inputs of the decision that is due; `rates_gbps` are the last ones, NumPy only."""
    base, capacity = corrected.base, corrected.readings.capacity_gbps
    given = {**corrected.features(rates_gbps), **{name: getattr(base, name) for name in ASKED}}
    batch = capacity.shape[-1]
    whole = {
        name: np.broadcast_to(values, (*values.shape[:-1], batch)).astype(np.float32)
        for name, values in (given | {"capacity_gbps": capacity}).items()
    }
    return whole | {"hops": corrected.network.flat_hops.astype(np.int64)}
