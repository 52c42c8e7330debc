"""The usual day of demands: what rules that order capacity expect of the hours to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.observe.history import measured
from bwalloc.scenario import train_worlds

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.scenario import Scenario

KEPT = 256
"""Usual days kept at a time in one process."""
_DAYS: dict[tuple[str, int, int], UsualDay] = {}


@dataclass(frozen=True, slots=True)
class UsualDay:
    """Mean load by UTC hour of day, Gbit/s, of demands by name."""

    demands: tuple[str, ...]
    hourly_gbps: Float[np.ndarray, "hours demands"]

    def of(self, demands: Sequence[str]) -> Float[np.ndarray, "hours wanted"]:
        """The usual day of these demands; 0 all day, which is taken as even, of unknown ones."""
        rows = {name: row for row, name in enumerate(self.demands)}
        found = np.array([rows.get(name, -1) for name in demands], np.int64)
        padded = np.concatenate([self.hourly_gbps, np.zeros((24, 1))], 1)
        return padded[:, found]


def even_day(demands: Sequence[str]) -> UsualDay:
    """No record: every hour is like any other."""
    return UsualDay(tuple(demands), np.zeros((24, len(demands))))


def usual_day(scenario: Scenario) -> UsualDay:
    """The usual day by the record of the train split, drawn once per process.

    Where nothing can be ordered nobody asks for it, and it is even.
    """
    if scenario.network.offers is None:
        return even_day(scenario.network.demands.name)
    key = (scenario.digest, scenario.workload.entropy, scenario.record_episodes)
    if key not in _DAYS:
        if len(_DAYS) >= KEPT:
            _DAYS.pop(next(iter(_DAYS)))
        record = measured(train_worlds(scenario), scenario.timing.interval_s)
        _DAYS[key] = UsualDay(scenario.network.demands.name, record.hourly_gbps)
    return _DAYS[key]
