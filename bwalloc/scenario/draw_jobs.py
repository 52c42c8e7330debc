"""Work that brings its own deadlines: transfers, checkpoints, releases and cold starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.workloads import bulk_ingest, checkpoint, model_push
from bwalloc.workloads.clock import Clock

if TYPE_CHECKING:
    from bwalloc.scenario.scenario import Scenario
    from bwalloc.scenario.workload import Workload
    from bwalloc.workloads.bulk_ingest import Jobs


def draw_jobs(
    scenario: Scenario,
    rng: dict[str, np.random.Generator],
    start_h: float,
    intensity: np.ndarray | None,
) -> np.ndarray | None:
    """Jobs by interval, demand and slot of their deadline; None if no class has jobs.

    Args:
        scenario: the environment.
        rng: a generator for each random part of a world.
        start_h: UTC hour of the week in which the episode starts.
        intensity: requests per second of each service, (substeps of the episode, services).
    """
    timing, workload = scenario.timing, scenario.workload
    if not any(_with_jobs(workload)):
        return None
    shape = (timing.intervals, scenario.network.n_demands, scenario.slots.count)
    gbit = np.zeros(shape, np.float32)
    clock = Clock(timing.intervals, timing.interval_s, start_h)
    for of_demand, jobs in _drawn(workload, rng, clock, intensity):
        rows = of_demand[jobs.demand]
        slots = _slots_of(scenario, rows, jobs.step, jobs.due_s)
        np.add.at(gbit, (jobs.step, rows, slots), jobs.gbit)
    return gbit


def _with_jobs(workload: Workload) -> tuple[object, ...]:
    return workload.bulk_ingest, workload.checkpoint, workload.model_push, workload.cold_start


def _drawn(
    workload: Workload,
    rng: dict[str, np.random.Generator],
    clock: Clock,
    intensity: np.ndarray | None,
) -> Iterator[tuple[np.ndarray, Jobs]]:
    """The rows of the demands of each part, and its jobs."""
    for part in workload.bulk_ingest:
        yield part.rows, bulk_ingest.draw(rng["bulk_ingest"], part.spec, clock)
    for part in workload.checkpoint:
        yield part.rows, checkpoint.draw(rng["checkpoint"], part.spec, clock)
    for part in workload.model_push:
        yield part.rows, model_push.draw(rng["model_push"], part.spec, clock)
    if intensity is not None and workload.cold_start:
        by_interval = intensity.reshape(clock.steps, -1, intensity.shape[1]).mean(1)
        for part in workload.cold_start:
            asked = by_interval[:, part.stream]
            yield part.rows, model_push.cold_starts(part.spec, clock, asked)


def _slots_of(
    scenario: Scenario, rows: np.ndarray, interval: np.ndarray, due_s: np.ndarray
) -> np.ndarray:
    """Last slot that expires no later than the deadline; the first one if none does."""
    timing, slots = scenario.timing, scenario.slots
    width = np.maximum(slots.width_substeps[rows], 1)
    to_next = width - (interval * timing.substeps) % width
    later = np.floor((due_s / timing.substep_s - to_next) / width).astype(np.int64)
    return np.clip(later, 0, slots.arrival_slot[rows])
