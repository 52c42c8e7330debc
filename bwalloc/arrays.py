"""The few array operations that NumPy and torch spell differently, each written twice.

Dynamics and `decode` are written once over these and the functions both libraries share.
The batch is the LAST axis everywhere: gathering links or tunnels then copies whole rows.
"""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""A `numpy.ndarray` or a `torch.Tensor`."""


def namespace(array: Array) -> Any:
    """The module (`numpy` or `torch`) whose functions act on `array`.

    torch is looked up among the modules already loaded, so NumPy users never import it.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(array, torch.Tensor):
        return torch
    return np


def scatter_sum(values: Array, index: Array, rows: int) -> Array:
    """Sum the rows of `values` (n, B) into `rows` rows: out[index[i]] += values[i]; (rows, B)."""
    xp = namespace(values)
    if xp is np:
        out = np.zeros((rows, *values.shape[1:]), values.dtype)
        order, starts, present = _segments(index)
        out[present] = np.add.reduceat(values[order], starts, axis=0)
        return out
    zeros = values.new_zeros((rows, *values.shape[1:]))
    return zeros.index_add(0, index, values)


def like(constant: np.ndarray, array: Array) -> Array:
    """`constant` as an array of the kind, device and float type of `array` (integers stay)."""
    xp = namespace(array)
    if xp is np:
        return constant.astype(array.dtype) if constant.dtype.kind == "f" else constant
    dtype = array.dtype if constant.dtype.kind == "f" else None
    return xp.as_tensor(constant, dtype=dtype, device=array.device)


_SEGMENTS: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = {}


def _segments(index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort order, segment starts and segment ids of `index`, remembered per array object."""
    known = _SEGMENTS.get(id(index))
    if known is not None and known[0] is index:
        return known[1:]
    order = np.argsort(index, kind="stable")
    present, starts = np.unique(index[order], return_index=True)
    if len(_SEGMENTS) > 256:
        _SEGMENTS.clear()
    _SEGMENTS[id(index)] = (index, order, starts, present)
    return order, starts, present
