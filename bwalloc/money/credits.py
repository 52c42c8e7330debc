"""What a tenant gets back when the rate it was promised was not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, slots=True)
class CreditLaw:
    """Credits for a month in which a floor was missed for some minutes.

    From `after_min[i]` minutes on, `share[i]` of what the floor costs in a month is paid back.
    """

    usd_per_gbps_month: float
    after_min: tuple[float, ...]
    share: tuple[float, ...]

    def usd(
        self, minutes: Float[np.ndarray, "demands B"], floor_gbps: Float[np.ndarray, " demands"]
    ) -> Float[np.ndarray, "demands B"]:
        """The credit for floors missed for `minutes`, the rest of the month being clean."""
        band = np.searchsorted(self.after_min, minutes, side="right")
        share = np.concatenate([[0.0], self.share])[band]
        return share * floor_gbps[:, None] * self.usd_per_gbps_month
