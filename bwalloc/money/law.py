"""The value law: what a gigabit served, late or expired is worth, for every class alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True, slots=True)
class ValueLaw:
    """Coefficients per demand, in the row order of `Network.demands`.

    Value is concave in the share of the offered work that is served: piece `j` pays
    `value_usd_per_gbit[:, j]` up to the share `value_until[:, j]` of what arrived in the substep.
    Linear classes have one piece without end (`inf`).
    """

    value_usd_per_gbit: Float[np.ndarray, "demands pieces"]
    value_until: Float[np.ndarray, "demands pieces"]
    expiry_usd_per_gbit: Float[np.ndarray, " demands"]
    late_usd_per_gbit_s: Float[np.ndarray, " demands"]
    settle_usd_per_gbit: Float[np.ndarray, " demands"]
    churn_usd_per_gbps: float

    @property
    def step_usd_per_gbit(self) -> Float[np.ndarray, "demands pieces"]:
        """What each piece pays above the next.

        Value is `sum_j step[j] * min(served, until[j] * offered)`.
        """
        following = np.concatenate(
            [self.value_usd_per_gbit[:, 1:], np.zeros_like(self.value_usd_per_gbit[:, :1])], axis=1
        )
        return self.value_usd_per_gbit - following

    @property
    def piece_share(self) -> Float[np.ndarray, "demands pieces"]:
        """Share of what arrives that each piece pays for where all is served; 1 in all."""
        return np.diff(np.minimum(self.value_until, 1.0), axis=1, prepend=0.0)

    @property
    def whole_usd_per_gbit(self) -> Float[np.ndarray, " demands"]:
        """Mean value of a Gbit where everything that arrives is served."""
        return (self.value_usd_per_gbit * self.piece_share).sum(1)

    def on_wire(self, factor: Float[np.ndarray, " demands"]) -> ValueLaw:
        """The law of the same work where each Gbit of it takes `factor` Gbit on the wire."""
        return ValueLaw(
            value_usd_per_gbit=self.value_usd_per_gbit / factor[:, None],
            value_until=self.value_until,
            expiry_usd_per_gbit=self.expiry_usd_per_gbit / factor,
            late_usd_per_gbit_s=self.late_usd_per_gbit_s / factor,
            settle_usd_per_gbit=self.settle_usd_per_gbit / factor,
            churn_usd_per_gbps=self.churn_usd_per_gbps,
        )

    @property
    def is_curved(self) -> np.ndarray:
        """Which demands are paid by the share served in the substep they arrive in; (demands,)."""
        return np.isfinite(self.value_until[:, 0])


@dataclass(frozen=True, slots=True)
class GroupLaw:
    """Groups of demands that block the same GPUs.

    A group is busy from the arrival of work at an idle group until every member is drained; work
    that arrives meanwhile merges with it. From `grace_s` on it stalls, and a stalled second costs
    `gpus * gpu_hour_usd / 3600`. `member` is the group of each demand, or -1.
    """

    name: tuple[str, ...]
    member: Int[np.ndarray, " demands"]
    gpus: Float[np.ndarray, " groups"]
    gpu_hour_usd: Float[np.ndarray, " groups"]
    grace_s: Float[np.ndarray, " groups"]

    @property
    def usd_per_s(self) -> Float[np.ndarray, " groups"]:
        """Cost of one stalled second of each group."""
        return self.gpus * self.gpu_hour_usd / 3600.0
