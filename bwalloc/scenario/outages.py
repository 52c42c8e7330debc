"""Outages of an episode: what each link can carry when, and what is announced of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bwalloc.scenario.scenario import Timing
    from bwalloc.scenario.world import World

EDGE = 1e-6
"""Substeps by which an event may miss the edge of one and still count as on it."""
AHEAD_S = 3600.0
"""How far policies that order capacity see announced works."""


@dataclass(frozen=True, slots=True)
class Event:
    """Some links are left with a share of their capacity, in seconds since the episode's start.

    `announced_s` is when it was announced; None for what nobody foresees.
    """

    rows: Int[np.ndarray, " links"]
    start_s: float
    end_s: float
    capacity_share: float
    announced_s: float | None = None


@dataclass(frozen=True, slots=True)
class Outages:
    """How the capacities of an episode change, and what is known of it beforehand.

    Attributes:
        since: `World.capacity_gbps[t]` holds from this substep of interval `t` on; before it, that
            of the interval before. 0 where nothing changes inside the interval.
        start_gbps: what each link can carry when the episode begins.
        known_gbps: what telemetry lets count on for interval `t`: the capacity at its start, less
            announced works that touch it.
        announced: the events that were announced.
        nominal_gbps: capacity of each link without any event.
        ahead_gbps: what the works that are announced when interval `t` begins leave of each link
            within `AHEAD_S`; with a row for the interval after the last one.
    """

    since: Int[np.ndarray, "intervals links"]
    start_gbps: Float[np.ndarray, " links"]
    known_gbps: Float[np.ndarray, "intervals links"]
    announced: tuple[Event, ...]
    nominal_gbps: Float[np.ndarray, " links"]
    ahead_gbps: Float[np.ndarray, "decisions links"]


def before_gbps(world: World) -> Float[np.ndarray, "intervals links"]:
    """What each link can carry when an interval begins; there must be outages."""
    assert world.outages is not None
    return np.concatenate([world.outages.start_gbps[None], world.capacity_gbps[:-1]])


def room_gbit(world: World, timing: Timing) -> Float[np.ndarray, "links substeps"]:
    """What each link can carry in every substep of an episode, float64."""
    end = world.capacity_gbps.astype(np.float64)
    room = np.repeat(end, timing.substeps, 0)
    if world.outages is not None:
        is_early = np.arange(timing.substeps)[:, None] < world.outages.since[:, None]
        early = np.where(is_early, before_gbps(world)[:, None], end[:, None])
        room = early.reshape(room.shape)
    return room.T * timing.substep_s


def known_gbps(world: World) -> Float[np.ndarray, "intervals links"]:
    """What a decision for each interval may count on, as telemetry before it tells."""
    return world.capacity_gbps if world.outages is None else world.outages.known_gbps


def capacities_under(
    events: Sequence[Event], nominal_gbps: np.ndarray, timing: Timing
) -> tuple[np.ndarray, Outages]:
    """Capacity of each link at the end of every interval, (intervals, links), and how it changes.

    Where events overlap the smallest share holds. An event begins with the substep it falls into
    and ends with that of its end. What begins and ends inside one interval is not seen.
    """
    shape = (timing.intervals, timing.substeps, len(nominal_gbps))
    share = np.ones((shape[0] * shape[1], shape[2]))
    for event in events:
        first = max(int(np.floor(event.start_s / timing.substep_s + EDGE)), 0)
        last = max(int(np.ceil(event.end_s / timing.substep_s - EDGE)), 0)
        part = share[first:last]
        part[:, event.rows] = np.minimum(part[:, event.rows], event.capacity_share)
    share = share.reshape(shape)
    ends = share[:, -1]
    before = np.concatenate([share[:1, 0], ends[:-1]])
    since = np.where(ends != before, (share != before[:, None]).argmax(1), 0)
    announced = tuple(event for event in events if event.announced_s is not None)
    starts = np.arange(timing.intervals + 1) * timing.interval_s
    promised = _promised(announced, starts[:-1], timing.interval_s, len(nominal_gbps))
    known = np.minimum(before, promised)
    outages = Outages(
        since=since.astype(np.int16),
        start_gbps=before[0] * nominal_gbps,
        known_gbps=known * nominal_gbps,
        announced=announced,
        nominal_gbps=nominal_gbps,
        ahead_gbps=_promised(announced, starts, AHEAD_S, len(nominal_gbps)) * nominal_gbps,
    )
    return ends * nominal_gbps, outages


def _promised(
    announced: Sequence[Event], starts_s: np.ndarray, length_s: float, links: int
) -> np.ndarray:
    """Share that works announced by then leave of each link from each start on, (starts, links)."""
    share = np.ones((len(starts_s), links))
    for event in announced:
        touched = (event.start_s < starts_s + length_s) & (event.end_s > starts_s)
        told = starts_s >= (event.announced_s or 0.0)
        rows = np.ix_(touched & told, event.rows)
        share[rows] = np.minimum(share[rows], event.capacity_share)
    return share
