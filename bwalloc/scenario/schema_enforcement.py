"""Schema of `[enforcement]`: what a plane makes of rates; by default nothing.

Which way a link enforces is said with its span (`enforcement = "policed"`); this says how well.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from bwalloc.scenario.fields import NO_TEXT, NonNegative, Section

HeaderShare = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), NO_TEXT]


class EnforcementSection(Section):
    """How packets differ from rates; every default means no effect.

    Attributes:
        header_share: part of every rate that headers take, where volumes are given without them.
            HTB and OVS count whole frames: 0.044 for full TCP segments in frames of 1,514 bytes.
        header_share_by_class: the same for classes whose packets differ.
        burst_s: seconds of its rate that a tunnel may save while it is idle and send at once: the
            `burst` of tc-htb(8), which has to grow with the rate.
        burst_gbit: the least of it, whatever the rate: a plane never sets less than two frames.
        update_latency_s: from the begin of an interval until its rates are in force; until then
            those of the interval before hold.
        least_gbps: rate that every tunnel has at least on each of its links, as a class of HTB
            cannot have none.
    """

    header_share: HeaderShare = 0.0
    header_share_by_class: dict[str, HeaderShare] = Field(default_factory=dict)
    burst_s: NonNegative = 0.0
    burst_gbit: NonNegative = 0.0
    update_latency_s: NonNegative = 0.0
    least_gbps: NonNegative = 0.0

    @property
    def settings(self) -> dict[str, Any]:
        """What has an effect, by key."""
        return self.model_dump(exclude_defaults=True, exclude={"source"})
