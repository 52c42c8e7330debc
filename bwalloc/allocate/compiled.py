# pyright: basic
# numba infers the types of a kernel.
"""The compiled twin of `Decoder`; held to it by a parity test."""

from __future__ import annotations

import numpy as np
from numba import njit

from bwalloc.allocate.sharing import SOFT as _SOFT
from bwalloc.allocate.sharing import TINY as _TINY

FAST = {"contract", "arcp", "nsz", "nnan", "reassoc"}
inlined = njit(nogil=True, fastmath=FAST, error_model="numpy", forceinline=True)
kernel = njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
TINY, SOFT = np.float32(_TINY), np.float32(_SOFT)
ZERO = np.float32(0)


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
                    ratio[link, b] += weight[p, b] if want[p, b] > TINY else ZERO
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
            offer = weight[p, b] * least[b]
            least[b] = min(offer, want[p, b]) if want[p, b] > TINY else ZERO
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
def _move(split, hops, room, floor, is_open, least, demands, room_left, size):
    """Move the shares of each demand to its tunnels that still have room."""
    tunnels, width = hops.shape
    links, per_demand = room.shape[0], tunnels // demands
    for p in range(tunnels):
        for b in range(size):
            is_open[p, b] = split[p, b] if hops[p, 0] < links else ZERO
        for h in range(width):
            link = hops[p, h]
            if link < links:
                for b in range(size):
                    is_open[p, b] = is_open[p, b] if room[link, b] > floor[link, b] else ZERO
    for d in range(demands):
        for b in range(size):
            least[b] = ZERO
            for k in range(per_demand):
                least[b] += is_open[d * per_demand + k, b]
        for k in range(per_demand):
            p = d * per_demand + k
            for b in range(size):
                moved = is_open[p, b] / (least[b] + np.float32(1e-9))
                split[p, b] = moved if least[b] > room_left else split[p, b]


@inlined
def _decode(ask, capacity, hops, rounds, spare_rounds, shrink, room_left, rates, size):
    """All rounds of `Decoder.__call__` on a normalised split."""
    wanted, weights, split, spare = ask
    tunnels, demands, links = hops.shape[0], wanted.shape[0], capacity.shape[0]
    per_demand = tunnels // demands
    room, floor = capacity * shrink, capacity * room_left
    ratio, least = np.empty((links, size), np.float32), np.empty(size, np.float32)
    want, weight = np.empty((tunnels, size), np.float32), np.empty((tunnels, size), np.float32)
    left, granted = wanted.copy(), np.empty((demands, size), np.float32)
    for _ in range(rounds):
        for p in range(tunnels):
            d = p // per_demand
            for b in range(size):
                want[p, b] = left[d, b] * split[p, b]
                weight[p, b] = weights[d, b] * split[p, b]
        granted[:] = ZERO
        _share(want, weight, hops, room, ratio, least, rates, granted, size)
        for d in range(demands):
            for b in range(size):
                left[d, b] = max(left[d, b] - granted[d, b], ZERO)
        _move(split, hops, room, floor, want, least, demands, room_left, size)
    want[:] = capacity.max()
    for _ in range(spare_rounds):
        for p in range(tunnels):
            for b in range(size):
                weight[p, b] = spare[p // per_demand, b] * split[p, b]
        _share(want, weight, hops, room, ratio, least, rates, granted, size)


@kernel
def decode_block(ask, capacity, hops, rounds, spare_rounds, shrink, room_left, rates):
    """`_decode` for a block of episodes: its inner loops vectorise."""
    size = np.uint64(rates.shape[1])
    _decode(ask, capacity, hops, rounds, spare_rounds, shrink, room_left, rates, size)


@kernel
def decode_one(ask, capacity, hops, rounds, spare_rounds, shrink, room_left, rates):
    """`_decode` for a single episode: the constant 1 removes the inner loops."""
    _decode(ask, capacity, hops, rounds, spare_rounds, shrink, room_left, rates, np.uint64(1))
