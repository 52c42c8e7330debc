"""What the report draws of a comparison: the network, and one episode over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.bench.players import LEGACY
from bwalloc.bench.report import LinkLine, NetworkDrawing, Panel, SitePoint, TimeSeries
from bwalloc.bench.tasks import template_of
from bwalloc.network.layout import places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bwalloc.bench.compare import Comparison
    from bwalloc.scenario import Scenario

EVERY = "all episodes"


def shown_allocators(comparison: Comparison, winner: str) -> list[str]:
    """The winner first, then legacy provisioning: what the drawings set side by side."""
    wanted = dict.fromkeys((winner, LEGACY))
    return [name for name in wanted if name in comparison.played]


def draw_network(
    scenario: Scenario, comparison: Comparison, allocators: Sequence[str]
) -> NetworkDrawing:
    """Sites and links, with the mean utilisation of each link under each of `allocators`."""
    topology = scenario.network.topology
    sites, links = topology.sites, topology.links
    is_drawn = template_of(comparison.setting).is_drawn
    points = zip(sites.name, sites.kind, *places(topology).T, strict=True)
    return NetworkDrawing(
        sites=[SitePoint(name, kind, float(x), float(y)) for name, kind, x, y in points],
        links=[
            LinkLine(
                source=int(links.source[row]),
                target=int(links.target[row]),
                capacity_gbps=float(links.capacity_gbps[row]),
                utilisation={
                    name: float(comparison.played[name].utilisation[row]) for name in allocators
                },
            )
            for row in range(len(links.name))
        ],
        episodes="the first episode (each has a network of its own)" if is_drawn else EVERY,
    )


def draw_series(
    scenario: Scenario, comparison: Comparison, allocators: Sequence[str]
) -> TimeSeries:
    """Offered and served Gbit/s of each class in the first episode, under each of `allocators`."""
    timing, demands = scenario.timing, scenario.network.demands
    counted = np.arange(timing.warmup_intervals, timing.intervals)
    panels = [
        Panel(
            traffic_class=traffic_class,
            allocator=name,
            offered_gbps=played.offered_series[:, rows].sum(1).tolist(),
            served_gbps=played.served_series[:, rows].sum(1).tolist(),
        )
        for traffic_class in dict.fromkeys(demands.traffic_class)
        for rows in [demands.rows_of(traffic_class)]
        for name in allocators
        for played in [comparison.played[name]]
    ]
    title = f"Episode with seed {comparison.setting.seed}, {comparison.setting.split} split"
    return TimeSeries(title, (counted * timing.interval_s / 3600.0).tolist(), panels)
