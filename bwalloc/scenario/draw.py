"""Drawing worlds: everything random of an episode, from split, scenario and seed alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bwalloc.errors import ScenarioError, unknown_name
from bwalloc.network.privacy import wire_factor
from bwalloc.scenario.draw_jobs import draw_jobs
from bwalloc.scenario.draw_orders import draw_fates
from bwalloc.scenario.failures import draw_events, oftener
from bwalloc.scenario.outages import Outages, capacities_under
from bwalloc.scenario.scenario import SPLITS
from bwalloc.scenario.trace import replay, replay_background, trace_of
from bwalloc.scenario.workload import Part, Shift
from bwalloc.scenario.world import World
from bwalloc.workloads import (
    background,
    checkpoint,
    data_feed,
    inference,
    kv_transfer,
    train_sync,
    video_uplink,
)
from bwalloc.workloads.clock import Clock
from bwalloc.workloads.columns import as_slice
from bwalloc.workloads.memory import keep_freed_memory
from bwalloc.workloads.rates import replay_intensity
from bwalloc.workloads.requests import draw_intensity

if TYPE_CHECKING:
    from bwalloc.scenario.scenario import Scenario
    from bwalloc.scenario.workload import Workload
    from bwalloc.workloads.requests import RequestSpec

DrawPart: TypeAlias = Callable[..., np.ndarray]
"""`draw` of a class: generator, spec, clock, intensity -> Gbit (steps, demands)."""

PARTS = (
    "clock",
    "requests",
    "inference",
    "kv_transfer",
    "video_uplink",
    "background",
    "bulk_ingest",
    "failures",
    "train_sync",
    "checkpoint",
    "restore",
    "data_feed",
    "model_push",
    "orders",
)
"""Random parts of a world, each with a child of its own; new ones go to the end."""

WEEK_H = 168.0

TRAIN_SEEDS = 1_000_000
"""First seed of the episodes that stand for an operator's record."""

BLOCK_CELLS = 32_768
"""Cells (steps x demands) of request-driven classes drawn at a time; it shapes the worlds."""


def draw_world(scenario: Scenario, split: str, seed: int, *, start_h: float | None = None) -> World:
    """The world of episode `seed` of a split; any seed of 0 or more is an episode of every split.

    In the `ood` split episode `seed` gets the shift `seed % count` of the environment file; in
    `train` that of the workload's variety, if it has any.
    `start_h` replaces the random hour of the week it starts, 0 (Monday 00:00 UTC) to 168.

    Raises:
        UnknownNameError: If there is no such split.
        ScenarioError: If the seed is negative, or the environment has no shift for `ood`.
    """
    if split not in SPLITS:
        raise unknown_name(kind="split", name=split, known=SPLITS, remedy="Use one of them.")
    if seed < 0 or seed != int(seed):
        msg = f"seed: got {seed}, expected a whole number of at least 0."
        raise ScenarioError(msg)
    if start_h is not None and not 0.0 <= start_h < WEEK_H:
        msg = f"start: got {start_h}, expected an hour of the week, 0 to {WEEK_H:g}."
        raise ScenarioError(msg)
    shift = _shift(scenario, split, int(seed))
    entropy = [SPLITS.index(split), scenario.workload.entropy, int(seed)]
    sequence = np.random.SeedSequence(entropy)
    return draw_from(scenario, sequence, split=split, seed=int(seed), shift=shift, start_h=start_h)


def draw_from(
    scenario: Scenario,
    sequence: np.random.SeedSequence,
    *,
    split: str,
    seed: int,
    shift: Shift | None = None,
    start_h: float | None = None,
) -> World:
    """The world of a seed sequence; `start_h` replaces the random hour of the week it starts."""
    keep_freed_memory()
    children = sequence.spawn(len(PARTS))
    rng = {part: np.random.default_rng(child) for part, child in zip(PARTS, children, strict=True)}
    drawn_h = float(rng["clock"].uniform(0.0, WEEK_H))
    start = drawn_h if start_h is None else start_h
    shift = shift or Shift("none")
    arrivals, jobs = _traffic(scenario, rng, start, shift, split)
    capacity, outages = _capacities(scenario, rng["failures"], start, shift)
    return World(
        split=split,
        seed=seed,
        start_h=start,
        arrivals_gbit=arrivals,
        jobs_gbit=jobs,
        capacity_gbps=capacity,
        outages=outages,
        fates=draw_fates(scenario.network.offers, rng["orders"], scenario.timing, shift),
    )


def _capacities(
    scenario: Scenario, rng: np.random.Generator, start_h: float, shift: Shift
) -> tuple[np.ndarray, Outages | None]:
    """Capacity of each link by interval, and its outages where links fail."""
    timing = scenario.timing
    nominal = scenario.network.links.capacity_gbps * shift.capacity_factor
    if scenario.failures is None:
        return np.tile(nominal, (timing.intervals, 1)), None
    length_s = timing.intervals * timing.interval_s
    law = oftener(scenario.failures, shift.failure_factor)
    events = draw_events(law, rng, length_s, start_h)
    return capacities_under(events, nominal, timing)


def _shift(scenario: Scenario, split: str, seed: int) -> Shift | None:
    workload = scenario.workload
    shifts = {"ood": workload.shifts, "train": workload.variety}.get(split, ())
    if split == "ood" and not shifts:
        msg = f"{scenario.slug}: has no [[ood]] shift, so no episode out of distribution; add one."
        raise ScenarioError(msg)
    return shifts[seed % len(shifts)] if shifts else None


