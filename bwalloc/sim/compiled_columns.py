# pyright: basic
# numba infers the types of a kernel.
"""Columns of a batch in and out of a block, and what is measured of them; see `compiled`."""

from __future__ import annotations

import numpy as np
from numba import njit

FAST = {"contract", "arcp", "nsz", "nnan", "reassoc"}
inlined = njit(nogil=True, fastmath=FAST, error_model="numpy", forceinline=True)
ZERO, ONE = np.float32(0), np.float32(1)


@inlined
def taken(values, low, size):
    """The columns from `low` of a block, side by side."""
    rows = values.shape[0]
    taken = np.empty((rows, size), np.float32)
    for row in range(rows):
        for b in range(size):
            taken[row, b] = values[row, low + b]
    return taken


@inlined
def put(values, low, into, size):
    """Write columns that lie side by side to those from `low` of a block."""
    for row in range(values.shape[0]):
        for b in range(size):
            into[row, low + b] = values[row, b]


@inlined
def measured(law, load, carried, seen, low, size):
    """What was offered, of late and at most, (demands, B), and carried by link, in Gbit/s."""
    arrivals, jobs = load
    offered, recent, peak, by_link = seen
    substeps, demands = arrivals.shape[0], arrivals.shape[1]
    first, links = substeps - law.recent, by_link.shape[0]
    per_interval = ONE / (law.dt_s * np.float32(substeps))
    per_recent, per_substep = ONE / (law.dt_s * np.float32(law.recent)), ONE / law.dt_s
    for d in range(demands):
        for b in range(size):
            offered[d, low + b] = recent[d, low + b] = peak[d, low + b] = ZERO
        for substep in range(substeps):
            late = ONE if substep >= first else ZERO
            for b in range(size):
                gbit = arrivals[substep, d, low + b]
                offered[d, low + b] += gbit
                recent[d, low + b] += late * gbit
                peak[d, low + b] = max(peak[d, low + b], gbit)
        for k in range(jobs.shape[1]):
            for b in range(size):
                offered[d, low + b] += jobs[d, k, low + b]
        for b in range(size):
            offered[d, low + b] *= per_interval
            recent[d, low + b] *= per_recent
            peak[d, low + b] *= per_substep
    for link in range(links):
        for b in range(size):
            by_link[link, low + b] = ZERO
    for p in range(carried.shape[0]):
        for h in range(law.link_hops.shape[1]):
            link = law.link_hops[p, h]
            if link < links:
                for b in range(size):
                    by_link[link, low + b] += carried[p, b]
    for link in range(links):
        for b in range(size):
            by_link[link, low + b] *= per_interval
