"""An interval as stretches of substeps in which neither capacities nor the rates in force change.

Capacities change when links fail or come back, rates when an update takes effect. Each stretch is
played under its own, and nothing else changes until the next decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, floor
from typing import TYPE_CHECKING

from bwalloc.allocate.sharing import TINY
from bwalloc.arrays import Array, like, positive
from bwalloc.sim.changes import Change, capacity_in
from bwalloc.sim.dynamics import Load, add_flows, cut_to_capacity, measure

if TYPE_CHECKING:
    from bwalloc.sim.backends import Backend, Played
    from bwalloc.sim.physics import Physics
    from bwalloc.sim.state import State


@dataclass(frozen=True, slots=True)
class Stretch:
    """Substeps `first` to `last`, which it does not include, of an interval.

    Attributes:
        rates_gbps: what the plane has put into force, which links may yet cut, (demands, tunnels,
            B).
        capacity_gbps: what each link can carry, (links, B).
    """

    first: int
    last: int
    rates_gbps: Array
    capacity_gbps: Array


def stretches_of(
    physics: Physics,
    before_gbps: Array,
    rates_gbps: Array,
    capacity_gbps: Array,
    change: Change | None,
) -> list[Stretch]:
    """The stretches of an interval.

    Args:
        physics: constants of the scenario.
        before_gbps: rates of the interval before, (demands, tunnels, B).
        rates_gbps: those decided for this one.
        capacity_gbps: what each link can carry at the end, (links, B).
        change: how that comes to be; None where links never change inside an interval.
    """
    if physics.is_prompt and (change is None or not change.is_inside):
        return [Stretch(0, physics.substeps, rates_gbps, capacity_gbps)]
    late, edges = physics.latency, {0, physics.substeps}
    edges |= {floor(late), min(ceil(late), physics.substeps)}
    if change is not None and change.is_inside:
        edges |= set(change.since.ravel().tolist())
    at_begin = _room(change, capacity_gbps, 0)
    rates_gbps = at_least(physics, rates_gbps, at_begin)
    if late > 0:
        before_gbps = at_least(physics, before_gbps, at_begin)
    found: list[Stretch] = []
    for first, last in pairwise(sorted(edges)):
        room = _room(change, capacity_gbps, first)
        rates = rates_gbps if first >= late else before_gbps
        if first < late < last:
            rates = _between(physics, before_gbps, rates_gbps, room, late - first)
        found.append(Stretch(first, last, rates, room))
    return found


def at_least(physics: Physics, rates_gbps: Array, capacity_gbps: Array) -> Array:
    """Rates of which none is below the least rate, as a plane has them: (demands, tunnels, B).

    Where that takes more than a link has, what is above the least is cut in proportion.
    """
    if not len(physics.least_gbps):
        return rates_gbps
    flat = rates_gbps.reshape(len(physics.least_gbps), -1)
    least = like(physics.least_gbps, flat) + flat * 0
    above = positive(flat - least)
    room = positive(capacity_gbps - physics.links.total(least))
    fit = (room / (physics.links.total(above) + TINY)).clip(0, 1)
    return (least + above * physics.links.least(fit)).reshape(rates_gbps.shape)


def _between(
    physics: Physics, before_gbps: Array, rates_gbps: Array, room_gbps: Array, share: float
) -> Array:
    """What a substep can carry for `share` of which the old rates hold, then the new ones."""
    old, new = (cut_to_capacity(physics, each, room_gbps)[0] for each in (before_gbps, rates_gbps))
    return (old * share + new * (1.0 - share)).reshape(rates_gbps.shape)


def _room(change: Change | None, capacity_gbps: Array, first: int) -> Array:
    if change is None or not change.is_inside:
        return capacity_gbps
    return capacity_in(change, capacity_gbps, first)


def play_stretches(
    play: Backend, physics: Physics, stretches: Sequence[Stretch], state: State, load: Load
) -> Played:
    """Play an interval; arguments and answer as of a backend.

    With each stretch the tunnels of links that cannot carry their rates are cut in proportion, and
    work is split anew over the tunnels by what is left of their rates.
    """
    if len(stretches) == 1:
        return play(stretches[0].rates_gbps, stretches[0].capacity_gbps, state, load, 0)
    total, overrun = None, 0.0
    for each in stretches:
        first, last = each.first, each.last
        part = Load(load.arrivals_gbit[first:last], load.jobs_gbit if first == 0 else None)
        held, flows, over, _ = play(each.rates_gbps, each.capacity_gbps, state, part, first)
        queued, busy, kept = held
        state = replace(state, queued_gbit=queued, busy_s=busy, kept_gbit=kept)
        overrun = overrun + over * ((last - first) / physics.substeps)
        total = flows if total is None else add_flows(total, flows)
    assert total is not None
    held = (state.queued_gbit, state.busy_s, state.kept_gbit)
    return held, total, overrun, measure(physics, load, total)


def granted_gbps(physics: Physics, stretches: Sequence[Stretch]) -> list[tuple[float, Array]]:
    """Rates as links let them be, (demands, tunnels, B), and for how many seconds, one by one."""
    return [
        (
            (each.last - each.first) * physics.dt_s,
            cut_to_capacity(physics, each.rates_gbps, each.capacity_gbps)[0].reshape(
                each.rates_gbps.shape
            ),
        )
        for each in stretches
    ]
