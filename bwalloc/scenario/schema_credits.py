"""Schema of `[credits]`: what tenants get back when the rate they were promised was not there."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

from pydantic import model_validator

from bwalloc.scenario.fields import NonNegative, Positive, Section, Share


class CreditSection(Section):
    """From `after_min` minutes below its floor on, a tenant gets `share` of the month's price back.

    Defaults: the bands of a published agreement for edge services (Lumen, February 2021: 10 % from
    5 minutes, 20 % from 30, 50 % from an hour, all from two); 0.25 USD per Gbit/s and hour, the
    committed price of a private interconnect.
    """

    usd_per_gbps_month: NonNegative = 182.5
    after_min: tuple[Positive, ...] = (5.0, 30.0, 60.0, 120.0)
    share: tuple[Share, ...] = (0.1, 0.2, 0.5, 1.0)

    @model_validator(mode="after")
    def _bands_rise(self) -> Self:
        bands = list(zip(self.after_min, self.share, strict=False))
        rise = all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(bands))
        if len(self.after_min) != len(self.share) or not rise:
            msg = "as many shares as minutes, both rising"
            raise ValueError(msg)
        return self
