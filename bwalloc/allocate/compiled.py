# pyright: basic
# numba infers the types of a kernel.
"""The compiled twin of `Decoder`; held to it by a parity test."""

from __future__ import annotations

import numpy as np
from numba import njit

from bwalloc.allocate.decode import HUNGRY, OPEN
from bwalloc.allocate.decode import MARGIN as _MARGIN
from bwalloc.allocate.decode import STAY as _STAY
from bwalloc.allocate.sharing import SOFT as _SOFT
from bwalloc.allocate.sharing import TINY as _TINY

FAST = {"contract", "arcp", "nsz", "nnan", "reassoc"}
inlined = njit(nogil=True, fastmath=FAST, error_model="numpy", forceinline=True)
kernel = njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
TINY, SOFT = np.float32(_TINY), np.float32(_SOFT)
ZERO, ONE = np.float32(0), np.float32(1)
MARGIN, STAY = np.float32(_MARGIN), np.float32(_STAY)
MET, HUNGER = np.float32(HUNGRY[0]), np.float32(1 / (HUNGRY[1] - HUNGRY[0]))
FULL, OPENNESS = np.float32(OPEN[0]), np.float32(1 / (OPEN[1] - OPEN[0]))


@inlined
def _share(want, weight, hops, room, ratio, least, rates, granted, size):
    """One round of `share_once`; adds the grants to `rates` and `granted`, takes them from room."""
    tunnels, width = hops.shape
    links = room.shape[0]
    per_demand = tunnels // granted.shape[0]
    ratio[:] = SOFT
    for p in range(tunnels):
        for h in range(width):
            link = hops[p, h]
            if link < links:
                for b in range(size):
                    ratio[link, b] += weight[p, b]
    for link in range(links):
        for b in range(size):
            ratio[link, b] = room[link, b] / ratio[link, b]
    for p in range(tunnels):
        if hops[p, 0] >= links:
            continue
        for b in range(size):
            least[b] = ratio[hops[p, 0], b]
        for h in range(1, width):
            link = hops[p, h]
            if link < links:
                for b in range(size):
                    least[b] = min(least[b], ratio[link, b])
        for b in range(size):
            least[b] = min(weight[p, b] * least[b], want[p, b])
            rates[p, b] += least[b]
            granted[p // per_demand, b] += least[b]
        for h in range(width):
            link = hops[p, h]
            if link < links:
                for b in range(size):
                    room[link, b] -= least[b]
    for link in range(links):
        for b in range(size):
            room[link, b] = max(room[link, b], ZERO)


@inlined
def _move(split, hops, room, capacity, is_open, total, demands, size):
    """Move the shares of each demand to its tunnels whose links have a free share."""
    tunnels, width = hops.shape
    links, per_demand = room.shape[0], tunnels // demands
    for p in range(tunnels):
        for b in range(size):
            is_open[p, b] = ONE if hops[p, 0] < links else ZERO
        for h in range(width):
            link = hops[p, h]
            if link < links:
                for b in range(size):
                    free = room[link, b] / (capacity[link, b] + TINY)
                    openness = min(max((free - FULL) * OPENNESS, ZERO), ONE)
                    is_open[p, b] = min(is_open[p, b], openness)
    for d in range(demands):
        for b in range(size):
            total[b] = STAY
            for k in range(per_demand):
                p = d * per_demand + k
                is_open[p, b] *= split[p, b]
                total[b] += is_open[p, b]
        for p in range(d * per_demand, (d + 1) * per_demand):
            for b in range(size):
                split[p, b] = (is_open[p, b] + STAY * split[p, b]) / total[b]


@inlined
def _decode(ask, capacity, hops, rounds, spare_rounds, rates, size):
    """All rounds of `Decoder.__call__` on a normalised split."""
    wanted, weights, split, spare = ask
    tunnels, demands, links = hops.shape[0], wanted.shape[0], capacity.shape[0]
    per_demand = tunnels // demands
    room = capacity - capacity * MARGIN
    ratio, least = np.empty((links, size), np.float32), np.empty(size, np.float32)
    want, weight = np.empty((tunnels, size), np.float32), np.empty((tunnels, size), np.float32)
    left, granted = wanted.copy(), np.empty((demands, size), np.float32)
    for _ in range(rounds):
        for p in range(tunnels):
            d = p // per_demand
            for b in range(size):
                want[p, b] = left[d, b] * split[p, b]
                missing = left[d, b] / (wanted[d, b] + TINY)
                hungry = min(max((missing - MET) * HUNGER, ZERO), ONE)
                weight[p, b] = weights[d, b] * hungry * split[p, b]
        granted[:] = ZERO
        _share(want, weight, hops, room, ratio, least, rates, granted, size)
        for d in range(demands):
            for b in range(size):
                left[d, b] = max(left[d, b] - granted[d, b], ZERO)
        _move(split, hops, room, capacity, want, least, demands, size)
    want[:] = capacity.max()
    for _ in range(spare_rounds):
        for p in range(tunnels):
            for b in range(size):
                weight[p, b] = spare[p // per_demand, b] * split[p, b]
        _share(want, weight, hops, room, ratio, least, rates, granted, size)


@kernel
def decode_block(ask, capacity, hops, rounds, spare_rounds, rates):
    """`_decode` for a block of episodes: its inner loops vectorise."""
    size = np.uint64(rates.shape[1])
    _decode(ask, capacity, hops, rounds, spare_rounds, rates, size)


@kernel
def decode_one(ask, capacity, hops, rounds, spare_rounds, rates):
    """`_decode` for a single episode: the constant 1 removes the inner loops."""
    _decode(ask, capacity, hops, rounds, spare_rounds, rates, np.uint64(1))
