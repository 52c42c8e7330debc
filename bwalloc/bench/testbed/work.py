"""A drawn world as chunks of bytes that enter the queue of each demand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.bench.testbed.wiring import Scale, addresses

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.scenario import Scenario, World

REAL_TIME = ("inference", "video_uplink")
"""Classes that are sent as datagrams; the others are TCP."""
Chunk = tuple[int, float, int | None]
"""Substep of arrival, bytes on the wire, and the substep at whose start it has expired."""


def shortened(scenario: Scenario, world: World, counted: int, warmup: int) -> tuple[Any, World]:
    """The first intervals of an episode as a scenario and a world of their own."""
    intervals = warmup + counted
    timing = replace(scenario.timing, intervals=intervals, warmup_intervals=warmup)
    jobs = None if world.jobs_gbit is None else world.jobs_gbit[:intervals]
    part = replace(
        world,
        arrivals_gbit=world.arrivals_gbit[:intervals],
        jobs_gbit=jobs,
        capacity_gbps=world.capacity_gbps[:intervals],
    )
    return replace(scenario, timing=timing), part


def chunks(scenario: Scenario, world: World, scale: Scale, demand: int) -> list[Chunk]:
    """Everything that arrives for one demand, in order."""
    slots, substeps = scenario.slots, scenario.timing.substeps
    slot, width = int(slots.arrival_slot[demand]), int(slots.width_substeps[demand])
    arrivals = world.arrivals_gbit[:, :, demand].ravel() * scale.bytes_per_gbit
    found: list[Chunk] = [
        (at, round(float(arrivals[at]), 3), _due(at, slot, width))
        for at in np.flatnonzero(arrivals > 0).tolist()
    ]
    if world.jobs_gbit is not None:
        jobs = world.jobs_gbit[:, demand]
        for interval, place in np.argwhere(jobs > 0).tolist():
            at, work = interval * substeps, float(jobs[interval, place]) * scale.bytes_per_gbit
            found.append((at, round(work, 3), _due(at, place, width)))
    return sorted(found, key=lambda chunk: chunk[0])


def _due(at: int, slot: int, width: int) -> int | None:
    """As `Slots`: the first slot expires at each end of `width` substeps, the others move down."""
    return None if not width else (at // width + slot + 1) * width


def sending(scenario: Scenario, world: World, scale: Scale, demand: int) -> dict[str, Any]:
    """What the endpoint of a demand's source is told."""
    network = scenario.network
    kind = "udp" if network.demands.traffic_class[demand] in REAL_TIME else "tcp"
    count = int(network.tunnels.exists[demand].sum())
    return {
        "row": demand,
        "kind": kind,
        "tunnels": [addresses(demand * network.n_tunnels + k) for k in range(count)],
        "chunks": chunks(scenario, world, scale, demand),
    }


def limits_s(network: Network, scale: Scale, demand: int) -> list[float]:
    """By tunnel: how long work may be on its way to be in its budget, by the testbed's clock."""
    delay_ms = network.tunnels.delay_ms[demand]
    budget = np.minimum(network.demands.budget_ms[demand], 1e9) - delay_ms
    return (budget / 1e3 / scale.time).tolist()
