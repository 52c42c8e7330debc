# pyright: basic
# numba infers the types of a kernel.
"""Compiled twins of the loops over cells in `counts` and `ou`: the same numbers, bit for bit.

No fast arithmetic here: an episode must not depend on whether numba is installed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

inlined = njit(error_model="numpy", forceinline=True)
kernel = njit(cache=True, nogil=True, error_model="numpy")
ONE = np.float32(1)
ZERO = np.float32(0)
NINTH = np.float32(1.0 / 9.0)
DITHER = 2.0**-32


class Grid(NamedTuple):
    """An alias table of `counts`: its words, its first mean, rows per unit, log2 of its columns."""

    packed: np.ndarray
    first: np.float32
    per_unit: np.float32
    shift: np.uint32


@inlined
def _looked_up(packed, first, per_unit, shift, top, mean, dither, pick):
    scaled = np.float32((mean - first) * per_unit)
    grid = np.float32(np.float64(scaled) + np.float64(dither) * DITHER)
    mask = np.uint32((np.uint32(1) << shift) - np.uint32(1))
    row = np.uint32(np.int32(min(grid, top)))
    column = np.uint32(pick & mask)
    word = packed[np.uint32((row << shift) | column)]
    count = column if (pick >> shift) < (word >> shift) else word & mask
    return np.float32(np.int32(count))


@kernel
def tabled_counts(bits, mean, low, high, counts):
    """Fill `counts`; returns whether a mean lies beyond the tables. `mean`, `counts` are flat.

    All cells go by the low table first, without a branch; those of large means are done again.
    """
    shift, top = low.shift, np.float32((low.packed.size >> low.shift) - 1)
    edge, largest = high.first, ZERO
    for i in range(np.uint64(mean.size)):
        largest = max(largest, mean[i])
        counts[i] = _looked_up(
            low.packed, low.first, low.per_unit, shift, top, min(mean[i], edge), *_words(bits, i)
        )
    if largest <= edge:
        return False
    top = np.float32((high.packed.size >> high.shift) - 1)
    last = edge + top / high.per_unit
    for i in range(mean.size):
        if mean[i] > edge:
            within = min(mean[i], last)
            counts[i] = _looked_up(
                high.packed, edge, high.per_unit, high.shift, top, within, *_words(bits, i)
            )
    return largest > last


@inlined
def _words(bits, i):
    return bits[i, 0], bits[i, 1]


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


@kernel
def walked(uniforms, start, low, high, factors, path):
    """Fill `path` (seconds, columns) with the factor of the state that each column is in.

    From each state the uniform of a second leads to 0 up to `low`, to 1 up to `high`, else to 2.
    """
    seconds, columns = path.shape
    state = start.copy()
    for t in range(seconds):
        for j in range(columns):
            now = state[j]
            state[j] = np.int64(uniforms[t, j] > low[now]) + np.int64(uniforms[t, j] > high[now])
            path[t, j] = factors[state[j]]
