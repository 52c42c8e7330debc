"""Golden vectors: decisions stored with a bundle, which every runtime must reproduce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.correction import Correction
from bwalloc.allocate.decision import INPUTS, OUTPUTS, decided
from bwalloc.arrays import Incidence
from bwalloc.errors import BundleError
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
        BundleError: The part cannot be read, or an array is missing.
    """
    stored = tensors_from_bytes(data, where)
    for name in (*INPUTS, *OUTPUTS):
        if name not in stored:
            msg = f"{where}: holds no '{name}'; export the run again."
            raise BundleError(msg)
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
    return float(max(rates / capacity_gbps.max(), action))


def check_golden(policy: Policy, data: bytes, where: str) -> None:
    """Decide the stored decisions again, with NumPy.

    Raises:
        BundleError: A decision differs by more than `TOLERANCE`.
    """
    stored = golden_decisions(data, where)
    try:
        found = difference(decide_plainly(policy, stored), stored, stored["capacity_gbps"])
    except (ValueError, IndexError) as error:
        msg = f"{where}: its arrays do not fit each other ({error})."
        raise BundleError(msg) from None
    if not found <= TOLERANCE:
        msg = (
            f"{where}: this machine decides otherwise than the exported policy did "
            f"(difference {found:.1e}, allowed {TOLERANCE:.0e}); the weights were changed, or "
            "NumPy is broken."
        )
        raise BundleError(msg)
