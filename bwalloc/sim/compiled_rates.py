# pyright: basic
# numba infers the types of a kernel.
"""Rates as they serve, in a block of episodes: cut, split, saved; see `compiled`."""

from __future__ import annotations

import numpy as np

from bwalloc.allocate.sharing import TINY as _TINY
from bwalloc.sim.compiled_columns import inlined

TINY = np.float32(_TINY)
ZERO, ONE = np.float32(0), np.float32(1)


@inlined
def cut(rates, capacity, hops, fit, overrun, size):
    """Cut the tunnels of overloaded links in proportion; updates `rates` and `overrun`."""
    tunnels, width = hops.shape
    links = capacity.shape[0]
    fit[:] = ZERO
    for p in range(tunnels):
        for h in range(width):
            link = hops[p, h]
            if link < links:
                for b in range(size):
                    fit[link, b] += rates[p, b]
    for link in range(links):
        for b in range(size):
            load = fit[link, b]
            overrun[b] += max(load - capacity[link, b], ZERO)
            fit[link, b] = min(max(capacity[link, b] / (load + TINY), ZERO), ONE)
    for p in range(tunnels):
        for b in range(size):
            fit[links, b] = ONE
        for h in range(width):
            link = hops[p, h]
            if link < links:
                for b in range(size):
                    fit[links, b] = min(fit[links, b], fit[link, b])
        for b in range(size):
            rates[p, b] *= fit[links, b]


@inlined
def allot(law, rates, capacity, share, quota, room, delay, size):
    """Shares, quotas, pool room and delays of rates that fit; fills the last four arrays."""
    demands, n_pools = delay.shape[0], room.shape[0]
    per_demand = rates.shape[0] // demands
    for d in range(demands):
        for b in range(size):
            delay[d, b] = ZERO
        for k in range(per_demand):
            even = law.even_share[d, k, 0] * TINY
            for b in range(size):
                share[d * per_demand + k, b] = rates[d * per_demand + k, b] + even
                delay[d, b] += share[d * per_demand + k, b]
        for k in range(per_demand):
            for b in range(size):
                share[d * per_demand + k, b] /= delay[d, b]
        for b in range(size):
            delay[d, b] = ZERO
        for k in range(per_demand):
            delay_s = law.delay_s[d, k, 0]
            for b in range(size):
                delay[d, b] += share[d * per_demand + k, b] * delay_s
    for p in range(rates.shape[0]):
        for b in range(size):
            quota[p, b] = rates[p, b] * law.dt_s
    for pool in range(n_pools):
        for b in range(size):
            whole = capacity[law.pool_link[pool], b] * law.dt_s
            room[pool, b] = whole if law.pool_is_shared[pool, 0] else ZERO
    for p in range(rates.shape[0]):
        for h in range(law.pool_hops.shape[1]):
            pool = law.pool_hops[p, h]
            if pool < n_pools and not law.pool_is_shared[pool, 0]:
                for b in range(size):
                    room[pool, b] += quota[p, b]


@inlined
def size_buckets(law, rates, bucket, size):
    """Most that each tunnel may save."""
    for p in range(rates.shape[0]):
        for b in range(size):
            sized = max(rates[p, b] * law.burst_s, law.burst_gbit)
            bucket[p, b] = sized if rates[p, b] > ZERO else ZERO


@inlined
def save(work, share, quota, room, hops, bucket, kept, may, lent, spare, size):
    """What tunnels may send with what they saved, and what pools can carry; updates `kept`."""
    tunnels, width = hops.shape
    n_pools, per_demand = room.shape[0], tunnels // work.shape[0]
    lent[:] = room
    for p in range(tunnels):
        for b in range(size):
            before = min(kept[p, b], bucket[p, b])
            may[p, b] = quota[p, b] + before
            unused = max(may[p, b] - share[p, b] * work[p // per_demand, b], ZERO)
            kept[p, b] = min(unused, bucket[p, b])
            spare[b] = kept[p, b] - before
        for h in range(width):
            pool = hops[p, h]
            if pool < n_pools:
                for b in range(size):
                    lent[pool, b] -= spare[b]
