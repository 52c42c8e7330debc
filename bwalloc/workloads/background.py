"""Background: the rest of an enterprise's traffic, in no hurry and worth little."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bwalloc.workloads.columns import Column, as_column, check_column, check_words
from bwalloc.workloads.ou import log_ou, mean_one
from bwalloc.workloads.seasons import SEASONS, season_factors

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from bwalloc.workloads.clock import Clock


@dataclass(frozen=True, slots=True)
class BackgroundSpec:
    """Demands of a mean rate that wanders over half a day.

    Attributes:
        demands: Name of each demand.
        mean_gbps: Mean rate on the wire.
        cv: Coefficient of variation. Hourly matrices of Abilene (YATES copy): .22 to .25.
        acf_1h: Correlation with an hour before; same source.
        season: Season of each demand, of `bwalloc.workloads.seasons.SEASONS`.
        utc_offset_h: Local time less UTC.
    """

    demands: tuple[str, ...]
    mean_gbps: Column
    cv: float = 0.22
    acf_1h: float = 0.92
    season: tuple[str, ...] = ()
    utc_offset_h: Column = 0.0

    def __post_init__(self) -> None:
        n = len(self.demands)
        object.__setattr__(self, "season", self.season or ("flat",) * n)
        check_words("season", self.season, n, SEASONS)
        check_column("mean_gbps", self.mean_gbps, n)
        check_column("cv", self.cv, n, 0.0, 3.0)
        check_column("acf_1h", self.acf_1h, n, 1e-6, 1.0 - 1e-6)
        check_column("utc_offset_h", self.utc_offset_h, n, -14.0, 14.0)


def draw(
    rng: np.random.Generator, spec: BackgroundSpec, clock: Clock
) -> Float[np.ndarray, "steps demands"]:
    """Gbit that arrive in each step.

    Args:
        rng: Parent of one child, for the level.
        spec: Demands.
        clock: Steps to draw.
    """
    (level,) = rng.spawn(1)
    n, knots = len(spec.demands), clock.knots()
    sd = math.sqrt(math.log(1.0 + spec.cv**2))
    tau_s = -3600.0 / math.log(spec.acf_1h)
    gbps = mean_one(log_ou(level, knots, sd, tau_s, n), sd)
    gbps *= season_factors(spec.season, spec.utc_offset_h, knots)
    gbps *= as_column(spec.mean_gbps, n) * clock.step_s
    return clock.between_knots(gbps)
