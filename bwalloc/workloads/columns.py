"""Columns of a spec: one number for all demands, or one number each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bwalloc.errors import WorkloadError, nearest

if TYPE_CHECKING:
    from collections.abc import Collection

    from jaxtyping import Float

Column: TypeAlias = "float | Sequence[float] | np.ndarray"
"""A number that holds for every demand (or service), or one number for each."""


def as_column(values: Column, columns: int) -> Float[np.ndarray, " columns"]:
    """`values` as `columns` float32 numbers."""
    return np.broadcast_to(np.asarray(values, np.float32), (columns,))


def as_slice(columns: np.ndarray) -> slice | np.ndarray:
    """The same columns as a slice where they follow each other, which reads and writes faster."""
    if len(columns) and (np.diff(columns) == 1).all():
        return slice(int(columns[0]), int(columns[-1]) + 1)
    return columns


def check_column(
    where: str, values: Column, columns: int, low: float = 0.0, high: float = math.inf
) -> None:
    """Refuse a column of the wrong length, or with a number outside `low` to `high`.

    Raises:
        WorkloadError: Names the column (`where`), the value and what is allowed.
    """
    array = np.asarray(values, np.float64)
    if array.shape not in ((), (columns,)):
        msg = f"{where}: got shape {array.shape}, must be one number or {columns} numbers."
        raise WorkloadError(msg)
    wrong = ~(np.isfinite(array) & (array >= low) & (array <= high))
    if wrong.any():
        value = float(np.atleast_1d(array)[np.atleast_1d(wrong)][0])
        msg = f"{where}: got {value:g}, must be a finite number from {low:g} to {high:g}."
        raise WorkloadError(msg)


def check_words(where: str, words: Sequence[str], columns: int, known: Collection[str]) -> None:
    """Refuse a column of words of the wrong length, or with a word that is not `known`.

    Raises:
        WorkloadError: Names the column (`where`), the word and the nearest known one.
    """
    if len(words) != columns:
        msg = f"{where}: got {len(words)} words, must be {columns}."
        raise WorkloadError(msg)
    for word in words:
        if word not in known:
            msg = f"{where}: got '{word}'. {nearest(word, known)}"
            raise WorkloadError(msg)
