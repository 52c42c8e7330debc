"""Which code plays an interval: the array form (NumPy and torch) or its compiled twin."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bwalloc.errors import BwallocError
from bwalloc.sim.dynamics import Load, cut_to_capacity, play_interval, serve
from bwalloc.sim.state import Flows, State

if TYPE_CHECKING:
    from bwalloc.arrays import Array
    from bwalloc.sim.physics import Physics

Played: TypeAlias = tuple["Array", "Array", Flows, "Array"]
"""Queued work, busy seconds, flows, and the Gbit/s that did not fit, (B,)."""
Backend: TypeAlias = Callable[["Array", "Array", State, Load], Played]
"""Plays an interval under rates (demands, tunnels, B) and capacities (links, B)."""
BLOCK = 64
"""Episodes per block of the compiled twin: its scratch arrays stay in the second-level cache."""


def make_backend(physics: Physics, *, compiled: bool | None, threads: int) -> Backend:
    """The code that plays an interval; `compiled=None` takes numba where it is installed."""
    installed = find_spec("numba") is not None
    if compiled and not installed:
        msg = "The compiled twin needs numba: pip install 'bwalloc[fast]'."
        raise BwallocError(msg)
    if compiled is False or not installed:
        return ArrayBackend(physics)
    return CompiledBackend(physics, threads)


class ArrayBackend:
    """Plays the array form, on NumPy and torch."""

    def __init__(self, physics: Physics) -> None:
        self.physics = physics

    def __call__(self, rates: Array, capacity_gbps: Array, state: State, load: Load) -> Played:
        """Cut, serve, play."""
        fitting, overrun = cut_to_capacity(self.physics, rates, capacity_gbps)
        service = serve(self.physics, fitting, capacity_gbps)
        clock = state.interval * self.physics.substeps
        queued, busy, flows = play_interval(
            self.physics, service, state.queued_gbit, state.busy_s, load, clock
        )
        return queued, busy, flows, overrun


class CompiledBackend:
    """Plays blocks of episodes with the compiled kernel; torch goes the array way."""

    def __init__(self, physics: Physics, threads: int) -> None:
        from bwalloc.sim.compiled import compile_law

        self.physics = physics
        self.law = compile_law(physics)
        self.threads = threads
        self.array_form = ArrayBackend(physics)

    def __call__(self, rates: Array, capacity_gbps: Array, state: State, load: Load) -> Played:
        """Play block by block, in threads where there are several."""
        if not isinstance(rates, np.ndarray):
            return self.array_form(rates, capacity_gbps, state, load)
        batch = rates.shape[-1]
        flat = rates.reshape(self.physics.shape[0] * self.physics.shape[1], batch)
        size = min(BLOCK, -(-batch // self.threads))
        blocks = [slice(low, min(low + size, batch)) for low in range(0, batch, size)]

        def play(block: slice) -> tuple[np.ndarray, ...]:
            return self._play(flat, capacity_gbps, state, load, block)

        results = (
            list(_pool(self.threads).map(play, blocks))
            if self.threads > 1
            else [play(block) for block in blocks]
        )
        joined = (
            results[0]
            if len(results) == 1
            else [np.concatenate(parts, -1) for parts in zip(*results, strict=True)]
        )
        queued, busy, overrun, *flows = joined
        return queued, busy, Flows(*flows), overrun

    def _play(
        self,
        rates: np.ndarray,
        capacity_gbps: np.ndarray,
        state: State,
        load: Load,
        block: slice,
    ) -> tuple[np.ndarray, ...]:
        from bwalloc.sim.compiled import play_block, play_one

        demands, substeps = self.physics.shape[0], self.physics.substeps
        decided = (_copied(rates, block), _copied(capacity_gbps, block))
        held = (_copied(state.queued_gbit, block), _copied(state.busy_s, block))
        size = held[0].shape[-1]
        jobs = load.jobs_gbit
        jobs = np.zeros((demands, 0, size), np.float32) if jobs is None else jobs[..., block]
        loads = (np.ascontiguousarray(load.arrivals_gbit[..., block]), np.ascontiguousarray(jobs))
        totals = tuple(np.zeros((5, demands, size), np.float32))
        carried = np.zeros((rates.shape[0], size), np.float32)
        stalled = np.zeros((len(self.physics.members), size), np.float32)
        overrun = np.zeros(size, np.float32)
        clock = state.interval[block] * substeps
        kernel = play_one if size == 1 else play_block
        kernel(self.law, decided, loads, clock, held, totals, carried, stalled, overrun)
        return (*held, overrun, *totals, carried, stalled)


def _copied(values: np.ndarray, block: slice) -> np.ndarray:
    return np.array(values[..., block], np.float32, order="C")


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)
