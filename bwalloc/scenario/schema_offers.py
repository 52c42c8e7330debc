"""Schema of `[offers.NAME]`: capacity that can be ordered on spans, by the tier and the hour."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from bwalloc.money import Tariff
from bwalloc.scenario.fields import NO_TEXT, Duration, Names, NonNegative, Positive, Section

Spread = Annotated[float, Field(ge=0, le=3, allow_inf_nan=False), NO_TEXT]
Odds = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), NO_TEXT]


class OfferSection(Section):
    """What one provider sells on some spans (names, or patterns of them).

    Prices are a list, one per tier, or `usd_per_h_at_1_gbps * tier ** volume_exponent`. Times are
    in seconds. One offer of a span may say which tier it begins with; else it is its capacity.

    Defaults: Lumen's Internet On-Demand costs about 4 USD an hour at 1 Gbit/s, billed by the hour,
    and changes "within minutes"; PacketFabric's are ready in 5 to 10 minutes. The spread of the
    delay, its cap, and the five minutes between orders are our choice.
    """

    spans: Names
    provider: str = ""
    tiers_gbps: Annotated[list[NonNegative], Field(min_length=1)]
    usd_per_h: list[NonNegative] | None = None
    usd_per_h_at_1_gbps: NonNegative | None = None
    volume_exponent: Positive = 1.0
    first_tier_gbps: NonNegative | None = None
    delay_median_s: NonNegative = 300.0
    delay_sigma: Spread = 0.5
    delay_cap_s: Duration = 1800.0
    rejection: Odds = 0.0
    min_billed_s: NonNegative = 3600.0
    billed_every_s: Positive = 3600.0
    order_every_s: Positive = 300.0

    @model_validator(mode="after")
    def _is_a_menu(self) -> Self:
        if (
            not all(low < high for low, high in pairwise(self.tiers_gbps))
            or not self.tiers_gbps[-1]
        ):
            msg = "tiers_gbps that rise, the last above 0"
            raise ValueError(msg)
        if (self.usd_per_h is None) == (self.usd_per_h_at_1_gbps is None):
            msg = "either usd_per_h or usd_per_h_at_1_gbps"
            raise ValueError(msg)
        if self.usd_per_h is not None and len(self.usd_per_h) != len(self.tiers_gbps):
            msg = "as many prices in usd_per_h as tiers"
            raise ValueError(msg)
        if self.first_tier_gbps is not None and self.first_tier_gbps not in self.tiers_gbps:
            msg = "a first_tier_gbps that is among tiers_gbps"
            raise ValueError(msg)
        return self

    @property
    def prices_usd_per_h(self) -> list[float]:
        """Price of each tier."""
        if self.usd_per_h is not None:
            return self.usd_per_h
        tariff = Tariff(self.usd_per_h_at_1_gbps or 0.0, self.volume_exponent)
        return [float(tariff.usd_per_h(tier)) for tier in self.tiers_gbps]
