"""The fluid dynamics of one interval, written once for NumPy and torch.

Each substep: work arrives and waits by deadline; every tunnel serves its share of the demand's
work up to its rate; what guarantees leave unused is borrowed inside each pool, by weight; work is
taken earliest deadline first; what is past its deadline expires.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from bwalloc.allocate.sharing import TINY, offer_once
from bwalloc.arrays import Array, joined, like, namespace, positive
from bwalloc.sim.state import Flows

if TYPE_CHECKING:
    from bwalloc.sim.physics import Physics

BORROW_ROUNDS = 2
IDLE_GBIT = 1e-4
"""Work below which a demand counts as drained: above the rounding of float32."""


Held: TypeAlias = tuple[Array, Array, Array]
"""`queued_gbit`, `busy_s` and `kept_gbit` of a `State`."""
RECENT_S = 3.0
"""Span of `Measured.recent_gbps` at the end of an interval."""


@dataclass(frozen=True, slots=True)
class Service:
    """How the rates of one interval serve.

    Attributes:
        share: share of a demand's work that each tunnel carries, (flat tunnels, B).
        quota_gbit: guaranteed work per substep and tunnel, (flat tunnels, B).
        room_gbit: work each pool can carry per substep, (pools, B).
        delay_s: propagation of each demand, averaged over its shares, (demands, B).
        bucket_gbit: most that each tunnel may save, (flat tunnels, B); no rows without bursts.
    """

    share: Array
    quota_gbit: Array
    room_gbit: Array
    delay_s: Array
    bucket_gbit: Array


@dataclass(frozen=True, slots=True)
class Load:
    """Work that enters: by substep (substeps, demands, B), and jobs (demands, slots, B)."""

    arrivals_gbit: Array
    jobs_gbit: Array | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What ingress agents and links measure in an interval, in Gbit/s.

    `offered_gbps` is the mean, `recent_gbps` that of the last `RECENT_S`, `peak_gbps` the highest
    substep (the last two without jobs), (demands, B); `carried_gbps` is by link, (links, B).
    """

    offered_gbps: Array
    recent_gbps: Array
    peak_gbps: Array
    carried_gbps: Array


def recent_substeps(physics: Physics) -> int:
    """Substeps in `RECENT_S`, one at least."""
    return min(physics.substeps, max(1, round(RECENT_S / physics.dt_s)))


def measure(physics: Physics, load: Load, flows: Flows) -> Measured:
    """What is measured of an interval."""
    arrivals, interval_s = load.arrivals_gbit, physics.dt_s * physics.substeps
    recent = recent_substeps(physics)
    offered = arrivals.sum(0)
    if load.jobs_gbit is not None:
        offered = offered + load.jobs_gbit.sum(1)
    return Measured(
        offered / interval_s,
        arrivals[-recent:].sum(0) / (recent * physics.dt_s),
        namespace(arrivals).amax(arrivals, 0) / physics.dt_s,
        physics.links.total(flows.carried_gbit) / interval_s,
    )


def cut_to_capacity(physics: Physics, rates: Array, capacity_gbps: Array) -> tuple[Array, Array]:
    """Cut the tunnels of overloaded links in proportion.

    Args:
        physics: constants of the scenario.
        rates: decided rates, (demands, tunnels, B).
        capacity_gbps: what each link can carry now, (links, B).

    Returns:
        Rates that fit, (flat tunnels, B), and the Gbit/s that did not, (B,).
    """
    flat = rates.reshape(physics.shape[0] * physics.shape[1], -1)
    load = physics.links.total(flat)
    fit = (capacity_gbps / (load + TINY)).clip(0, 1)
    return flat * physics.links.least(fit), positive(load - capacity_gbps).sum(0)


def serve(physics: Physics, rates: Array, capacity_gbps: Array) -> Service:
    """Shares, quotas and pool room of rates (flat tunnels, B) that fit `capacity_gbps`."""
    demands, tunnels = physics.shape
    by_tunnel = rates.reshape(demands, tunnels, -1) + like(physics.even_share, rates) * TINY
    share = by_tunnel / by_tunnel.sum(1)[:, None]
    quota = rates * physics.dt_s
    shared = capacity_gbps[like(physics.pool_link, rates)] * physics.dt_s
    metered = physics.pools.total(quota)
    room = namespace(rates).where(like(physics.pool_is_shared, rates), shared, metered)
    delay = (share * like(physics.delay_s, rates)).sum(1)
    return Service(share.reshape(rates.shape), quota, room, delay, _buckets(physics, rates))


