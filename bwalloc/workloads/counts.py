"""Compound Poisson volumes: how many requests arrive in a step, and how large they are together."""

from __future__ import annotations

from functools import cache
from math import lgamma
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.workloads.columns import Column, as_column

if TYPE_CHECKING:
    from jaxtyping import Float, UInt

LARGEST_TABLED_MEAN = 8.0
_PER_UNIT = 32  # tabled means per unit of mean
_COUNTS = 32  # counts 0 to 31; P(more | mean 8) < 1e-10
_WHOLE = 1 << 27  # an alias threshold that always keeps the column
_LEAST_GAMMA_SHAPE = 0.8
_BLOCK_CELLS = 16_384


def poisson_counts(
    rng: np.random.Generator, mean: Float[np.ndarray, "steps columns"]
) -> Float[np.ndarray, "steps columns"]:
    """Poisson counts with the given means, as float32.

    Means up to 8 take one 64-bit draw and two table look-ups a cell, several times faster than
    `Generator.poisson`: the mean is rounded to one of its two neighbours on a grid of 1/32 by
    chance (so means are exact and the variance is at most 2.5e-4 too high), and the count comes
    from that grid point's alias table. Larger means go to `Generator.poisson`.

    Ref: Walker, ACM TOMS 3 (1977) 253-256.
    """
    counts = np.empty(mean.shape, np.float32)
    for rows in _blocks(mean.shape):
        _tabled_counts(rng, mean[rows], counts[rows])
    large = np.flatnonzero(mean > LARGEST_TABLED_MEAN)
    if large.size:
        counts.ravel()[large] = rng.poisson(mean.ravel()[large])
    return counts


def summed_sizes(
    rng: np.random.Generator,
    counts: Float[np.ndarray, "steps columns"],
    mean: Column,
    cv: float,
) -> Float[np.ndarray, "steps columns"]:
    """Sum of `counts` independent gamma sizes in each cell, in one draw a cell.

    The sum of n gammas of shape k is a gamma of shape n*k. For shapes of .8 and more the cube of
    a normal stands for the gamma (mean and CV exact to 1 %, p1 to p99 to 5 %), which is twice
    as fast; sizes with a larger CV are drawn exactly.

    Args:
        rng: Source of one draw per cell, whatever the counts.
        counts: Number of sizes in each cell.
        mean: Mean size of each column, in any unit.
        cv: Coefficient of variation of one size.

    Ref: Wilson & Hilferty, PNAS 17 (1931) 684-688.
    """
    means = as_column(mean, counts.shape[1])
    sums = np.empty(counts.shape, np.float32)
    draw = _exact_gammas if cv**-2 < _LEAST_GAMMA_SHAPE else _cubed_normals
    for rows in _blocks(counts.shape):
        shape = np.maximum(counts[rows], 1.0)
        shape *= np.float32(1.0 / cv**2)
        part = draw(rng, shape)
        part *= counts[rows]
        np.multiply(part, means, out=sums[rows])
    return sums


def _blocks(shape: tuple[int, ...]) -> list[slice]:
    """Rows at a time, so that scratch arrays stay in the cache; draws do not depend on it."""
    rows = max(1, _BLOCK_CELLS // max(1, shape[1]))
    return [slice(first, first + rows) for first in range(0, shape[0], rows)]


def _tabled_counts(
    rng: np.random.Generator,
    mean: Float[np.ndarray, "rows columns"],
    counts: Float[np.ndarray, "rows columns"],
) -> None:
    """Write Poisson counts of means up to `LARGEST_TABLED_MEAN` into `counts`."""
    bits = rng.integers(0, 1 << 64, mean.shape, dtype=np.uint64).view(np.uint32)
    bits = bits.reshape(*mean.shape, 2)
    dither, pick = bits[..., 0], bits[..., 1]
    grid = mean * np.float32(_PER_UNIT)
    grid += dither * np.float32(2.0**-32)
    np.minimum(grid, np.float32(LARGEST_TABLED_MEAN * _PER_UNIT), out=grid)
    cells = grid.astype(np.intp)
    cells *= _COUNTS
    column = pick & np.uint32(_COUNTS - 1)
    cells += column
    threshold, alias = _alias_tables()
    keep = (pick >> np.uint32(5)) < threshold.take(cells)
    counts[...] = np.where(keep, column.astype(np.uint8), alias.take(cells))


def _exact_gammas(
    rng: np.random.Generator, shape: Float[np.ndarray, "rows columns"]
) -> Float[np.ndarray, "rows columns"]:
    """Gammas of the given shapes and mean one."""
    return rng.standard_gamma(shape, dtype=np.float32) / shape


def _cubed_normals(
    rng: np.random.Generator, shape: Float[np.ndarray, "rows columns"]
) -> Float[np.ndarray, "rows columns"]:
    """Wilson and Hilferty's stand-in for gammas of the given shapes and mean one."""
    ninth = np.float32(1.0 / 9.0) / shape
    root = np.sqrt(ninth)
    root *= rng.standard_normal(shape.shape, dtype=np.float32)
    root -= ninth
    root += 1.0
    np.maximum(root, 0.0, out=root)
    cubes = root * root
    cubes *= root
    return cubes


@cache
def _alias_tables() -> tuple[UInt[np.ndarray, " cells"], UInt[np.ndarray, " cells"]]:
    """Alias threshold (of 2**27) and alias of each [grid mean * 32 + count]."""
    means = np.arange(int(LARGEST_TABLED_MEAN * _PER_UNIT) + 1) / _PER_UNIT
    counts = np.arange(_COUNTS)
    factorials = np.array([lgamma(count + 1.0) for count in counts])
    logs = counts * np.log(np.maximum(means, 1e-30))[:, None] - means[:, None] - factorials
    rows = [_alias_row(row / row.sum() * _COUNTS) for row in np.exp(logs)]
    threshold = np.concatenate([row[0] for row in rows])
    alias = np.concatenate([row[1] for row in rows])
    return threshold, alias


def _alias_row(
    heights: Float[np.ndarray, " counts"],
) -> tuple[UInt[np.ndarray, " counts"], UInt[np.ndarray, " counts"]]:
    """Fill columns of height one, each from its own count and at most one other (Vose's way)."""
    left = heights.tolist()
    keep, alias = [1.0] * _COUNTS, list(range(_COUNTS))
    short = [count for count in range(_COUNTS) if left[count] < 1.0]
    tall = [count for count in range(_COUNTS) if left[count] >= 1.0]
    while short and tall:
        poor, rich = short.pop(), tall[-1]
        keep[poor], alias[poor] = left[poor], rich
        left[rich] -= 1.0 - left[poor]
        if left[rich] < 1.0:
            short.append(tall.pop())
    threshold = np.round(np.array(keep) * _WHOLE).astype(np.uint32)
    return threshold, np.array(alias, np.uint8)
