"""An episode as a planner with perfect foresight sees it: units of work and when each may go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bwalloc.scenario import Scenario, World

SHRINK = 1.0 - 1e-6
"""Of capacities that plans fill, so that sums in float32 stay below."""


@dataclass(frozen=True, slots=True)
class Units:
    """Work that arrives in one substep and may be served until the same end.

    `start` and `end` are substeps of the episode, both included; `expires` is False where the
    episode ends first and what is left is settled instead.
    """

    demand: Int[np.ndarray, " units"]
    start: Int[np.ndarray, " units"]
    end: Int[np.ndarray, " units"]
    gbit: Float[np.ndarray, " units"]
    expires: np.ndarray


def units_of(scenario: Scenario, world: World) -> Units:
    """All work of a world, by the slot rule of the simulator.

    A slot of width `w` that work enters at substep `s` and slot `k` ends with the `k + 1`-th
    multiple of `w` after `s`; width 0 never ends.
    """
    timing, slots = scenario.timing, scenario.slots
    total = timing.intervals * timing.substeps
    flat = world.arrivals_gbit.reshape(total, -1).astype(np.float64)
    start, demand = np.nonzero(flat)
    gbit, slot = flat[start, demand], slots.arrival_slot[demand]
    if world.jobs_gbit is not None:
        interval, rows, entered = np.nonzero(world.jobs_gbit)
        start = np.concatenate([start, interval * timing.substeps])
        demand = np.concatenate([demand, rows])
        slot = np.concatenate([slot, entered])
        gbit = np.concatenate([gbit, world.jobs_gbit[interval, rows, entered].astype(np.float64)])
    width = slots.width_substeps[demand]
    last = (start // np.maximum(width, 1) + slot + 1) * width - 1
    last = np.where(width > 0, last, total)
    return Units(demand, start, np.minimum(last, total - 1), gbit, last < total)


@dataclass(frozen=True, slots=True)
class Pieces:
    """The value law taken apart: an endless part, and dearer pieces with room by substep.

    What a demand is served in a substep earns `endless` per Gbit; besides, piece `j` earns `extra`
    on at most `width` times what arrived in that substep, whenever the served work itself arrived.
    """

    endless: Float[np.ndarray, " demands"]
    extra: Float[np.ndarray, "demands pieces"]
    width: Float[np.ndarray, "demands pieces"]
    offered_gbit: Float[np.ndarray, "demands substeps"]


def pieces_of(scenario: Scenario, units: Units) -> Pieces:
    """Take the value law of a scenario apart; linear demands have no piece but the endless one."""
    law, timing = scenario.network.law, scenario.timing
    is_endless = np.isinf(law.value_until)
    first = is_endless.argmax(1)[:, None]
    beyond = np.take_along_axis(law.value_usd_per_gbit, first, 1)[:, 0]
    endless = np.where(is_endless.any(1), beyond, 0.0)
    finite = np.where(is_endless, 0.0, law.value_until)
    width = np.where(is_endless, 0.0, np.diff(finite, axis=1, prepend=0.0))
    extra = np.where(is_endless, 0.0, law.value_usd_per_gbit - endless[:, None])
    offered = np.zeros((scenario.network.n_demands, timing.intervals * timing.substeps))
    np.add.at(offered, (units.demand, units.start), units.gbit)
    return Pieces(endless, extra, width, offered)


@dataclass(frozen=True, slots=True)
class Clock:
    """Which substeps count, and how much counted waiting lies before each of them."""

    counted: Float[np.ndarray, " substeps"]
    waited_s: Float[np.ndarray, " substeps_and_end"]


def clock_of(scenario: Scenario) -> Clock:
    """The warm-up is played but earns and costs nothing."""
    timing = scenario.timing
    substep = np.arange(timing.intervals * timing.substeps)
    counted = (substep >= timing.warmup_intervals * timing.substeps).astype(np.float64)
    waited = np.concatenate([[0.0], np.cumsum(counted * timing.substep_s)])
    return Clock(counted, waited)


def refusal_usd_per_gbit(scenario: Scenario, units: Units, clock: Clock) -> np.ndarray:
    """What a Gbit of each unit costs if it is never served: waiting, then expiry or settlement.

    The simulator books waiting on what is left at the end of each substep after expiry, so work
    that expires in `end` has waited `end - start` substeps; unexpired work one more.
    """
    law = scenario.network.law
    stop = units.end + np.where(units.expires, 0, 1)
    waiting = clock.waited_s[stop] - clock.waited_s[units.start]
    gone = law.expiry_usd_per_gbit[units.demand] * clock.counted[units.end]
    ending = np.where(units.expires, gone, law.settle_usd_per_gbit[units.demand])
    return law.late_usd_per_gbit_s[units.demand] * waiting + ending
