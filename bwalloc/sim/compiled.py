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
        wanted, got, heavy = want[p], carried[p], weight[p]
        for h in range(width):
            if hops[p, h] < n_pools:
                total = scratch[hops[p, h]]
                for b in range(size):
                    total[b] += heavy if wanted[b] - got[b] > TINY else ZERO
    for pool in range(n_pools):
        ratio, free = scratch[pool], room[pool]
        for b in range(size):
            ratio[b] = free[b] / ratio[b]
    least = scratch[n_pools]
    for p in range(tunnels):
        if hops[p, 0] >= n_pools:
            continue
        wanted, got, heavy, ratio = want[p], carried[p], weight[p], scratch[hops[p, 0]]
        for b in range(size):
            least[b] = ratio[b]
        for h in range(1, width):
            if hops[p, h] < n_pools:
                ratio = scratch[hops[p, h]]
                for b in range(size):
                    least[b] = min(least[b], ratio[b])
        for b in range(size):
            missing = wanted[b] - got[b]
            grant = min(heavy * least[b], missing) if missing > TINY else ZERO
            least[b] = grant
            got[b] += grant
        for h in range(width):
            if hops[p, h] < n_pools:
                free = room[hops[p, h]]
                for b in range(size):
                    free[b] = max(free[b] - least[b], ZERO)


