"""Which code plays an interval: the array form (NumPy and torch) or its compiled twin."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bwalloc.errors import BwallocError
from bwalloc.sim.dynamics import (
    Held,
    Load,
    Measured,
    cut_to_capacity,
    measure,
    play_interval,
    serve,
)
from bwalloc.sim.state import Flows, State

if TYPE_CHECKING:
    from bwalloc.arrays import Array
    from bwalloc.sim.physics import Physics

Played: TypeAlias = tuple[Held, Flows, "Array", Measured]
"""What is handed on, flows, the Gbit/s that did not fit, (B,), and what was measured."""
Backend: TypeAlias = Callable[["Array", "Array", State, Load, int], Played]
"""Plays an interval, or the part of it whose arrivals are given, under rates (demands, tunnels, B)
and capacities (links, B); the number is that of its first substep in the interval."""
LEAST_COLUMNS = 16
"""Episodes per thread from which a second thread pays."""


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

    def __call__(
        self, rates: Array, capacity_gbps: Array, state: State, load: Load, first: int = 0
    ) -> Played:
        """Cut, serve, play."""
        fitting, overrun = cut_to_capacity(self.physics, rates, capacity_gbps)
        service = serve(self.physics, fitting, capacity_gbps)
        clock = state.interval * self.physics.substeps + first
        before = (state.queued_gbit, state.busy_s, state.kept_gbit)
        held, flows = play_interval(self.physics, service, before, load, clock)
        return held, flows, overrun, measure(self.physics, load, flows)


class CompiledBackend:
    """Plays blocks of episodes with the compiled kernel; torch goes the array way."""

    def __init__(self, physics: Physics, threads: int) -> None:
        from bwalloc.sim.law import compile_law

        self.physics = physics
        self.law = compile_law(physics)
        self.threads = threads
        self.array_form = ArrayBackend(physics)

    def __call__(
        self, rates: Array, capacity_gbps: Array, state: State, load: Load, first: int = 0
    ) -> Played:
        """Play all columns, in threads where there are enough of them."""
        if not isinstance(rates, np.ndarray):
            return self.array_form(rates, capacity_gbps, state, load, first)
        from bwalloc.sim.compiled import play_block, play_one

        (demands, tunnels), batch = self.physics.shape, rates.shape[-1]
        decided = (_floats(rates).reshape(demands * tunnels, batch), _floats(capacity_gbps))
        held = (_floats(state.queued_gbit), _floats(state.busy_s))
        kept = state.kept_gbit
        saved = np.array(kept, np.float32, order="C") if self.physics.has_bursts else None
        jobs = load.jobs_gbit
        jobs = np.empty((demands, 0, batch), np.float32) if jobs is None else _floats(jobs)
        loads = (_floats(load.arrivals_gbit), jobs)
        clock = state.interval * self.physics.substeps + first
        written = self._empty(held[0].shape, len(decided[1]))
        given = (self.law, decided, loads, clock, held, saved, written)
        if batch == 1:
            play_one(*given)
        else:
            _in_threads(play_block, given, batch, self.threads)
        queued, busy, overrun, totals, carried, stalled, seen = written
        served, expired, attained, delivered, waiting = totals
        flows = Flows(served, expired, attained, delivered, waiting, carried, stalled)
        return (queued, busy, kept if saved is None else saved), flows, overrun, Measured(*seen)

    def _empty(self, shape: tuple[int, ...], links: int) -> tuple[Any, ...]:
        """Room for what the kernel writes."""
        (demands, tunnels), batch = self.physics.shape, shape[-1]
        by_demand = np.empty((9, demands, batch), np.float32)
        by_link = np.empty((links, batch), np.float32)
        return (
            np.empty(shape, np.float32),
            by_demand[8],
            np.empty(batch, np.float32),
            by_demand[:5],
            np.empty((demands * tunnels, batch), np.float32),
            np.empty((len(self.physics.members), batch), np.float32),
            (by_demand[5], by_demand[6], by_demand[7], by_link),
        )


def _in_threads(play: Any, given: tuple[Any, ...], batch: int, threads: int) -> None:
    """Play the columns in as many ranges as there are threads, the first one in this thread."""
    parts = min(threads, -(-batch // LEAST_COLUMNS))
    width = -(-batch // (parts * LEAST_COLUMNS)) * LEAST_COLUMNS
    edges = [*range(0, batch, width), batch]
    ranges = [(np.uint64(low), np.uint64(high)) for low, high in pairwise(edges)]
    waiting = [_pool(threads).submit(play, *given, *each) for each in ranges[1:]]
    play(*given, *ranges[0])
    for each in waiting:
        if each.cancel():
            play(*given, *ranges[1 + waiting.index(each)])
        else:
            each.result()


def _floats(values: Array) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)
