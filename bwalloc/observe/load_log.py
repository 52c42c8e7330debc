"""What was offered second by second on the train split, as ingress agents would have logged it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.scenario import World


@dataclass(frozen=True, slots=True)
class LoadLog:
    """Load by substep, in half precision: three digits are more than an agent measures.

    `start_h` is the UTC hour since Monday at which an episode starts.
    """

    load_gbps: Float[np.ndarray, "episodes intervals substeps demands"]
    start_h: Float[np.ndarray, " episodes"]

    @property
    def substeps(self) -> int:
        """Substeps in an interval."""
        return self.load_gbps.shape[2]

    def hour_of_day(self, interval_s: float) -> np.ndarray:
        """UTC hour in which each interval starts, int (episodes, intervals)."""
        ahead_h = np.arange(self.load_gbps.shape[1]) * interval_s / 3600.0
        return ((self.start_h[:, None] + ahead_h) % 24.0).astype(int)


def no_log(demands: int) -> LoadLog:
    """Nothing was logged."""
    return LoadLog(np.zeros((0, 0, 1, demands), np.float16), np.zeros(0))


def logged(worlds: Sequence[World], interval_s: float) -> LoadLog:
    """The log of worlds of one scenario; a job arrives in the first substep of its interval."""
    substep_s = interval_s / worlds[0].arrivals_gbit.shape[1]
    load = np.stack([_load_gbps(world, substep_s) for world in worlds])
    return LoadLog(load, np.array([world.start_h for world in worlds], np.float64))


def _load_gbps(world: World, substep_s: float) -> np.ndarray:
    gbit = world.arrivals_gbit
    if world.jobs_gbit is not None:
        gbit = gbit.copy()
        gbit[:, 0] += world.jobs_gbit.sum(2)
    return np.minimum(gbit / np.float32(substep_s), MOST_GBPS).astype(np.float16)


MOST_GBPS = np.float32(60_000.0)
"""Half precision ends a little above."""
