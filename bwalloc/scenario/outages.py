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
    """

    since: Int[np.ndarray, "intervals links"]
    start_gbps: Float[np.ndarray, " links"]
    known_gbps: Float[np.ndarray, "intervals links"]
    announced: tuple[Event, ...]
    nominal_gbps: Float[np.ndarray, " links"]


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
    known = np.minimum(before, _promised(announced, timing, len(nominal_gbps)))
    outages = Outages(
        since=since.astype(np.int16),
        start_gbps=before[0] * nominal_gbps,
        known_gbps=known * nominal_gbps,
        announced=announced,
        nominal_gbps=nominal_gbps,
    )
    return ends * nominal_gbps, outages


def _promised(announced: Sequence[Event], timing: Timing, links: int) -> np.ndarray:
    """Share that announced works leave of each link in each interval, (intervals, links)."""
    share = np.ones((timing.intervals, links))
    starts = np.arange(timing.intervals) * timing.interval_s
    for event in announced:
        touched = (event.start_s < starts + timing.interval_s) & (event.end_s > starts)
        told = starts >= (event.announced_s or 0.0)
        rows = np.ix_(touched & told, event.rows)
        share[rows] = np.minimum(share[rows], event.capacity_share)
    return share
