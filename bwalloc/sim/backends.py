"""Which code plays the substeps: the array form (NumPy and torch) or its compiled twin."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bwalloc.errors import BwallocError
from bwalloc.sim.dynamics import Load, Service, play_interval
from bwalloc.sim.state import Flows

if TYPE_CHECKING:
    from bwalloc.arrays import Array
    from bwalloc.sim.physics import Physics

Backend: TypeAlias = Callable[..., tuple["Array", "Array", Flows]]
BLOCK = 64
"""Episodes per block of the compiled twin: its scratch arrays stay in the second-level cache."""


def make_backend(physics: Physics, *, compiled: bool | None, threads: int) -> Backend:
    """The code that plays an interval; `compiled=None` takes numba where it is installed."""
    installed = find_spec("numba") is not None
    if compiled and not installed:
        msg = "The compiled twin needs numba: pip install 'bwalloc[fast]'."
        raise BwallocError(msg)
    if compiled is False or not installed:
        return _array_backend(physics)
    return _CompiledBackend(physics, threads)


def _array_backend(physics: Physics) -> Backend:
    def play(service: Service, queued: Array, busy: Array, load: Load, clock: Array):  # noqa: ANN202
        return play_interval(physics, service, queued, busy, load, clock)

    return play


class _CompiledBackend:
    """Plays blocks of episodes with the compiled kernel; torch goes the array way."""

    def __init__(self, physics: Physics, threads: int) -> None:
        from bwalloc.sim.compiled import compile_law

        self.physics = physics
        self.law = compile_law(physics)
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __call__(
        self, service: Service, queued: Array, busy: Array, load: Load, clock: Array
    ) -> tuple[Array, Array, Flows]:
        if not isinstance(queued, np.ndarray):
            return play_interval(self.physics, service, queued, busy, load, clock)
        batch = queued.shape[-1]
        size = min(BLOCK, -(-batch // self.threads))
        blocks = [slice(low, min(low + size, batch)) for low in range(0, batch, size)]

        def play(block: slice) -> tuple[np.ndarray, ...]:
            return self._play(service, (queued, busy), load, clock, block)

        results = list(self.pool.map(play, blocks)) if self.pool else [play(b) for b in blocks]
        joined = (
            results[0]
            if len(results) == 1
            else [np.concatenate(p, -1) for p in zip(*results, strict=True)]
        )
        queued, busy, served, expired, attained, delivered, waiting, carried, stalled = joined
        flows = Flows(served, expired, attained, delivered, waiting, carried, stalled)
        return queued, busy, flows

    def _play(
        self,
        service: Service,
        held: tuple[np.ndarray, np.ndarray],
        load: Load,
        clock: np.ndarray,
        block: slice,
    ) -> tuple[np.ndarray, ...]:
        from bwalloc.sim.compiled import play_block, play_one

        demands = self.physics.shape[0]
        cut = [
            np.ascontiguousarray(array[..., block])
            for array in (service.share, service.quota_gbit, service.room_gbit, service.delay_s)
        ]
        jobs = (
            np.zeros((demands, 0, 0), np.float32)
            if load.jobs_gbit is None
            else load.jobs_gbit[..., block]
        )
        queued, busy = held[0][..., block].copy(), held[1][..., block].copy()
        size = queued.shape[-1]
        kernel = play_one if size == 1 else play_block
        totals = tuple(np.zeros((demands, size), np.float32) for _ in range(5))
        carried = np.zeros(cut[0].shape, np.float32)
        stalled = np.zeros((len(self.physics.members), size), np.float32)
        kernel(
            self.law, tuple(cut),
            (np.ascontiguousarray(load.arrivals_gbit[..., block]), np.ascontiguousarray(jobs)),
            clock[block].copy(), queued, busy, totals, carried, stalled,
        )  # fmt: skip
        return (queued, busy, *totals, carried, stalled)
