"""A world: everything random of one episode, drawn before the first decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.scenario.draw_orders import OrderFates
    from bwalloc.scenario.outages import Outages


@dataclass(frozen=True, slots=True)
class World:
    """The exogenous part of one episode; the same whichever allocator plays it.

    `arrivals_gbit` enters each demand's `arrival_slot` substep by substep; `jobs_gbit` (None if no
    demand has jobs) enters the given slots in the first substep of an interval. `capacity_gbps` is
    what each link can carry at the end of an interval; `outages` say when it changes, and are None
    where links never fail; links of spans that are sold are as wide as the largest tier. `fates`
    say what would become of orders, None where nothing is sold. `start_h` is the UTC hour of the
    week (0 = Monday 00:00).
    """

    split: str
    seed: int
    start_h: float
    arrivals_gbit: Float[np.ndarray, "intervals substeps demands"]
    jobs_gbit: Float[np.ndarray, "intervals demands slots"] | None
    capacity_gbps: Float[np.ndarray, "intervals links"]
    outages: Outages | None = None
    fates: OrderFates | None = None
