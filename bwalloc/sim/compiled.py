# pyright: basic
# numba infers the types of a kernel.
"""The compiled twin of the dynamics of one interval; held to them by a parity test.

Inner loops run over a block of episodes, so that they vectorise; ranges of blocks can run in
threads. Sizes and columns are unsigned: a signed index may count from the end, which stops
vectorising.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bwalloc.allocate.sharing import SOFT as _SOFT
from bwalloc.allocate.sharing import TINY as _TINY
from bwalloc.sim.compiled_columns import FAST, inlined, measured, put, taken
from bwalloc.sim.compiled_rates import allot, cut, save, size_buckets
from bwalloc.sim.dynamics import BORROW_ROUNDS
from bwalloc.sim.dynamics import IDLE_GBIT as _IDLE_GBIT

kernel = njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
TINY, SOFT = np.float32(_TINY), np.float32(_SOFT)
IDLE_GBIT = np.float32(_IDLE_GBIT)
LANES = np.uint64(64)
"""Episodes of a block: a constant, so that its loops become a few vector instructions each."""
ZERO = np.float32(0)
ONE = np.float32(1)


@inlined
def _borrow(want, carried, offered, weight, hops, room, active, scratch, size):
    """One round of `share_once` on what is still wanted; updates `carried`, `offered`, `room`.

    `offered` has no rows where no group asks for it.
    """
    width, n_pools = hops.shape[1], room.shape[0]
    scratch[:] = SOFT
    for i in range(active.shape[0]):
        p = active[i]
        for h in range(width):
            pool = hops[p, h]
            if pool < n_pools:
                heavy = weight[p]
                for b in range(size):
                    scratch[pool, b] += heavy if want[p, b] - carried[p, b] > TINY else ZERO
    for pool in range(n_pools):
        for b in range(size):
            scratch[pool, b] = room[pool, b] / scratch[pool, b]
    for i in range(active.shape[0]):
        p = active[i]
        first = hops[p, 0]
        if first >= n_pools:
            continue
        for b in range(size):
            scratch[n_pools, b] = scratch[first, b]
        for h in range(1, width):
            pool = hops[p, h]
            if pool < n_pools:
                for b in range(size):
                    scratch[n_pools, b] = min(scratch[n_pools, b], scratch[pool, b])
        if offered.shape[0] > 0:
            for b in range(size):
                is_short = want[p, b] - carried[p, b] > TINY
                offered[p, b] += weight[p] * scratch[n_pools, b] if is_short else ZERO
        for b in range(size):
            missing = want[p, b] - carried[p, b]
            offer = weight[p] * scratch[n_pools, b]
            scratch[n_pools, b] = min(offer, missing) if missing > TINY else ZERO
            carried[p, b] += scratch[n_pools, b]
        for h in range(width):
            pool = hops[p, h]
            if pool < n_pools:
                for b in range(size):
                    room[pool, b] = max(room[pool, b] - scratch[n_pools, b], ZERO)


@inlined
def _carry(
    work, share, quota, room0, weight, hops, want, carried, offered, room, scratch, active, size
):
    """Guaranteed service, then rounds of borrowing, of one substep.

    Tunnels that miss nothing in any episode of the block take no part in the borrowing.
    """
    tunnels, width = hops.shape
    n_pools, missing = room0.shape[0], 0
    per_demand = tunnels // work.shape[0]
    for p in range(offered.shape[0]):
        for b in range(size):
            offered[p, b] = quota[p, b]
    for p in range(tunnels):
        most = ZERO
        for b in range(size):
            want[p, b] = share[p, b] * work[p // per_demand, b]
            carried[p, b] = min(want[p, b], quota[p, b])
            most = max(most, want[p, b] - carried[p, b])
        active[missing] = p
        missing += 1 if most > TINY else 0
    if missing == 0:
        return
    room[:] = room0
    for p in range(tunnels):
        for h in range(width):
            pool = hops[p, h]
            if pool < n_pools:
                for b in range(size):
                    room[pool, b] -= carried[p, b]
    for pool in range(n_pools):
        for b in range(size):
            room[pool, b] = max(room[pool, b], ZERO)
    for _ in range(BORROW_ROUNDS):
        _borrow(want, carried, offered, weight, hops, room, active[:missing], scratch, size)


@inlined
def _book(d, law, dt, offered, served, before, left, delay, totals, size):
    """Add the value and the attainment of what demand `d` was served."""
    served_sum, _, attained, delivered, _ = totals
    budget = law.budget_s[d, 0]
    for j in range(law.value_step.shape[0]):
        step, share = law.value_step[j, d, 0], law.value_share[j, d, 0]
        free = law.value_free[j, d, 0]
        for b in range(size):
            delivered[d, b] += step * min(served[b], offered[d, b] * share + free)
    for b in range(size):
        low, high = min(before[d, b], left[b]), max(before[d, b], left[b])
        fits = (budget - delay[d, b]) * served[b] / dt
        within = (fits - low + TINY) / (high - low + TINY)
        served_sum[d, b] += served[b]
        attained[d, b] += served[b] * min(max(within, ZERO), ONE)


@inlined
def _expire(d, width, dt, clock, queued, left, totals, size):
    """Expire the first slot of demand `d` where its time is over, and note what still waits."""
    _, expired, _, _, waiting = totals
    count = queued.shape[1]
    if width > 0:
        for b in range(size):
            if (clock[b] + 1) % width == 0:
                expired[d, b] += queued[d, 0, b]
                left[b] -= queued[d, 0, b]
                for k in range(count - 1):
                    queued[d, k, b] = queued[d, k + 1, b]
                queued[d, count - 1, b] = ZERO
    for b in range(size):
        waiting[d, b] += max(left[b], ZERO) * dt


@inlined
def _serve(carried, d, per_demand, work, queued, served, left, rest, size):
    """Take what the tunnels of demand `d` carry from its queue, earliest deadline first."""
    for b in range(size):
        served[b] = ZERO
    for p in range(d * per_demand, (d + 1) * per_demand):
        for b in range(size):
            served[b] += carried[p, b]
    for b in range(size):
        served[b] = min(served[b], work[d, b])
        left[b] = work[d, b] - served[b]
        rest[b] = served[b]
    for k in range(queued.shape[1]):
        for b in range(size):
            taken = min(queued[d, k, b], rest[b])
            queued[d, k, b] -= taken
            rest[b] -= taken


@inlined
def _stall(d, law, dt, want, offered, per_demand, left, busy, stalled, holding, drain, size):
    """Seconds demand `d` holds its group up in this substep; keeps the longest of the group."""
    group, grace_s = law.group[d], law.grace_s[d, 0]
    for b in range(size):
        drain[b] = ZERO
    for p in range(d * per_demand, (d + 1) * per_demand):
        for b in range(size):
            part = min(want[p, b] / (offered[p, b] + TINY), ONE)
            drain[b] = max(drain[b], part if want[p, b] > IDLE_GBIT else ZERO)
    for b in range(size):
        is_left = left[b] > IDLE_GBIT
        until = dt if is_left else dt * drain[b]
        grace = max(grace_s - busy[d, b], ZERO)
        stalled[group, b] = max(stalled[group, b], until - grace)
        holding[group, b] = max(holding[group, b], ONE if is_left else ZERO)


@inlined
def _close_groups(law, dt, busy, stalled, holding, total, size):
    """Add the stall of a substep to the interval's, and let busy groups grow older."""
    for d in range(busy.shape[0]):
        group = law.group[d]
        if group >= 0:
            for b in range(size):
                busy[d, b] = holding[group, b] * (busy[d, b] + dt)
    for g in range(stalled.shape[0]):
        for b in range(size):
            total[g, b] += stalled[g, b]
            stalled[g, b] = holding[g, b] = ZERO