def _buckets(physics: Physics, rates: Array) -> Array:
    """As a shaper sizes them: with the rate, and no less than some packets."""
    if not physics.has_bursts:
        return rates[:0]
    sized = (rates * physics.burst_s).clip(physics.burst_gbit)
    return namespace(rates).where(rates > 0, sized, rates * 0)


def play_interval(
    physics: Physics, service: Service, held: Held, load: Load, clock: Array
) -> tuple[Held, Flows]:
    """Play the substeps of one interval.

    Args:
        physics: constants of the scenario.
        service: what `serve` made of the rates.
        held: what was handed over.
        load: what arrives.
        clock: number of substeps played before, int (B,).

    Returns:
        What is handed on, and the flows summed over the interval.
    """
    total: Flows | None = None
    for substep in range(len(load.arrivals_gbit)):
        new = load.arrivals_gbit[substep]
        entering = like(physics.enters, new) * new[:, None]
        if load.jobs_gbit is not None and substep == 0:
            entering, new = entering + load.jobs_gbit, new + load.jobs_gbit.sum(1)
        held, flows = _substep(physics, service, held, (new, entering), clock + substep)
        total = flows if total is None else add_flows(total, flows)
    assert total is not None
    return held, total


def _substep(
    physics: Physics,
    service: Service,
    held: Held,
    new: tuple[Array, Array],
    clock: Array,
) -> tuple[Held, Flows]:
    queued, busy_s, kept = held
    offered, entering = new
    before = queued.sum(1)
    queued = queued + entering
    work = queued.sum(1)
    want, carried, offered_gbit, kept = _carried(physics, service, work, kept)
    served = namespace(work).minimum(carried.reshape(*physics.shape, -1).sum(1), work)
    queued = _taken_earliest_first(queued, served)
    left = positive(work - served)
    stalled, busy_s = _stalled(physics, want, offered_gbit, left, busy_s)
    queued, expired = _expired(physics, queued, clock)
    flows = Flows(
        served_gbit=served,
        expired_gbit=expired,
        attained_gbit=served * _within_budget(physics, service, before, left, served),
        delivered_usd=_value(physics, served, offered),
        waiting_gbit_s=queued.sum(1) * physics.dt_s,
        carried_gbit=carried,
        stalled_s=stalled,
    )
    return (queued, busy_s, kept), flows


def _carried(
    physics: Physics, service: Service, work: Array, kept: Array
) -> tuple[Array, Array, Array, Array]:
    """What each tunnel should carry, carries (guaranteed first, then borrowed), and was offered.

    Besides, what is kept now. All (flat tunnels, B). A tunnel that is offered more than it should
    carry is done early.
    """
    xp = namespace(work)
    shape = (*physics.shape, work.shape[1])
    want = (service.share.reshape(shape) * work[:, None]).reshape(service.share.shape)
    offered, lent = service.quota_gbit, service.room_gbit
    if physics.has_bursts:
        offered, lent, kept = _with_savings(physics, service, want, kept)
    carried = xp.minimum(want, offered)
    weight = like(physics.borrow_weight, want)
    for _ in range(BORROW_ROUNDS):
        room = positive(lent - physics.pools.total(carried))
        missing = want - carried
        offer = offer_once(physics.pools, weight * (missing > TINY), room)
        carried, offered = carried + xp.minimum(offer, missing), offered + offer
    return want, carried, offered, kept


def _with_savings(
    physics: Physics, service: Service, want: Array, kept: Array
) -> tuple[Array, Array, Array]:
    """What each tunnel may send with what it saved, what pools can carry, and what is kept.

    What a tunnel leaves of its rate fills its bucket first and is lent when that is full, so no
    Gbit of a link is used twice.
    """
    xp = namespace(want)
    before = xp.minimum(kept, service.bucket_gbit)
    may = service.quota_gbit + before
    kept = xp.minimum(may - xp.minimum(want, may), service.bucket_gbit)
    return may, service.room_gbit - physics.pools.total(kept - before), kept