@inlined
def _carry(work, share, quota, room0, weight, hops, want, carried, room, scratch, size):
    """Guaranteed service, then two rounds of borrowing, of one substep."""
    tunnels, width = hops.shape
    n_pools = room0.shape[0]
    per_demand = tunnels // work.shape[0]
    room[:] = room0
    for p in range(tunnels):
        wanted, got, part, most = want[p], carried[p], share[p], quota[p]
        waits = work[p // per_demand]
        for b in range(size):
            wanted[b] = part[b] * waits[b]
            got[b] = min(wanted[b], most[b])
        for h in range(width):
            if hops[p, h] < n_pools:
                free = room[hops[p, h]]
                for b in range(size):
                    free[b] -= got[b]
    for pool in range(n_pools):
        free = room[pool]
        for b in range(size):
            free[b] = max(free[b], ZERO)
    for _ in range(2):
        _borrow(want, carried, weight, hops, room, n_pools, scratch, size)


@inlined
def _book(d, law, dt, offered, served, before, left, delay, totals, size):
    """Add the value and the attainment of what demand `d` was served."""
    served_sum, attained, delivered = totals[0][d], totals[2][d], totals[3][d]
    budget, late = law.budget_s[d, 0], delay[d]
    for j in range(law.value_step.shape[0]):
        step, share, free = (
            law.value_step[j, d, 0], law.value_share[j, d, 0], law.value_free[j, d, 0],
        )  # fmt: skip
        for b in range(size):
            delivered[b] += step * min(served[b], offered[b] * share + free)
    for b in range(size):
        low, high = min(before[b], left[b]), max(before[b], left[b])
        fits = (budget - late[b]) * served[b] / dt
        within = (fits - low + TINY) / (high - low + TINY)
        served_sum[b] += served[b]
        attained[b] += served[b] * min(max(within, ZERO), ONE)


@inlined
def _expire(d, width, dt, clock, queue, left, totals, size):
    """Expire the first slot of demand `d` where its time is over, and note what still waits."""
    expired, waiting = totals[1][d], totals[4][d]
    count = queue.shape[0]
    if width > 0:
        for b in range(size):
            if (clock[b] + 1) % width == 0:
                expired[b] += queue[0, b]
                left[b] -= queue[0, b]
                for k in range(count - 1):
                    queue[k, b] = queue[k + 1, b]
                queue[count - 1, b] = ZERO
    for b in range(size):
        waiting[b] += max(left[b], ZERO) * dt


@inlined
def _serve(carried, d, per_demand, work, queue, served, left, rest, size):
    """Take what the tunnels of demand `d` carry from its queue, earliest deadline first."""
    waits = work[d]
    for b in range(size):
        served[b] = ZERO
    for k in range(per_demand):
        got = carried[d * per_demand + k]
        for b in range(size):
            served[b] += got[b]
    for b in range(size):
        served[b] = min(served[b], waits[b])
        left[b] = waits[b] - served[b]
        rest[b] = served[b]
    for k in range(queue.shape[0]):
        slot = queue[k]
        for b in range(size):
            taken = min(slot[b], rest[b])
            slot[b] -= taken
            rest[b] -= taken


@inlined
def _stall(d, law, dt, quota, per_demand, work, left, busy, stalled, total, size):
    """Seconds demand `d` holds its group up in this substep; keeps the longest of the group."""
    grace_s, waits, since, longest = law.grace_s[d, 0], work[d], busy[d], stalled[law.group[d]]
    for b in range(size):
        total[b] = TINY
    for k in range(per_demand):
        most = quota[d * per_demand + k]
        for b in range(size):
            total[b] += most[b]
    for b in range(size):
        is_left = left[b] > IDLE_GBIT
        drain = dt if is_left else dt * min(waits[b] / total[b], ONE)
        longest[b] = max(longest[b], drain - max(grace_s - since[b], ZERO))
        since[b] = since[b] + dt if is_left else ZERO


@inlined
def _enter(d, slot, queue, arrivals, jobs, offered, before, work, size):
    """Let the work of one substep enter the queue of demand `d`; `jobs` are (slots, B)."""
    last = queue[slot]
    for b in range(size):
        before[b] = ZERO
        offered[b] = arrivals[b]
    for k in range(queue.shape[0]):
        held = queue[k]
        for b in range(size):
            before[b] += held[b]
    for b in range(size):
        last[b] += arrivals[b]
    for k in range(jobs.shape[0]):
        held, job = queue[k], jobs[k]
        for b in range(size):
            held[b] += job[b]
            offered[b] += job[b]
    for b in range(size):
        work[b] = before[b] + offered[b]


@inlined
def _play(law, service, load, clock, queued, busy, totals, carried_sum, stalled_sum, size):
    """Play all substeps of one interval for one block; updates the last five arrays in place."""
    share, quota, room0, delay = service
    arrivals, jobs = load
    demands = queued.shape[0]
    tunnels, per_demand = share.shape[0], share.shape[0] // demands
    want, carried = np.empty((tunnels, size), np.float32), np.empty((tunnels, size), np.float32)
    room, scratch = np.empty_like(room0), np.empty((room0.shape[0] + 1, size), np.float32)
    work, before = np.empty((demands, size), np.float32), np.empty((demands, size), np.float32)
    offered = np.empty((demands, size), np.float32)
    lanes = np.empty((3, size), np.float32)
    served, left, spare = lanes[0], lanes[1], lanes[2]
    stalled = np.zeros(stalled_sum.shape, np.float32)
    for substep in range(arrivals.shape[0]):
        coming = jobs if substep == 0 else jobs[:, :0]
        for d in range(demands):
            _enter(
                d, law.arrival_slot[d], queued[d], arrivals[substep, d], coming[d],
                offered[d], before[d], work[d], size,
            )  # fmt: skip
        _carry(
            work, share, quota, room0, law.borrow_weight, law.pool_hops,
            want, carried, room, scratch, size,
        )  # fmt: skip
        for p in range(tunnels):
            total, got = carried_sum[p], carried[p]
            for b in range(size):
                total[b] += got[b]
        for d in range(demands):
            _serve(carried, d, per_demand, work, queued[d], served, left, spare, size)
            _book(d, law, law.dt_s, offered[d], served, before[d], left, delay, totals, size)
            if law.group[d] >= 0:
                _stall(
                    d, law, law.dt_s, quota, per_demand, work, left, busy, stalled, spare, size
                )
            _expire(d, law.width_substeps[d, 0], law.dt_s, clock, queued[d], left, totals, size)
        for b in range(size):
            clock[b] += 1
        for g in range(stalled.shape[0]):
            total, longest = stalled_sum[g], stalled[g]
            for b in range(size):
                total[b] += longest[b]
                longest[b] = ZERO


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