@inlined
def _enter(d, slot, queued, arrivals, jobs, low, offered, before, work, size):
    """Let the arrivals (demands, B) and jobs (demands, slots, B) of a substep enter a queue."""
    for b in range(size):
        before[d, b] = ZERO
        offered[d, b] = arrivals[d, low + b]
    for k in range(queued.shape[1]):
        for b in range(size):
            before[d, b] += queued[d, k, b]
    for b in range(size):
        queued[d, slot, b] += offered[d, b]
    for k in range(jobs.shape[1]):
        for b in range(size):
            queued[d, k, b] += jobs[d, k, low + b]
            offered[d, b] += jobs[d, k, low + b]
    for b in range(size):
        work[d, b] = before[d, b] + offered[d, b]


@inlined
def _play(law, load, clock, mine, kept, sums, low, size):
    """Play one interval for the columns from `low` of a block; `mine` and `sums` hold them only.

    Without buckets `kept` is None, and what is there for them is not compiled.
    """
    rates, capacity, queued, busy, overrun = mine
    totals, carried_sum, stalled_sum = sums
    arrivals, jobs = load
    demands, tunnels, n_pools = queued.shape[0], rates.shape[0], law.pool_link.shape[0]
    per_demand = tunnels // demands
    share, quota = np.empty((tunnels, size), np.float32), np.empty((tunnels, size), np.float32)
    room0, delay = np.empty((n_pools, size), np.float32), np.empty((demands, size), np.float32)
    fit = np.empty((capacity.shape[0] + 1, size), np.float32)
    cut(rates, capacity, law.link_hops, fit, overrun, size)
    allot(law, rates, capacity, share, quota, room0, delay, size)
    if kept is None:
        may, lent = quota, room0
    else:
        bucket, may, lent = np.empty_like(kept), np.empty_like(quota), np.empty_like(room0)
        size_buckets(law, rates, bucket, size)
    want, carried = np.empty((tunnels, size), np.float32), np.empty((tunnels, size), np.float32)
    room, scratch = np.empty_like(room0), np.empty((room0.shape[0] + 1, size), np.float32)
    work, before = np.empty((demands, size), np.float32), np.empty((demands, size), np.float32)
    offered = np.empty((demands, size), np.float32)
    served, left = np.empty(size, np.float32), np.empty(size, np.float32)
    spare = np.empty(size, np.float32)
    active = np.empty(tunnels + 1, np.int64)
    stalled, holding = np.zeros_like(stalled_sum), np.zeros_like(stalled_sum)
    offered_gbit = np.empty((tunnels if stalled.shape[0] > 0 else 0, size), np.float32)
    for substep in range(arrivals.shape[0]):
        coming = jobs if substep == 0 else jobs[:, :0]
        for d in range(demands):
            slot = law.arrival_slot[d]
            _enter(d, slot, queued, arrivals[substep], coming, low, offered, before, work, size)
        if kept is not None:
            save(work, share, quota, room0, law.pool_hops, bucket, kept, may, lent, spare, size)
        _carry(
            work, share, may, lent, law.borrow_weight, law.pool_hops,
            want, carried, offered_gbit, room, scratch, active, size,
        )  # fmt: skip
        for p in range(tunnels):
            for b in range(size):
                carried_sum[p, b] += carried[p, b]
        for d in range(demands):
            _serve(carried, d, per_demand, work, queued, served, left, spare, size)
            _book(d, law, law.dt_s, offered, served, before, left, delay, totals, size)
            if law.group[d] >= 0:
                _stall(
                    d, law, law.dt_s, want, offered_gbit, per_demand,
                    left, busy, stalled, holding, spare, size,
                )  # fmt: skip
            _expire(d, law.width_substeps[d, 0], law.dt_s, clock, queued, left, totals, size)
        for b in range(size):
            clock[b] += 1
        _close_groups(law, law.dt_s, busy, stalled, holding, stalled_sum, size)


