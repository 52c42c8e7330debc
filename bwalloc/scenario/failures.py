"""The law by which the links of a network fail, and the drawing of one episode of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.scenario.outages import Event

if TYPE_CHECKING:
    from jaxtyping import Int

    from bwalloc.network import Topology
    from bwalloc.scenario.schema_failures import FailureSection, MaintenanceSection, OutageSection

HOUR_S, DAY_S = 3600.0, 86_400.0
KINDS = ("cut", "flap", "partial")
Rows = tuple["Int[np.ndarray, ' links']", ...]
"""Rows of the links that fail together, by what fails."""


@dataclass(frozen=True, slots=True)
class OutageLaw:
    """An alternating renewal process for each of `rows`, in hours."""

    rows: Rows
    mean_up_h: float
    up_shape: float
    mean_down_h: float
    down_sigma: float
    capacity_share: float


@dataclass(frozen=True, slots=True)
class MaintenanceLaw:
    """Works at night on one of `rows`, each at `utc_offset_h`; `per_night` is a probability."""

    rows: Rows
    utc_offset_h: tuple[float, ...]
    per_night: float
    start_h: float
    duration_h: float
    announced_h: float
    capacity_share: float


@dataclass(frozen=True, slots=True)
class FailureLaw:
    """Everything that happens to links; each kind has a random generator of its own."""

    outages: tuple[OutageLaw | None, ...]
    maintenance: MaintenanceLaw | None


def build_failures(section: FailureSection, topology: Topology) -> FailureLaw | None:
    """The law of a section on a topology; None where nothing ever happens."""
    kinds = {name: getattr(section, name) for name in KINDS}
    if not any(kinds.values()) and section.maintenance is None:
        return None
    groups = _together(topology.links.risk_group)
    spans = _together(tuple(map(str, topology.links.span)))
    outages = tuple(
        each and _outage(each, groups if name == "cut" else spans, section.accelerate)
        for name, each in kinds.items()
    )
    works = section.maintenance
    return FailureLaw(outages, works and _works(works, groups, topology, section.accelerate))


def oftener(law: FailureLaw, factor: float) -> FailureLaw:
    """The law of a network whose links fail `factor` times as often, and are repaired as fast."""
    outages = tuple(
        each and replace(each, mean_up_h=each.mean_up_h / factor) for each in law.outages
    )
    works = law.maintenance
    if works is not None:
        works = replace(works, per_night=min(works.per_night * factor, 1.0))
    return FailureLaw(outages, works)


def draw_events(
    law: FailureLaw, rng: np.random.Generator, length_s: float, start_h: float
) -> list[Event]:
    """What happens in an episode of `length_s` that begins at hour `start_h` of the week (UTC).

    The processes are old when the episode begins: a link may be down at its start.
    """
    children = rng.spawn(len(KINDS) + 1)
    events: list[Event] = []
    for outage, child in zip(law.outages, children[:-1], strict=True):
        if outage is not None:
            events += [e for rows in outage.rows for e in _outages(outage, rows, child, length_s)]
    if law.maintenance is not None:
        events += _windows(law.maintenance, children[-1], length_s, start_h)
    return events


def _together(names: tuple[str, ...]) -> Rows:
    return tuple(
        np.flatnonzero(np.array(names) == name) for name in dict.fromkeys(names)
    )  # fmt: skip


def _outage(section: OutageSection, rows: Rows, accelerate: float) -> OutageLaw:
    numbers = section.model_dump(exclude={"source"})
    numbers["mean_up_h"] /= accelerate
    return OutageLaw(rows, **numbers)


def _works(
    section: MaintenanceSection, rows: Rows, topology: Topology, accelerate: float
) -> MaintenanceLaw:
    offset = topology.sites.utc_offset_h[topology.links.source]
    nightly = accelerate * section.per_week / 7.0 / max(len(rows), 1)
    numbers = section.model_dump(exclude={"source", "per_week"})
    zones = tuple(float(offset[each[0]]) for each in rows)
    return MaintenanceLaw(rows, zones, min(nightly, 1.0), **numbers)


def _outages(
    law: OutageLaw, rows: np.ndarray, rng: np.random.Generator, length_s: float
) -> list[Event]:
    """An alternating renewal process in its stationary state, cut to the episode.

    What is under way at the start is chosen by its length, and has run for a uniform share of it.
    Ref: Cox, Renewal Theory (1962), sec. 5.4.
    """
    is_up = rng.random() * (law.mean_up_h + law.mean_down_h) < law.mean_up_h
    left = rng.random() * (_long_up_h(law, rng) if is_up else _long_down_h(law, rng))
    events: list[Event] = []
    now = 0.0
    while now < length_s:
        end = now + left * HOUR_S
        if not is_up:
            events.append(Event(rows, now, end, law.capacity_share))
        is_up, now = not is_up, end
        left = _up_h(law, rng) if is_up else _down_h(law, rng)
    return events


def _up_h(law: OutageLaw, rng: np.random.Generator) -> float:
    return _up_scale(law) * float(rng.weibull(law.up_shape))


def _long_up_h(law: OutageLaw, rng: np.random.Generator) -> float:
    """A Weibull time chosen by its length: its power `up_shape` is gamma, of shape 1 + 1/shape."""
    return _up_scale(law) * float(rng.gamma(1 + 1 / law.up_shape)) ** (1 / law.up_shape)


def _up_scale(law: OutageLaw) -> float:
    return law.mean_up_h / math.gamma(1 + 1 / law.up_shape)


def _down_h(law: OutageLaw, rng: np.random.Generator) -> float:
    middle = math.log(law.mean_down_h) - law.down_sigma**2 / 2
    return float(rng.lognormal(middle, law.down_sigma))


def _long_down_h(law: OutageLaw, rng: np.random.Generator) -> float:
    """A lognormal time chosen by its length: the middle of its logarithm moves by the variance."""
    middle = math.log(law.mean_down_h) + law.down_sigma**2 / 2
    return float(rng.lognormal(middle, law.down_sigma))


def _windows(
    law: MaintenanceLaw, rng: np.random.Generator, length_s: float, start_h: float
) -> list[Event]:
    """Every night each group has works with the same probability."""
    events: list[Event] = []
    for rows, offset_h in zip(law.rows, law.utc_offset_h, strict=True):
        first = (law.start_h - offset_h - start_h) * HOUR_S
        nights = range(
            math.floor((-law.duration_h * HOUR_S - first) / DAY_S),
            math.ceil((length_s - first) / DAY_S) + 1,
        )
        taken = rng.random(len(nights)) < law.per_night
        for night, is_taken in zip(nights, taken, strict=True):
            start_s = first + night * DAY_S
            end_s = start_s + law.duration_h * HOUR_S
            if is_taken and start_s < length_s and end_s > 0:
                announced_s = start_s - law.announced_h * HOUR_S
                events.append(Event(rows, start_s, end_s, law.capacity_share, announced_s))
    return events