def _traffic(
    scenario: Scenario,
    rng: dict[str, np.random.Generator],
    start_h: float,
    shift: Shift,
    split: str,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Arrivals (intervals, substeps, demands) and jobs (intervals, demands, slots) or None."""
    timing, workload = scenario.timing, scenario.workload
    clock = Clock(timing.intervals * timing.substeps, timing.substep_s, start_h)
    gbit = np.zeros((clock.steps, scenario.network.n_demands), np.float32)
    intensity = _fill_requests(gbit, scenario, rng, clock, shift, split)
    for name, parts, draw in _own_law(workload):
        for part in parts:
            gbit[:, as_slice(part.rows)] = draw(rng[name], part.spec, clock)
    _fill_background(gbit, workload, rng["background"], clock, split)
    jobs = draw_jobs(scenario, rng, start_h, intensity)
    _apply(shift, scenario, gbit, jobs)
    return gbit.reshape(timing.intervals, timing.substeps, -1), jobs


def _fill_requests(
    gbit: np.ndarray,
    scenario: Scenario,
    rng: dict[str, np.random.Generator],
    clock: Clock,
    shift: Shift,
    split: str,
) -> np.ndarray | None:
    """Write the arrivals of the classes that follow requests, replayed or drawn.

    Returns:
        Requests per second of each service, (steps, services), if there are services.
    """
    workload = scenario.workload
    if workload.requests is None:
        return None
    spec, rates = _shifted(workload.requests, shift), workload.traces.requests
    if rates is None:
        intensity = draw_intensity(rng["requests"], spec, clock)
    else:
        intensity = replay_intensity(rng["requests"], spec, clock, rates, split)
    offsets_seed = int(rng["requests"].integers(1 << 62))
    for name, parts, draw in _request_driven(workload):
        is_traced = trace_of(workload.traces, name) is not None
        for part in parts:
            if is_traced:
                gbit[:, part.rows] = replay(workload, name, part, clock, split, offsets_seed)
                continue
            rows = as_slice(part.rows)
            for steps in _blocks(clock.steps, len(part.rows)):
                asked = intensity[steps].take(part.stream, axis=1)  # keeps rows together
                gbit[steps, rows] = draw(rng[name], part.spec, clock, asked)
    return intensity


def _fill_background(
    gbit: np.ndarray, workload: Workload, rng: np.random.Generator, clock: Clock, split: str
) -> None:
    """Write the arrivals of background traffic, drawn or of replayed matrices."""
    offset_seed = None
    if workload.traces.background is not None:
        offset_seed = int(rng.integers(1 << 62))
    for part in workload.background:
        rows = as_slice(part.rows)
        if offset_seed is None:
            gbit[:, rows] = background.draw(rng, part.spec, clock)
        else:
            gbit[:, rows] = replay_background(workload, part, clock, split, offset_seed)


def _own_law(workload: Workload) -> list[tuple[str, tuple[Part[Any], ...], DrawPart]]:
    return [
        ("video_uplink", workload.video_uplink, video_uplink.draw),
        ("train_sync", workload.train_sync, train_sync.draw),
        ("restore", workload.restore, checkpoint.draw_restores),
        ("data_feed", workload.data_feed, data_feed.draw),
    ]


def _request_driven(workload: Workload) -> list[tuple[str, tuple[Part[Any], ...], DrawPart]]:
    return [
        ("inference", workload.inference, inference.draw),
        ("kv_transfer", workload.kv_transfer, kv_transfer.draw),
    ]


def _shifted(spec: RequestSpec, shift: Shift) -> RequestSpec:
    """The law of the requests of an out-of-distribution episode."""
    named = ("surge_scale", "surges_per_day", "day_level_sd", "burst_stretch", "code_slow_sd")
    said = {name: getattr(shift, name) for name in named}
    changed: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    if shift.burst is not None:
        changed["burst"] = (shift.burst,) * len(spec.services)
    return replace(spec, **changed) if changed else spec


def _blocks(steps: int, columns: int) -> list[slice]:
    """Slices of steps small enough for their arrays to stay in the cache."""
    size = max(1, BLOCK_CELLS // columns)
    return [slice(first, first + size) for first in range(0, steps, size)]


def _apply(shift: Shift, scenario: Scenario, gbit: np.ndarray, jobs: np.ndarray | None) -> None:
    """Scale demand, silence a class, and add what the wire adds to work, in place.

    Of jobs only cells that hold some are written: pages of zeros then take no memory.
    """
    network = scenario.network
    wire = wire_factor(network.links, network.demands, network.tunnels).astype(np.float32)
    factors = [wire, np.full_like(wire, shift.demand_factor)]
    if scenario.enforcement.header_factor is not None:
        factors.append(scenario.enforcement.header_factor.astype(np.float32))
    if shift.absent_class is not None:
        factors.append(np.ones_like(wire))
        factors[-1][network.demands.rows_of(shift.absent_class)] = 0.0
    for factor in factors:
        rows = np.flatnonzero(factor != 1.0)
        if not len(rows):
            continue
        gbit *= factor
        if jobs is not None:
            interval, place, slot = np.nonzero(jobs[:, rows])
            jobs[interval, rows[place], slot] *= factor[rows[place]]


def train_worlds(scenario: Scenario, count: int | None = None) -> list[World]:
    """Episodes of the train split that start at hours spread evenly over the week.

    By default as many as `scenario.record_episodes`.
    """
    count = count or scenario.record_episodes
    entropy = [SPLITS.index("train"), scenario.workload.entropy]
    return [
        draw_from(
            scenario,
            np.random.SeedSequence([*entropy, TRAIN_SEEDS + row]),
            split="train",
            seed=TRAIN_SEEDS + row,
            start_h=WEEK_H * row / count,
        )
        for row in range(count)
    ]
