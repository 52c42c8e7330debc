# pyright: basic
# numba infers the types of a kernel.
"""The compiled twin of `Window`: the same numbers, bit for bit.

No arithmetic that changes a sum here: what is asked for must not depend on numba.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FAST = {"nnan", "nsz"}
inlined = njit(nogil=True, fastmath=FAST, error_model="numpy", forceinline=True)
kernel = njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
ONE = np.float32(1)
COLUMNS = np.uint64(64)
"""Columns worked on at a time; unsigned, since a signed index stops loops from vectorising."""


@inlined
def _lower(rows, sign, best, spare, out, low, size):
    """Keep the lowest of `sign` times each column in `best`, lowest first; take the last."""
    count = best.shape[0]
    best[:] = np.inf
    for row in range(rows.shape[0]):
        for b in range(size):
            spare[b] = rows[row, low + b] * sign
        for place in range(count):
            for b in range(size):
                lower = min(best[place, b], spare[b])
                spare[b] = max(best[place, b], spare[b])
                best[place, b] = lower
    for b in range(size):
        out[low + b] = best[count - 1, b] * sign


@kernel
def ranked(rows, rank, out):
    """What stands at place `rank` of each sorted column of `rows` (length, columns), into `out`.

    It is counted from the nearer end, so that few numbers are kept.
    """
    length, columns = rows.shape[0], np.uint64(rows.shape[1])
    from_top = 2 * rank >= length
    count = length - rank if from_top else rank + 1
    sign = -ONE if from_top else ONE
    best, spare = np.empty((count, COLUMNS), np.float32), np.empty(COLUMNS, np.float32)
    whole = columns // COLUMNS
    for block in range(whole):
        _lower(rows, sign, best, spare, out, block * COLUMNS, COLUMNS)
    if columns > whole * COLUMNS:
        _lower(rows, sign, best, spare, out, whole * COLUMNS, columns - whole * COLUMNS)


@inlined
def _weighted(rows, weights, total, low, size):
    for b in range(size):
        total[low + b] = rows[0, low + b] * weights[0]
    for row in range(1, rows.shape[0]):
        weight = weights[row]
        for b in range(size):
            total[low + b] += rows[row, low + b] * weight


@kernel
def weighted(rows, weights, total):
    """Sum of `rows` (length, columns) times their weights, row by row, into `total`."""
    columns = np.uint64(rows.shape[1])
    whole = columns // COLUMNS
    for block in range(whole):
        _weighted(rows, weights, total, block * COLUMNS, COLUMNS)
    if columns > whole * COLUMNS:
        _weighted(rows, weights, total, whole * COLUMNS, columns - whole * COLUMNS)