@inlined
def _play_columns(law, decided, load, clock, held, saved, written, low, size):
    """Play one interval for the `size` columns from `low`: read them, play, write them."""
    rates, capacity = taken(decided[0], low, size), taken(decided[1], low, size)
    before, busy = held[0], taken(held[1], low, size)
    queued_out, busy_out, overrun_out, totals_out, carried_out, stalled_out, seen = written
    queued = np.empty((before.shape[0], before.shape[1], size), np.float32)
    for d in range(queued.shape[0]):
        for k in range(queued.shape[1]):
            for b in range(size):
                queued[d, k, b] = before[d, k, low + b]
    ticks, overrun = np.empty(size, np.int64), np.zeros(size, np.float32)
    for b in range(size):
        ticks[b] = clock[low + b]
    totals = np.zeros((5, queued.shape[0], size), np.float32)
    carried = np.zeros(rates.shape, np.float32)
    stalled = np.zeros((stalled_out.shape[0], size), np.float32)
    by_flow = (totals[0], totals[1], totals[2], totals[3], totals[4])
    mine, sums = (rates, capacity, queued, busy, overrun), (by_flow, carried, stalled)
    if saved is None:
        _play(law, load, ticks, mine, None, sums, low, size)
    else:
        kept = taken(saved, low, size)
        _play(law, load, ticks, mine, kept, sums, low, size)
        put(kept, low, saved, size)
    measured(law, load, carried, seen, low, size)
    for d in range(queued.shape[0]):
        put(queued[d], low, queued_out[d], size)
    for b in range(size):
        overrun_out[low + b] = overrun[b]
    for flow in range(5):
        put(totals[flow], low, totals_out[flow], size)
    put(busy, low, busy_out, size)
    put(carried, low, carried_out, size)
    put(stalled, low, stalled_out, size)


@kernel
def play_block(law, decided, load, clock, held, saved, written, low, high):
    """Play one interval of the columns `low` to `high`, unsigned, in blocks of `LANES`.

    What is saved is updated; it is None where nothing is.
    """
    blocks = (high - low) // LANES
    for block in range(blocks):
        _play_columns(law, decided, load, clock, held, saved, written, low + block * LANES, LANES)
    low += blocks * LANES
    if low < high:
        _play_columns(law, decided, load, clock, held, saved, written, low, high - low)


@kernel
def play_one(law, decided, load, clock, held, saved, written):
    """`play_block` for a single episode: the constant 1 removes the inner loops."""
    _play_columns(law, decided, load, clock, held, saved, written, np.uint64(0), np.uint64(1))
