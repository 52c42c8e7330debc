"""Compound Poisson volumes: how many requests arrive in a step, and how large they are together."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from math import lgamma
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bwalloc.workloads.columns import Column, as_column

if TYPE_CHECKING:
    from jaxtyping import Float, UInt

LARGEST_TABLED_MEAN = 40.0
_LEAST_GAMMA_SHAPE = 0.8
_BLOCK_CELLS = 16_384


class Table(NamedTuple):
    """Alias tables of Poisson means on a grid.

    `means` first + row / per_unit; count of column c and row r in cell [r * columns + c];
    `threshold` of 2**(32 - log2(columns)), uint32, and `alias`, uint8, both flat; `packed` holds
    both in one word, (threshold << shift) | alias, so that a look-up reads one place.
    """

    first: np.float32
    per_unit: np.float32
    columns: int
    shift: np.uint32
    threshold: UInt[np.ndarray, " cells"]
    alias: UInt[np.ndarray, " cells"]
    packed: UInt[np.ndarray, " cells"]


def poisson_counts(
    rng: np.random.Generator, mean: Float[np.ndarray, "steps columns"]
) -> Float[np.ndarray, "steps columns"]:
    """Poisson counts with the given means, as float32.

    Means up to 40 take one 64-bit draw and two table look-ups a cell, several times faster than
    `Generator.poisson`: the mean is rounded to one of its two neighbours on a grid (of 1/32 up to
    8, of 1/8 beyond) by chance, so means are exact and the variance is at most 2.5e-4 (4e-3) too
    high, and the count comes from that grid point's alias table. Larger means go to
    `Generator.poisson`.

    Ref: Walker, ACM TOMS 3 (1977) 253-256.
    """
    counts = np.empty(mean.shape, np.float32)
    fill = _tabled_counts if compiled_twins() is None else _compiled_counts
    beyond = [fill(rng, mean[rows], counts[rows]) for rows in _blocks(mean.shape)]
    if any(beyond):
        large = np.flatnonzero(mean > LARGEST_TABLED_MEAN)
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
    twins = compiled_twins()
    if twins is not None and cv**-2 >= _LEAST_GAMMA_SHAPE:
        for rows in _blocks(counts.shape):
            normals = rng.standard_normal(counts[rows].shape, dtype=np.float32)
            twins.cubed_normals(normals, counts[rows], means, np.float32(1.0 / cv**2), sums[rows])
        return sums
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


@cache
def compiled_twins() -> Any:
    """The compiled loops over cells, or None where numba is not installed."""
    if find_spec("numba") is None:
        return None
    return import_module("bwalloc.workloads.compiled")


def _compiled_counts(
    rng: np.random.Generator,
    mean: Float[np.ndarray, "rows columns"],
    counts: Float[np.ndarray, "rows columns"],
) -> bool:
    """`_tabled_counts`, compiled."""
    flat = np.ascontiguousarray(mean).ravel()
    return compiled_twins().tabled_counts(_bits(rng, mean.size), flat, *_grids(), counts.ravel())


def _tabled_counts(
    rng: np.random.Generator,
    mean: Float[np.ndarray, "rows columns"],
    counts: Float[np.ndarray, "rows columns"],
) -> bool:
    """Fill contiguous `counts`; returns whether a mean is above `LARGEST_TABLED_MEAN`."""
    bits, flat, filled = _bits(rng, mean.size), mean.ravel(), counts.ravel()
    low, high = _tables()
    filled[:] = _looked_up(low, np.minimum(flat, high.first), bits)
    large = np.flatnonzero(flat > high.first)
    if not large.size:
        return False
    filled[large] = _looked_up(high, np.minimum(flat[large], LARGEST_TABLED_MEAN), bits[large])
    return bool(flat.max() > LARGEST_TABLED_MEAN)


def _bits(rng: np.random.Generator, cells: int) -> UInt[np.ndarray, "cells 2"]:
    """Two words a cell: one rounds the mean, one picks the count."""
    return rng.bit_generator.random_raw(cells).view(np.uint32).reshape(-1, 2)


def _looked_up(
    table: Table, mean: Float[np.ndarray, " cells"], bits: UInt[np.ndarray, "cells 2"]
) -> Float[np.ndarray, " cells"]:
    dither, pick = bits[:, 0], bits[:, 1]
    grid = (mean - table.first) * table.per_unit
    grid += dither * np.float32(2.0**-32)
    np.minimum(grid, np.float32(table.threshold.size // table.columns - 1), out=grid)
    cells = grid.astype(np.intp)
    cells *= table.columns
    column = pick & np.uint32(table.columns - 1)
    cells += column
    keep = (pick >> table.shift) < table.threshold.take(cells)
    return np.where(keep, column.astype(np.uint8), table.alias.take(cells)).astype(np.float32)


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
def _grids() -> tuple[Any, Any]:
    """`_tables` in the form the compiled twin takes."""
    grid = compiled_twins().Grid
    return tuple(grid(t.packed, t.first, t.per_unit, t.shift) for t in _tables())  # pyright: ignore[reportReturnType]


@cache
def _tables() -> tuple[Table, Table]:
    """Means 0 to 8 and counts 0 to 31; means 8 to 40 and counts 0 to 127: P(more) < 1e-9."""
    return _table(0.0, 8.0, 32, 5), _table(8.0, LARGEST_TABLED_MEAN, 8, 7)


def _table(first: float, last: float, per_unit: int, log2_columns: int) -> Table:
    means = first + np.arange(int((last - first) * per_unit) + 1) / per_unit
    counts = np.arange(1 << log2_columns)
    factorials = np.array([lgamma(count + 1.0) for count in counts])
    logs = counts * np.log(np.maximum(means, 1e-30))[:, None] - means[:, None] - factorials
    whole = 1 << (32 - log2_columns)
    rows = [_alias_row(row / row.sum() * len(counts), whole) for row in np.exp(logs)]
    threshold = np.concatenate([row[0] for row in rows])
    alias = np.concatenate([row[1] for row in rows])
    shift = np.uint32(log2_columns)
    packed = _packed(threshold, alias, shift)
    return Table(
        np.float32(first), np.float32(per_unit), len(counts), shift, threshold, alias, packed
    )


def _packed(
    threshold: UInt[np.ndarray, " cells"], alias: UInt[np.ndarray, " cells"], shift: np.uint32
) -> UInt[np.ndarray, " cells"]:
    """Both in one word; a column that is always kept is its own alias: 2**n needs a bit more."""
    whole = np.uint32(1 << (32 - int(shift)))
    own = np.arange(alias.size, dtype=np.uint32) & np.uint32((1 << int(shift)) - 1)
    is_kept = threshold >= whole
    counts = np.where(is_kept, own, alias).astype(np.uint32)
    return (np.where(is_kept, whole - 1, threshold).astype(np.uint32) << shift) | counts


def _alias_row(
    heights: Float[np.ndarray, " counts"], whole: int
) -> tuple[UInt[np.ndarray, " counts"], UInt[np.ndarray, " counts"]]:
    """Fill columns of height one, each from its own count and at most one other (Vose's way)."""
    left = heights.tolist()
    columns = range(len(left))
    keep, alias = [1.0] * len(left), list(columns)
    short = [count for count in columns if left[count] < 1.0]
    tall = [count for count in columns if left[count] >= 1.0]
    while short and tall:
        poor, rich = short.pop(), tall[-1]
        keep[poor], alias[poor] = left[poor], rich
        left[rich] -= 1.0 - left[poor]
        if left[rich] < 1.0:
            short.append(tall.pop())
    threshold = np.round(np.array(keep) * whole).astype(np.uint32)
    return threshold, np.array(alias, np.uint8)