def _taken_earliest_first(queued: Array, served: Array) -> Array:
    kept = positive(queued.cumsum(1) - served[:, None])
    return positive(kept - joined(kept[:, :1] * 0, kept[:, :-1]))


def _expired(physics: Physics, queued: Array, clock: Array) -> tuple[Array, Array]:
    """Move work whose slot ended one slot down; what was in the first slot expires."""
    xp = namespace(queued)
    width = like(physics.width_substeps, queued)
    ends = (width > 0) & ((clock[None] + 1) % width.clip(1) == 0)
    expired = xp.where(ends, queued[:, 0], queued[:, 0] * 0)
    moved = joined(queued[:, 1:], queued[:, :1] * 0)
    return xp.where(ends[:, None], moved, queued), expired


def _value(physics: Physics, served: Array, offered: Array) -> Array:
    xp = namespace(served)
    pieces = (
        like(part, served) for part in (physics.value_step, physics.value_share, physics.value_free)
    )
    return sum(
        step * xp.minimum(served, offered * share + free)
        for step, share, free in zip(*pieces, strict=True)
    )


def _within_budget(
    physics: Physics, service: Service, before: Array, left: Array, served: Array
) -> Array:
    """Share of the served work whose queueing and propagation fit the budget.

    By Little's law the delay of work leaving at the start and at the end of the substep is the
    backlog then over the service rate; between them it changes linearly.
    """
    xp = namespace(served)
    fits = (like(physics.budget_s, served) - service.delay_s) * served / physics.dt_s
    low, high = xp.minimum(before, left), xp.maximum(before, left)
    return ((fits - low + TINY) / (high - low + TINY)).clip(0, 1)


def _stalled(
    physics: Physics, want: Array, offered: Array, left: Array, busy_s: Array
) -> tuple[Array, Array]:
    """Seconds each group stalls in this substep, (groups, B), and the new `busy_s`.

    A group is busy from the arrival of work at an idle group until all members are drained, and
    stalls from `grace_s` on. What arrives meanwhile merges with the work it finds.
    """
    if not physics.members:
        return left[:0], busy_s
    xp = namespace(left)
    drain, holds = _drain_s(physics, want, offered), _holds_work(physics, left)
    drain = drain + holds * (physics.dt_s - drain)
    stalled: list[Array] = []
    busy: list[Array] = []
    for rows in physics.members:
        mine = like(rows, left)
        since = xp.amax(busy_s[mine], 0)
        grace = positive(float(physics.grace_s[rows[0], 0]) - since)
        stalled.append(positive(xp.amax(drain[mine], 0) - grace))
        busy.append(xp.amax(holds[mine], 0) * (since + physics.dt_s))
    by_group = xp.stack([*busy, busy[0] * 0])
    return xp.stack(stalled), by_group[like(physics.group, left)]


def _drain_s(physics: Physics, want: Array, offered: Array) -> Array:
    """When in this substep the last tunnel of each demand has carried its work, (demands, B)."""
    xp = namespace(want)
    part = xp.where(want > IDLE_GBIT, want / (offered + TINY), want * 0).clip(0, 1)
    return physics.dt_s * xp.amax(part.reshape(*physics.shape, -1), 1)


def _holds_work(physics: Physics, left: Array) -> Array:
    """1 where work is left, else 0; between them where the law is smoothed for gradients."""
    if physics.smooth_gbit:
        return left / (left + physics.smooth_gbit)
    return namespace(left).where(left > IDLE_GBIT, left * 0 + 1, left * 0)


def add_flows(total: Flows, flows: Flows) -> Flows:
    """The flows of two stretches of time together."""
    return Flows(
        total.served_gbit + flows.served_gbit,
        total.expired_gbit + flows.expired_gbit,
        total.attained_gbit + flows.attained_gbit,
        total.delivered_usd + flows.delivered_usd,
        total.waiting_gbit_s + flows.waiting_gbit_s,
        total.carried_gbit + flows.carried_gbit,
        total.stalled_s + flows.stalled_s,
    )
