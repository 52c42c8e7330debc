"""Golden vectors: decisions stored with a bundle, which every runtime must reproduce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.correction import Correction, action_shape
from bwalloc.allocate.decision import INPUTS, OUTPUTS, decided
from bwalloc.arrays import Incidence
from bwalloc.errors import BundleError
from bwalloc.observe import TABLES
from bwalloc.tensors import tensors_from_bytes, tensors_to_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bwalloc.allocate.learned import Policy

TOLERANCE = 1e-5
"""Largest difference of a rate, as a share of the largest capacity; of an action, absolute."""
Decision = Mapping[str, np.ndarray]
"""Arrays by the names of `INPUTS` (and `OUTPUTS`), batch last; `hops` has no batch."""


def golden_bytes(decisions: Sequence[Decision]) -> bytes:
    """Inputs and outputs of decisions for one network, as they lie in a bundle."""
    names = [name for name in (*INPUTS, *OUTPUTS) if name != "hops"]
    whole = {name: np.concatenate([one[name] for one in decisions], -1) for name in names}
    return tensors_to_bytes({**whole, "hops": decisions[0]["hops"]})


def golden_decisions(data: bytes, where: str) -> Decision:
    """What `golden_bytes` stored.

    Raises:
        BundleError: The part cannot be read, an array is missing, or they do not fit each other.
    """
    stored = tensors_from_bytes(data, where)
    for name in (*INPUTS, *OUTPUTS):
        if name not in stored:
            msg = f"{where}: holds no '{name}'; export the run again."
            raise BundleError(msg)
    _check_shapes(stored, where)
    return stored


def decide_plainly(policy: Policy, given: Decision) -> Decision:
    """What NumPy alone decides."""
    paths = Incidence(given["hops"], given["capacity_gbps"].shape[0])
    correction = Correction(policy.tuned.get("action", {}))
    outputs = decided(policy.weights, policy.architecture, correction, given, paths)
    return dict(zip(OUTPUTS, outputs, strict=True))


def difference(found: Decision, expected: Decision, capacity_gbps: np.ndarray) -> float:
    """The largest difference in the unit of `TOLERANCE`."""
    rates, action = (np.abs(found[name] - expected[name]).max() for name in OUTPUTS)
    return float(np.max([rates / capacity_gbps.max(), action]))  # `max` would lose what is NaN


def check_golden(policy: Policy, data: bytes, where: str) -> None:
    """Decide the stored decisions again, with NumPy.

    Raises:
        BundleError: A decision differs by more than `TOLERANCE`.
    """
    stored = golden_decisions(data, where)
    with np.errstate(all="ignore"):
        found = difference(decide_plainly(policy, stored), stored, stored["capacity_gbps"])
    if not found <= TOLERANCE:
        msg = (
            f"{where}: this machine decides otherwise than the exported policy did "
            f"(difference {found:.1e}, allowed {TOLERANCE:.0e}); the weights were changed, or "
            "NumPy is broken."
        )
        raise BundleError(msg)


def _check_shapes(stored: Decision, where: str) -> None:
    """Refuse arrays that do not fit each other; none may be empty, which hides any other size."""
    sizes = {name: stored[name].shape for name in ("split", "capacity_gbps", "hops")}
    if [len(shape) for shape in sizes.values()] != [3, 2, 2]:
        msg = f"{where}: its arrays do not fit each other ({sizes})."
        raise BundleError(msg)
    (demands, tunnels, batch), links = sizes["split"], sizes["capacity_gbps"][0]
    rows = {"demands": demands, "tunnels": demands * tunnels, "links": links, "globals": 1}
    wanted = {kind: (len(TABLES[kind]), count, batch) for kind, count in rows.items()}
    wanted |= dict.fromkeys(("want_gbps", "weight", "spare_weight"), (demands, batch))
    wanted |= dict.fromkeys(("split", "rates_gbps"), (demands, tunnels, batch))
    wanted |= {
        "action": (*action_shape(demands, tunnels), batch),
        "capacity_gbps": (links, batch),
        "hops": (demands * tunnels, sizes["hops"][1]),
    }
    for name, shape in wanted.items():
        kind = "int64" if name == "hops" else "float32"
        found = stored[name]
        if found.shape != shape or 0 in shape or found.dtype != kind:
            msg = (
                f"{where}: '{name}' is {found.dtype} of shape {found.shape}, expected {kind} of "
                f"{shape}, none of it 0; its arrays do not fit each other."
            )
            raise BundleError(msg)
    if stored["hops"].min() < 0 or stored["hops"].max() > links:
        msg = f"{where}: 'hops' names links beyond the {links} there are."
        raise BundleError(msg)
