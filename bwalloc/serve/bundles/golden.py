"""Golden vectors: decisions stored with a bundle, which every runtime must reproduce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.policy.correction import SPAN_PARTS, Correction, action_shape
from bwalloc.allocate.policy.decision import (
    OUTPUTS,
    SPAN_INPUTS,
    SPAN_OUTPUTS,
    TOPOLOGY,
    decided,
    input_names,
    output_names,
)
from bwalloc.arrays import Incidence
from bwalloc.errors import BundleError
from bwalloc.observe import tables_of
from bwalloc.tensors import tensors_from_bytes, tensors_to_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bwalloc.allocate.policy.learned import Policy

TOLERANCE = 1e-5
"""Largest difference of a rate, as a share of the largest capacity; of an action, absolute."""
NO_ROOM_GBPS = 1e-6
"""Stands for the largest capacity where all links are down."""
Decision = Mapping[str, np.ndarray]
"""Arrays by the names of inputs (and outputs), batch last; those of `TOPOLOGY` have no batch."""


def golden_bytes(decisions: Sequence[Decision]) -> bytes:
    """Inputs and outputs of decisions for one network, as they lie in a bundle."""
    first = decisions[0]
    names = _names(spans=SPAN_OUTPUTS[0] in first)
    whole = {
        name: first[name]
        if name in TOPOLOGY
        else np.concatenate([one[name] for one in decisions], -1)
        for name in names
    }
    return tensors_to_bytes(whole)


def _names(*, spans: bool) -> tuple[str, ...]:
    return (*input_names(spans=spans), *output_names(spans=spans))


def golden_decisions(data: bytes, where: str, *, spans: bool = False) -> Decision:
    """What `golden_bytes` stored; `spans` of a policy that orders.

    Raises:
        BundleError: The part cannot be read, an array is missing, or they do not fit each other.
    """
    stored = tensors_from_bytes(data, where)
    for name in _names(spans=spans):
        if name not in stored:
            msg = f"{where}: holds no '{name}'; export the run again."
            raise BundleError(msg)
    _check_shapes(stored, where, spans=spans)
    return stored


def decide_plainly(policy: Policy, given: Decision) -> Decision:
    """What NumPy alone decides."""
    paths = Incidence(given["hops"], given["capacity_gbps"].shape[0])
    correction, spans = Correction(policy.tuned.get("action", {})), policy.architecture.spans
    ordered = Incidence(given["span_of_link"], given["spans"].shape[1]) if spans else None
    outputs = decided(policy.weights, policy.architecture, correction, given, paths, ordered)
    return dict(zip(output_names(spans=spans), outputs, strict=True))


def difference(found: Decision, expected: Decision, capacity_gbps: np.ndarray) -> float:
    """The largest difference in the unit of `TOLERANCE`."""
    rates, *actions = (
        np.abs(found[name] - expected[name]).max(initial=0.0)
        for name in (*OUTPUTS, *SPAN_OUTPUTS)
        if name in found
    )
    widest = max(capacity_gbps.max(), NO_ROOM_GBPS)
    return float(np.max([rates / widest, *actions]))  # `max` would lose what is NaN


def check_golden(policy: Policy, data: bytes, where: str) -> None:
    """Decide the stored decisions again, with NumPy.

    Raises:
        BundleError: A decision differs by more than `TOLERANCE`.
    """
    stored = golden_decisions(data, where, spans=policy.architecture.spans)
    with np.errstate(all="ignore"):
        found = difference(decide_plainly(policy, stored), stored, stored["capacity_gbps"])
    if not found <= TOLERANCE:
        msg = (
            f"{where}: this machine decides otherwise than the exported policy did "
            f"(difference {found:.1e}, allowed {TOLERANCE:.0e}); the weights were changed, or "
            "NumPy is broken."
        )
        raise BundleError(msg)


def _check_shapes(stored: Decision, where: str, *, spans: bool) -> None:
    """Refuse arrays that do not fit each other.

    None may be empty, which hides any other size, but those about spans: some networks sell none.
    """
    sizes = {name: stored[name].shape for name in ("split", "capacity_gbps", "hops")}
    if [len(shape) for shape in sizes.values()] != [3, 2, 2]:
        msg = f"{where}: its arrays do not fit each other ({sizes})."
        raise BundleError(msg)
    (demands, tunnels, batch), links = sizes["split"], sizes["capacity_gbps"][0]
    rows = {"demands": demands, "tunnels": demands * tunnels, "links": links, "globals": 1}
    rows |= {"spans": stored["spans"].shape[1]} if spans and stored["spans"].ndim == 3 else {}
    tables = tables_of(spans=spans)
    wanted = {kind: (len(tables[kind]), count, batch) for kind, count in rows.items()}
    wanted |= dict.fromkeys(("want_gbps", "weight", "spare_weight"), (demands, batch))
    wanted |= dict.fromkeys(("split", "rates_gbps"), (demands, tunnels, batch))
    wanted |= {
        "action": (*action_shape(demands, tunnels), batch),
        "capacity_gbps": (links, batch),
        "hops": (demands * tunnels, sizes["hops"][1]),
    }
    if spans:
        count = rows.get("spans", 0)
        wanted |= {"spans": (len(tables["spans"]), count, batch), "span_of_link": (links, 1)}
        wanted |= {"span_action": (count, len(SPAN_PARTS), batch)}
    for name, shape in wanted.items():
        kind = "int64" if name in TOPOLOGY else "float32"
        found = stored[name]
        is_empty = 0 in shape and name not in ("spans", *SPAN_OUTPUTS)
        if found.shape != shape or is_empty or found.dtype != kind:
            msg = (
                f"{where}: '{name}' is {found.dtype} of shape {found.shape}, expected {kind} of "
                f"{shape}, none of it 0; its arrays do not fit each other."
            )
            raise BundleError(msg)
    most = {"hops": links} | ({SPAN_INPUTS[1]: stored["spans"].shape[1]} if spans else {})
    for name, count in most.items():
        if stored[name].min() < 0 or stored[name].max() > count:
            rows = "links" if name == "hops" else "spans"
            msg = f"{where}: '{name}' names {rows} beyond the {count} there are."
            raise BundleError(msg)
