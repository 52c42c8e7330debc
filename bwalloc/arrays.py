"""The few array operations that NumPy and torch spell differently, each written twice.

Dynamics and `decode` are written once over these and over the functions both libraries share.
The batch is the LAST axis everywhere: gathering links or tunnels then copies whole rows.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

MOST_CELLS = 4_000_000
"""Tunnels times resources up to which an incidence is also kept as a matrix (16 MB)."""
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


def like(constant: Array, array: Array) -> Array:
    """`constant` in the library and on the device of `array`, floats in its float type."""
    if namespace(array) is np or not isinstance(constant, np.ndarray):
        return constant
    dtype = array.dtype if constant.dtype.kind == "f" else None
    return namespace(array).as_tensor(constant, dtype=dtype, device=array.device)


class Incidence:
    """Which resources (links or pools) each tunnel crosses.

    Args:
        hops: resource rows per tunnel, padded with `n_resources`; int (tunnels, hops).
        n_resources: number of resources.
    """

    def __init__(self, hops: np.ndarray, n_resources: int) -> None:
        """Sort the (tunnel, resource) entries by resource, so that sums are segments."""
        self.hops = np.ascontiguousarray(hops, np.int64)
        self.n_resources = n_resources
        tunnels, places = np.nonzero(self.hops < n_resources)
        resources = self.hops[tunnels, places]
        order = np.argsort(resources, kind="stable")
        self.entry_tunnel = tunnels[order]
        self.entry_resource = resources[order]
        self._present, self._starts = np.unique(self.entry_resource, return_index=True)
        self._on_device: dict[Any, tuple[Any, Any, Any]] = {}

    def total(self, values: Array, axis: int = 0) -> Array:
        """Sum over the tunnels that cross each resource; tunnels along `axis` become resources."""
        shape = list(values.shape)
        shape[axis] = self.n_resources
        if namespace(values) is np:
            if self._is_single(values, axis):
                return (values[..., 0] @ self._matrix)[..., None]
            out = np.zeros(shape, values.dtype)
            if len(self._starts):
                taken = values.take(self.entry_tunnel, axis)
                place = (slice(None),) * axis + (self._present,)
                out[place] = np.add.reduceat(taken, self._starts, axis=axis)
            return out
        tunnel, resource, _ = self._tensors(values)
        entries = values.index_select(axis, tunnel)
        return values.new_zeros(shape).index_add(axis, resource, entries)

    def spread(self, values: Array, axis: int = 0) -> Array:
        """Sum over the resources that each tunnel crosses; resources along `axis` become tunnels.

        The transpose of `total`.
        """
        if namespace(values) is np:
            if self._is_single(values, axis):
                return (values[..., 0] @ self._matrix.T)[..., None]
            shape = list(values.shape)
            shape[axis] = 1
            padded = np.concatenate([values, np.zeros(shape, values.dtype)], axis)
            return padded.take(self.hops, axis).sum(axis + 1)
        tunnel, resource, _ = self._tensors(values)
        shape = list(values.shape)
        shape[axis] = self.hops.shape[0]
        entries = values.index_select(axis, resource)
        return values.new_zeros(shape).index_add(axis, tunnel, entries)

    def least(self, values: Array) -> Array:
        """Least over the resources a tunnel crosses: (resources, B) to (tunnels, B).

        A tunnel without hops (a padded one) gets 0.
        """
        if namespace(values) is np:
            padded = np.concatenate([values, np.full_like(values[:1], np.inf)])
            least = padded[self.hops].min(1)
            return np.where(np.isinf(least), np.float32(0), least)
        torch = namespace(values)
        _, _, hops = self._tensors(values)
        padded = torch.cat([values, torch.full_like(values[:1], torch.inf)])
        least = padded[hops].amin(1)
        return torch.where(torch.isinf(least), torch.zeros_like(least), least)

    def _is_single(self, values: np.ndarray, axis: int) -> bool:
        """Whether a product with a matrix beats loops: many channels of one episode."""
        is_small = len(self.hops) * self.n_resources <= MOST_CELLS
        return axis == 1 and values.ndim == 3 and values.shape[2] == 1 and is_small

    @cached_property
    def _matrix(self) -> np.ndarray:
        """1 where a tunnel crosses a resource, float32 (tunnels, resources)."""
        matrix = np.zeros((len(self.hops), self.n_resources), np.float32)
        matrix[self.entry_tunnel, self.entry_resource] = 1.0
        return matrix

    def _tensors(self, values: Array) -> tuple[Any, Any, Any]:
        torch = namespace(values)
        if values.device not in self._on_device:
            arrays = (self.entry_tunnel, self.entry_resource, self.hops)
            on_device = tuple(torch.as_tensor(array, device=values.device) for array in arrays)
            self._on_device[values.device] = on_device  # pyright: ignore[reportArgumentType]
        return self._on_device[values.device]


def positive(values: Array) -> Array:
    """`values` where positive, else 0."""
    return values.clip(0)


def picked(table: Array, index: Array) -> Array:
    """One entry of each row of a table, (rows, entries) or (rows, entries, B); index (rows, B)."""
    xp, place = namespace(table), index if table.ndim == 2 else index[:, None]
    found = np.take_along_axis(table, place, 1) if xp is np else table.gather(1, place)
    return found if table.ndim == 2 else found[:, 0]


def silu(values: Array) -> Array:
    """`x * sigmoid(x)`. Ref: Elfwing et al., Neural Networks 107 (2018)."""
    xp = namespace(values)
    if xp is not np:
        return xp.nn.functional.silu(values)
    return values * (np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * values))


def short_sum(values: Array, axis: int) -> Array:
    """Sum over an axis of a few entries; the usual sums are slow at it if the batch is 1.

    NumPy's loops over the batch, and so does that of onnxruntime, unless the batch is taken off.
    """
    if namespace(values) is not np:
        if values.shape[-1] == 1:
            return values[..., 0].sum(axis)[..., None]
        return values.sum(axis)
    return sum(values.take(place, axis) for place in range(values.shape[axis]))


def stacked(rows: list[Array]) -> Array:
    """Arrays of one shape along a new first axis."""
    xp = namespace(rows[0])
    if xp is not np:
        return xp.stack(rows)
    whole = np.empty((len(rows), *rows[0].shape), rows[0].dtype)
    for place, row in enumerate(rows):
        whole[place] = row
    return whole


def joined(first: Array, *others: Array, axis: int = 1) -> Array:
    """Arrays one after another along an axis."""
    return namespace(first).concatenate([first, *others], axis)
