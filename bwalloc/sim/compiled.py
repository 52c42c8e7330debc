# pyright: basic
# numba infers the types of a kernel; Law and compile_law are annotated.
"""The compiled twin of `dynamics.play_interval`; held to it by a parity test.

Inner loops run over a block of episodes, so that they vectorise; blocks can run in threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from bwalloc.sim.physics import Physics

FAST = {"contract", "arcp", "nsz", "nnan", "reassoc"}
inlined = njit(nogil=True, fastmath=FAST, error_model="numpy", forceinline=True)
kernel = njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
TINY = np.float32(1e-6)
SOFT = np.float32(1e-4)
IDLE_GBIT = np.float32(1e-4)
ZERO = np.float32(0)
ONE = np.float32(1)


@inlined
def _borrow(want, carried, weight, hops, room, n_pools, scratch, size):
    """One round of `share_once` on what is still wanted; updates `carried` and `room`."""
    tunnels, width = hops.shape
    scratch[:] = SOFT
    for p in range(tunnels):
        for h in range(width):
            pool = hops[p, h]
            if pool < n_pools:
                for b in range(size):
                    scratch[pool, b] += weight[p] if want[p, b] - carried[p, b] > TINY else ZERO
    for pool in range(n_pools):
        for b in range(size):
            scratch[pool, b] = room[pool, b] / scratch[pool, b]
    for p in range(tunnels):
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
def _carry(work, share, quota, room0, weight, hops, want, carried, room, scratch, size):
    """Guaranteed service, then two rounds of borrowing, of one substep."""
    tunnels, width = hops.shape
    n_pools = room0.shape[0]
    per_demand = tunnels // work.shape[0]
    room[:] = room0
    for p in range(tunnels):
        for b in range(size):
            want[p, b] = share[p, b] * work[p // per_demand, b]
            carried[p, b] = min(want[p, b], quota[p, b])
        for h in range(width):
            pool = hops[p, h]
            if pool < n_pools:
                for b in range(size):
                    room[pool, b] -= carried[p, b]
    for pool in range(n_pools):
        for b in range(size):
            room[pool, b] = max(room[pool, b], ZERO)
    for _ in range(2):
        _borrow(want, carried, weight, hops, room, n_pools, scratch, size)


@inlined
def _book(d, law, dt, offered, served, before, left, delay, totals, size):
    """Add the value and the attainment of what demand `d` was served."""
    served_sum, _, attained, delivered, _ = totals
    for b in range(size):
        value = ZERO
        for j in range(law.value_step.shape[0]):
            cap = offered[b] * law.value_share[j, d, 0] + law.value_free[j, d, 0]
            value += law.value_step[j, d, 0] * min(served[b], cap)
        low, high = min(before[b], left[b]), max(before[b], left[b])
        fits = (law.budget_s[d, 0] - delay[d, b]) * served[b] / dt
        within = (fits - low + TINY) / (high - low + TINY)
        served_sum[d, b] += served[b]
        delivered[d, b] += value
        attained[d, b] += served[b] * min(max(within, ZERO), ONE)


@inlined
def _expire(d, width, dt, clock, queue, left, totals, size):
    """Expire the first slot of demand `d` where its time is over, and note what still waits."""
    _, expired, _, _, waiting = totals
    count = queue.shape[0]
    for b in range(size):
        if width > 0 and (clock[b] + 1) % width == 0:
            expired[d, b] += queue[0, b]
            left[b] -= queue[0, b]
            for k in range(count - 1):
                queue[k, b] = queue[k + 1, b]
            queue[count - 1, b] = ZERO
        waiting[d, b] += max(left[b], ZERO) * dt


@inlined
def _serve(carried, d, per_demand, work, queue, served, left, size):
    """Take what the tunnels of demand `d` carry from its queue, earliest deadline first."""
    count = queue.shape[0]
    for b in range(size):
        served[b] = ZERO
        for k in range(per_demand):
            served[b] += carried[d * per_demand + k, b]
        served[b] = min(served[b], work[d, b])
        left[b] = work[d, b] - served[b]
        rest = served[b]
        for k in range(count):
            taken = min(queue[k, b], rest)
            queue[k, b] -= taken
            rest -= taken


@inlined
def _stall(d, law, dt, quota, per_demand, work, left, busy, stalled, size):
    """Seconds demand `d` holds its group up in this substep; keeps the longest of the group."""
    group = law.group[d]
    for b in range(size):
        total = TINY
        for k in range(per_demand):
            total += quota[d * per_demand + k, b]
        drain = dt if left[b] > IDLE_GBIT else dt * min(work[d, b] / total, ONE)
        grace = max(law.grace_s[d, 0] - busy[d, b], ZERO)
        stalled[group, b] = max(stalled[group, b], drain - grace)
        busy[d, b] = busy[d, b] + dt if left[b] > IDLE_GBIT else ZERO


@inlined
def _play(law, service, load, clock, queued, busy, totals, carried_sum, stalled_sum, size):
    """Play all substeps of one interval for one block; updates the last five arrays in place."""
    share, quota, room0, delay = service
    arrivals, jobs = load
    demands, count, _ = queued.shape
    tunnels, per_demand = share.shape[0], share.shape[0] // demands
    want, carried = np.empty((tunnels, size), np.float32), np.empty((tunnels, size), np.float32)
    room, scratch = np.empty_like(room0), np.empty((room0.shape[0] + 1, size), np.float32)
    work, before = np.empty((demands, size), np.float32), np.empty((demands, size), np.float32)
    offered = np.empty((demands, size), np.float32)
    served, left = np.empty(size, np.float32), np.empty(size, np.float32)
    stalled = np.zeros(stalled_sum.shape, np.float32)
    for substep in range(arrivals.shape[0]):
        for d in range(demands):
            slot = law.arrival_slot[d]
            for b in range(size):
                before[d, b] = ZERO
                for k in range(count):
                    before[d, b] += queued[d, k, b]
                offered[d, b] = arrivals[substep, d, b]
                queued[d, slot, b] += offered[d, b]
                if substep == 0:
                    for k in range(jobs.shape[1]):
                        queued[d, k, b] += jobs[d, k, b]
                        offered[d, b] += jobs[d, k, b]
                work[d, b] = before[d, b] + offered[d, b]
        _carry(
            work,
            share,
            quota,
            room0,
            law.borrow_weight,
            law.pool_hops,
            want,
            carried,
            room,
            scratch,
            size,
        )
        for p in range(tunnels):
            for b in range(size):
                carried_sum[p, b] += carried[p, b]
        for d in range(demands):
            _serve(carried, d, per_demand, work, queued[d], served, left, size)
            _book(d, law, law.dt_s, offered[d], served, before[d], left, delay, totals, size)
            if law.group[d] >= 0:
                _stall(d, law, law.dt_s, quota, per_demand, work, left, busy, stalled, size)
            _expire(d, law.width_substeps[d, 0], law.dt_s, clock, queued[d], left, totals, size)
        for b in range(size):
            clock[b] += 1
        for g in range(stalled.shape[0]):
            for b in range(size):
                stalled_sum[g, b] += stalled[g, b]
                stalled[g, b] = ZERO


@kernel
def play_block(law, service, load, clock, queued, busy, totals, carried_sum, stalled_sum):
    """`_play` for a block of episodes: its inner loops vectorise."""
    _play(
        law, service, load, clock, queued, busy, totals, carried_sum, stalled_sum, queued.shape[2]
    )


@kernel
def play_one(law, service, load, clock, queued, busy, totals, carried_sum, stalled_sum):
    """`_play` for a single episode: the constant 1 removes the inner loops."""
    _play(law, service, load, clock, queued, busy, totals, carried_sum, stalled_sum, 1)


class Law(NamedTuple):
    """The constants of `Physics` in the form numba takes."""

    dt_s: np.float32
    arrival_slot: np.ndarray
    width_substeps: np.ndarray
    borrow_weight: np.ndarray
    pool_hops: np.ndarray
    value_step: np.ndarray
    value_share: np.ndarray
    value_free: np.ndarray
    budget_s: np.ndarray
    grace_s: np.ndarray
    group: np.ndarray


def compile_law(physics: Physics) -> Law:
    """Collect what the kernel needs of `physics`."""
    group = np.full(physics.shape[0], -1, np.int64)
    for number, rows in enumerate(physics.members):
        group[rows] = number
    return Law(
        np.float32(physics.dt_s),
        physics.enters[:, :, 0].argmax(1),
        physics.width_substeps,
        np.ascontiguousarray(physics.borrow_weight[:, 0]),
        physics.pools.hops,
        physics.value_step,
        physics.value_share,
        physics.value_free,
        physics.budget_s,
        physics.grace_s,
        group,
    )
