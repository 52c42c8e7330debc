"""Demands: aggregates from one site to another of one traffic class and tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True, slots=True)
class Demands:
    """What asks for bandwidth, one row per demand.

    `deadline_s` is the time after which unserved work expires (`inf`: never); `budget_ms` the
    delay within which work counts as attained; `borrow_weight` the weight with which a backlogged
    demand shares what guarantees leave unused; `floor_gbps` what its tenant was promised.
    `residency` names the regions a tunnel may cross (empty: all).
    """

    name: tuple[str, ...]
    source: Int[np.ndarray, " demands"]
    target: Int[np.ndarray, " demands"]
    traffic_class: tuple[str, ...]
    tenant: tuple[str, ...]
    deadline_s: Float[np.ndarray, " demands"]
    budget_ms: Float[np.ndarray, " demands"]
    borrow_weight: Float[np.ndarray, " demands"]
    floor_gbps: Float[np.ndarray, " demands"]
    residency: tuple[tuple[str, ...], ...]
    encryption: tuple[str, ...]

    def rows_of(self, traffic_class: str) -> np.ndarray:
        """Rows of the demands of one class, in order."""
        return np.flatnonzero(np.array(self.traffic_class) == traffic_class)

    @property
    def classes(self) -> tuple[str, ...]:
        """The traffic classes present, in the order of their first demand."""
        return tuple(dict.fromkeys(self.traffic_class))
