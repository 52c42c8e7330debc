"""Tunnels: the explicit paths each demand may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, slots=True)
class Tunnels:
    """Up to `tunnels` paths per demand, padded; row order is `Network.demands`.

    `hops[d, k]` lists rows of `Links` in travel order, padded with the number of links (a row
    that no link has). A padded tunnel has `exists` False and no hops.
    """

    hops: Int[np.ndarray, "demands tunnels hops"]
    exists: Bool[np.ndarray, "demands tunnels"]
    delay_ms: Float[np.ndarray, "demands tunnels"]
    egress_usd_per_gbit: Float[np.ndarray, "demands tunnels"]
