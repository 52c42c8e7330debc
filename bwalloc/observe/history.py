"""The record of the train split: what an operator would have logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.observe.load_log import LoadLog, logged, no_log

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.scenario import World


@dataclass(frozen=True, slots=True)
class History:
    """Interval means of each demand on the train split, as an operator would have logged them.

    `hourly_gbps` is the mean by UTC hour of day; `p99_gbps` and `peak_gbps` are of interval means.
    `log` holds the loads themselves, by substep.
    """

    mean_gbps: Float[np.ndarray, " demands"]
    p95_gbps: Float[np.ndarray, " demands"]
    p99_gbps: Float[np.ndarray, " demands"]
    peak_gbps: Float[np.ndarray, " demands"]
    hourly_gbps: Float[np.ndarray, "hours demands"]
    log: LoadLog


def no_history(demands: int) -> History:
    """A record of nothing, for allocators that look at recent intervals only."""
    nothing = np.zeros(demands)
    return History(nothing, nothing, nothing, nothing, np.zeros((24, demands)), no_log(demands))


def measured(worlds: Sequence[World], interval_s: float) -> History:
    """The record of worlds of the train split.

    Args:
        worlds: episodes of one scenario, starting at different hours.
        interval_s: length of an interval.
    """
    means = [_interval_means(world, interval_s) for world in worlds]
    hours = [
        ((world.start_h + np.arange(len(mean)) * interval_s / 3600.0) % 24).astype(int)
        for world, mean in zip(worlds, means, strict=True)
    ]
    rows, hour = np.concatenate(means), np.concatenate(hours)
    overall = rows.mean(0)
    hourly = np.stack(
        [rows[hour == h].mean(0) if (hour == h).any() else overall for h in range(24)]
    )
    return History(
        mean_gbps=overall,
        p95_gbps=np.quantile(rows, 0.95, axis=0),
        p99_gbps=np.quantile(rows, 0.99, axis=0),
        peak_gbps=rows.max(0),
        hourly_gbps=hourly,
        log=logged(worlds, interval_s),
    )


def _interval_means(world: World, interval_s: float) -> np.ndarray:
    gbit = world.arrivals_gbit.sum(1)
    if world.jobs_gbit is not None:
        gbit = gbit + world.jobs_gbit.sum(2)
    return gbit / interval_s
