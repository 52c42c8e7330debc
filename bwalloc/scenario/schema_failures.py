"""Schema of `[failures]`: how links fail and are repaired, and when they are taken down on purpose.

Without a kind, nothing of that kind happens. An empty table takes its defaults, whose sources
stand beside them.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bwalloc.scenario.fields import NO_TEXT, NonNegative, Positive, Section

Remaining = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), NO_TEXT]
Shape = Annotated[float, Field(ge=0.3, le=5, allow_inf_nan=False), NO_TEXT]
Spread = Annotated[float, Field(ge=0, le=3, allow_inf_nan=False), NO_TEXT]
Hour = Annotated[float, Field(ge=0, lt=24, allow_inf_nan=False), NO_TEXT]


class OutageSection(Section):
    """One kind of failure: up for a Weibull, down for a lognormal time.

    `mean_up_h` is that of one risk group or span. `capacity_share` is what is left meanwhile.
    """

    mean_up_h: Positive
    up_shape: Shape = 0.7
    mean_down_h: Positive
    down_sigma: Spread = 1.2
    capacity_share: Remaining = 0.0


class CutSection(OutageSection):
    """All links of a risk group at once: a fibre cut, or what the links of a duct share.

    Defaults: the median edge of Facebook's backbone fails every 1,710 h and is repaired in 10 h on
    average (Meza et al., IMC 2018): 99.4 % available, as WAN links are (1.2 to 2.7 days of downtime
    a year; Turner et al., SIGCOMM 2010). Times between failures are Weibull, with a shape below 1
    (Markopoulou et al., IEEE/ACM ToN 16(4), 2008); 0.7 and the spread of repairs are our choice.
    """

    mean_up_h: Positive = 1710.0
    mean_down_h: Positive = 10.0


class FlapSection(OutageSection):
    """Both directions of a span, for minutes.

    Defaults: most failures of links of a backbone last less than ten minutes (Iannaccone et al.,
    IMW 2002): 1 to 10 minutes in 95 of 100 cases; one in a week is our choice.
    """

    mean_up_h: Positive = 168.0
    mean_down_h: Positive = 0.0626
    down_sigma: Spread = 0.587


class PartialSection(OutageSection):
    """One of two members of a bundle: half of a span's capacity is left.

    Defaults: twice as often as a cut, repaired as slowly (our choice).
    """

    mean_up_h: Positive = 855.0
    mean_down_h: Positive = 10.0
    capacity_share: Remaining = 0.5


class MaintenanceSection(Section):
    """Announced works on a risk group at night, local time of its first site.

    `per_week` counts the windows of the whole network. Defaults: a window a week from 2 to 5,
    announced a day ahead (our choice; a fifth of all failures of a backbone lies in such windows:
    Markopoulou et al., IEEE/ACM ToN 16(4), 2008).
    """

    per_week: Positive = 1.0
    start_h: Hour = 2.0
    duration_h: Positive = 3.0
    announced_h: NonNegative = 24.0
    capacity_share: Remaining = 0.0


class FailureSection(Section):
    """Failures of links. `accelerate` multiplies how often they happen, not how long they take.

    Real links fail a few times a year: an episode of hours sees something when they fail more
    often, and its averages are then those of a worse network.
    """

    accelerate: Positive = 1.0
    cut: CutSection | None = None
    flap: FlapSection | None = None
    partial: PartialSection | None = None
    maintenance: MaintenanceSection | None = None
