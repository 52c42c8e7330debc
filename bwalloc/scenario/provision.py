"""How wide the spans of a drawn network are: as wide as their expected load, times a headroom."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.network.routing import route
from bwalloc.scenario.build import label
from bwalloc.scenario.build_demands import build_demands, economics_by_row
from bwalloc.scenario.build_network import build_network_topology
from bwalloc.scenario.build_workload import site_scale
from bwalloc.scenario.expand import expand_demands
from bwalloc.scenario.generate_network import log_uniform

if TYPE_CHECKING:
    from bwalloc.network import Topology, Tunnels
    from bwalloc.scenario.expand import DemandRow
    from bwalloc.scenario.schema import EnvFile

SPREAD = 2
"""Tunnels of a demand that its expected load is spread over, evenly."""
LEAST = 0.1
"""Least load a span is built for, as a share of the mean span: detours need some room."""


def provisioned(
    env: EnvFile,
    path: Path,
    headroom: Mapping[str, tuple[float, float]],
    rng: np.random.Generator,
) -> EnvFile:
    """The file with every capacity set: load of the busier direction x drawn headroom.

    Args:
        env: file of one network, whose capacities do not matter yet.
        path: where the file lies, for topologies beside it.
        headroom: lowest and highest factor by name of a span.
        rng: draws the factors.
    """
    where = label(path)
    topology = build_network_topology(env, path, where)
    rows = expand_demands(env, topology, where)
    demands = build_demands(rows, topology, economics_by_row(env, rows, where))
    tunnels = route(topology, demands, tunnels_per_demand=env.tunnels.per_demand)
    expected = np.array([expected_gbps(row) * site_scale(env, row.site) for row in rows])
    load = span_load_gbps(topology, tunnels, expected)
    load = np.maximum(load, LEAST * load.mean())
    spans = {
        name: env.network.spans[name].model_copy(
            update={"capacity_gbps": float(f"{gbps * log_uniform(rng, headroom[name]):.3g}")}
        )
        for name, gbps in zip(topology.spans.name, load, strict=True)
    }
    return env.model_copy(update={"network": env.network.model_copy(update={"spans": spans})})


def span_load_gbps(topology: Topology, tunnels: Tunnels, expected_gbps: np.ndarray) -> np.ndarray:
    """Load of the busier direction of every span, (spans,), each demand on its first tunnels."""
    links = topology.links
    used = tunnels.exists[:, :SPREAD]
    share = np.where(used, expected_gbps[:, None] / used.sum(1, keepdims=True), 0.0)
    load = np.zeros(len(links.name) + 1)
    np.add.at(load, tunnels.hops[:, :SPREAD], share[:, :, None])
    busier = np.zeros(len(topology.spans.name))
    np.maximum.at(busier, links.span, load[:-1])
    return busier


def expected_gbps(row: DemandRow) -> float:
    """Mean load of a demand at a site of scale 1."""
    section = row.section
    if section.traffic_class == "video_uplink":
        return section.cameras * section.wanted_mbps / 1000.0
    return section.mean_gbps or 0.0
