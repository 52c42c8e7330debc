# pyright: basic
# numba infers the types of a kernel.
"""Compiled twins of the loops over cells in `counts` and `ou`: the same numbers, bit for bit.

No fast arithmetic here: an episode must not depend on whether numba is installed.
"""

from __future__ import annotations

import numpy as np
from numba import njit

inlined = njit(error_model="numpy", forceinline=True)
kernel = njit(cache=True, nogil=True, error_model="numpy")
ONE = np.float32(1)
ZERO = np.float32(0)
NINTH = np.float32(1.0 / 9.0)
DITHER = 2.0**-32


@inlined
def _looked_up(table, mean, dither, pick):
    scaled = np.float32((mean - table.first) * table.per_unit)
    grid = np.float32(np.float64(scaled) + np.float64(dither) * DITHER)
    row = np.int64(min(grid, np.float32(table.threshold.size // table.columns - 1)))
    column = np.int64(pick & np.uint32(table.columns - 1))
    cell = row * table.columns + column
    keep = (pick >> table.shift) < table.threshold[cell]
    return np.float32(column) if keep else np.float32(table.alias[cell])


@kernel
def tabled_counts(bits, mean, low, high, counts):
    """Fill `counts`; returns whether a mean lies beyond the tables. `mean`, `counts` are flat."""
    last = high.first + np.float32(high.threshold.size // high.columns - 1) / high.per_unit
    beyond = False
    for i in range(mean.size):
        dither, pick = bits[i, 0], bits[i, 1]
        if mean[i] <= high.first:
            counts[i] = _looked_up(low, mean[i], dither, pick)
        else:
            beyond |= mean[i] > last
            counts[i] = _looked_up(high, min(mean[i], last), dither, pick)
    return beyond


@kernel
def cubed_normals(normals, counts, means, per_count, sums):
    """Fill `sums` (rows, columns) with the total size of `counts` requests in each cell."""
    rows, columns = counts.shape
    for i in range(rows):
        for j in range(np.uint64(columns)):
            shape = max(counts[i, j], ONE) * per_count
            ninth = NINTH / shape
            root = np.float32(np.sqrt(ninth)) * normals[i, j]
            root -= ninth
            root += ONE
            root = max(root, ZERO)
            cube = root * root
            cube *= root
            cube *= counts[i, j]
            sums[i, j] = cube * means[j]
