"""How fast the simulator is, beside a fixed NumPy loop, so that machines compare."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np

from bwalloc.allocate import Ask, Decoder
from bwalloc.scenario import Scenario, WorldsAhead, draw_world
from bwalloc.sim import Episodes, Simulator, State

AHEAD = 8
"""Worlds drawn ahead by the second thread."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Env-steps per second of one configuration: decode, simulate, money, resets included."""

    batch: int
    threads: int
    compiled: bool
    steps_per_s: float
    cpu_us: float
    """Time of all threads in one env-step: what is left to say where others use the cores too."""
    reference_ratio: float
    """Steps per iteration of `reference_loop_per_s`, measured in the same run."""


def reference_loop_per_s(seconds: float = 0.5) -> float:
    """Iterations per second of a fixed NumPy loop (60 x 60 float32 matrix products and a sort)."""
    rng = np.random.default_rng(0)
    matrix = rng.random((60, 60), dtype=np.float32)
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        np.sort(matrix @ matrix, axis=0)
        done += 1
    return done / (time.perf_counter() - begin)


def measure(
    scenario: Scenario, batch: int, *, threads: int, compiled: bool, seconds: float
) -> Speed:
    """Step a batch whose episodes end at staggered times, drawing a new world at each end."""
    simulator = Simulator(scenario, compiled=compiled, declares=False)
    decoder = Decoder(scenario.network)
    episodes = Episodes([draw_world(scenario, "train", seed) for seed in range(batch)])
    state = simulator.start(batch)
    stagger = (np.arange(batch) * scenario.timing.intervals) // batch
    state = replace(state, interval=stagger)
    ask = _ask(scenario, batch)
    state = _advance(simulator, decoder, episodes, state, ask)
    done, seed, begin, cpu = 0, batch, time.perf_counter(), time.process_time()
    worlds = WorldsAhead(scenario)
    while time.perf_counter() - begin < seconds:
        state = _advance(simulator, decoder, episodes, state, ask)
        for column in np.flatnonzero(state.interval >= scenario.timing.intervals):
            if threads > 1:
                worlds.order("train", seed + AHEAD)
            episodes.replace(int(column), worlds.take("train", seed))
            state.interval[column], seed = 0, seed + 1
            state.queued_gbit[..., column] = 0
        done += batch
    rate, cpu_us = done / (time.perf_counter() - begin), 1e6 * (time.process_time() - cpu) / done
    return Speed(batch, threads, compiled, rate, cpu_us, rate / reference_loop_per_s())


def reference_cpu_us(seconds: float = 0.5) -> float:
    """CPU time of one iteration of the loop of `reference_loop_per_s`."""
    cpu = time.process_time()
    done = seconds * reference_loop_per_s(seconds)
    return 1e6 * (time.process_time() - cpu) / done


def bench_env(scenario: Scenario, seconds: float = 3.0) -> list[Speed]:
    """Batch 1 and 64, one and two threads, plain NumPy and the compiled twin where installed."""
    kinds = (False, True) if find_spec("numba") else (False,)
    return [
        measure(scenario, batch, threads=threads, compiled=compiled, seconds=seconds)
        for compiled in kinds
        for batch in (1, 64)
        for threads in ((1, 2) if compiled and batch > 1 else (1,))
    ]


def peak_memory_mib() -> float:
    """The largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def _ask(scenario: Scenario, batch: int) -> Ask:
    demands, tunnels = scenario.network.tunnels.exists.shape
    rng = np.random.default_rng(0)
    return Ask(
        rng.gamma(1.0, 1.0, (demands, batch)).astype(np.float32),
        rng.uniform(0.5, 2.0, (demands, batch)).astype(np.float32),
        np.ones((demands, tunnels, batch), np.float32),
        np.ones((demands, batch), np.float32),
    )


def _advance(
    simulator: Simulator, decoder: Decoder, episodes: Episodes, state: State, ask: Ask
) -> State:
    rates = decoder(ask, episodes.capacity_gbps(state.interval))
    return simulator.step(state, rates, episodes).state
