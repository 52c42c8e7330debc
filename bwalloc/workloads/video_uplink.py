"""Video uplink: the cameras of a site, whose wanted rate doubles while something happens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.workloads.columns import Column, as_column, check_column
from bwalloc.workloads.onoff import on_off
from bwalloc.workloads.ou import log_ou, mean_one
from bwalloc.workloads.seasons import is_night

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.workloads.clock import Clock


@dataclass(frozen=True, slots=True)
class VideoUplinkSpec:
    """Demands that carry the cameras of one site each.

    Attributes:
        demands: Name of each demand.
        cameras: Cameras of the site.
        wanted_mbps: Rate of a camera while nothing happens. Public tables of IP cameras give
            1 to 9 Mbit/s for 1080p; 4 is 12 frames/s.
        cv: Coefficient of variation of the site's rate around it (our choice).
        tau_s: Correlation time of that variation (our choice: a few scene changes a minute).
        event_duty: Share of time in which the site sees an event (our choice: a day's).
        event_duty_night: The same from 22:00 to 06:00 local time, .05 (our choice); None: as by
            day.
        event_mean_s: Mean length of an event (our choice).
        event_factor: Factor on the rate of all cameras during an event (our choice).
        ladder_top_mbps: Largest rate of a camera: top of the ladder .5/1/2/4/8.
        overhead: On-wire bytes per payload byte (our choice).
        utc_offset_h: Local time less UTC.
    """

    demands: tuple[str, ...]
    cameras: Column = 150.0
    wanted_mbps: Column = 4.0
    cv: float = 0.15
    tau_s: float = 10.0
    event_duty: float = 0.2
    event_mean_s: float = 60.0
    event_factor: float = 2.0
    ladder_top_mbps: float = 8.0
    overhead: float = 1.05
    event_duty_night: float | None = None
    utc_offset_h: Column = 0.0

    def __post_init__(self) -> None:
        n = len(self.demands)
        check_column("cameras", self.cameras, n)
        check_column("wanted_mbps", self.wanted_mbps, n, 0.0, self.ladder_top_mbps)
        check_column("cv", self.cv, n, 0.0, 3.0)
        check_column("event_duty", self.event_duty, n, 0.0, 1.0)
        if self.event_duty_night is not None:
            check_column("event_duty_night", self.event_duty_night, n, 0.0, 1.0)
        check_column("utc_offset_h", self.utc_offset_h, n, -14.0, 14.0)
        for name in ("tau_s", "event_mean_s"):
            check_column(name, getattr(self, name), n, 1e-3)
        check_column("event_factor", self.event_factor, n)
        check_column("overhead", self.overhead, n, 1.0, 2.0)


def draw(
    rng: np.random.Generator, spec: VideoUplinkSpec, clock: Clock
) -> Float[np.ndarray, "steps demands"]:
    """Gbit that arrive in each step.

    Args:
        rng: Parent of the children for the variation, for the events, and for those at night where
            these differ.
        spec: Demands.
        clock: Steps to draw.
    """
    variation, events = rng.spawn(2)
    n = len(spec.demands)
    sd = math.sqrt(math.log(1.0 + spec.cv**2))
    mbps = mean_one(log_ou(variation, clock, sd, spec.tau_s, n), sd)
    mbps *= as_column(spec.wanted_mbps, n)
    happening = on_off(events, clock, spec.event_duty, spec.event_mean_s, n)
    if spec.event_duty_night is not None:
        (nights,) = rng.spawn(1)
        at_night = on_off(nights, clock, spec.event_duty_night, spec.event_mean_s, n)
        happening = np.where(is_night(spec.utc_offset_h, clock, n), at_night, happening)
    mbps *= np.where(happening, np.float32(spec.event_factor), np.float32(1.0))
    np.minimum(mbps, np.float32(spec.ladder_top_mbps), out=mbps)
    mbps *= as_column(spec.cameras, n) * np.float32(1e-3 * clock.step_s * spec.overhead)
    return mbps
