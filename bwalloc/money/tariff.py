"""What a span costs by the hour at a given tier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Tariff:
    """Hourly price of an ordered tier: `usd_per_h_at_1_gbps * tier_gbps ** volume_exponent`.

    Defaults are the committed price of a private interconnect, 0.25 USD per Gbit/s and hour
    without discount; the exponent 0.63 is the wave-lease rule "100 G costs 4.3 times 10 G"
    (fastnet.news / TeleGeography).
    """

    usd_per_h_at_1_gbps: float = 0.25
    volume_exponent: float = 1.0

    def usd_per_h(self, tier_gbps: np.ndarray | float) -> np.ndarray | float:
        """Price of one span per hour at `tier_gbps`; zero for an idle span."""
        return self.usd_per_h_at_1_gbps * np.power(tier_gbps, self.volume_exponent)
