"""How speed grows with environments in a batch and with demands in a network."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx

from bwalloc.bench.env_faces import FaceSpeed, vector_speed
from bwalloc.bench.env_speed import Speed, measure, peak_memory_mib
from bwalloc.scenario import environment_from_graph, load_scenario

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario

ENVIRONMENTS = (1, 16, 64, 256, 1024)
DEMANDS = (50, 500, 5000)
BATCH = 16
"""Episodes of the networks that grow."""
INTERVALS = 60
DEMAND_ROUTES = {"video_uplink": ("edge-*", "cloud"), "background": ("cloud", "edge-*")}


@dataclass(frozen=True, slots=True)
class Grown:
    """Speed of the simulator on a network of `demands` demands; memory is the peak so far."""

    demands: int
    links: int
    speed: Speed
    memory_mib: float


def grow_environments(
    scenario: Scenario, seconds: float, counts: tuple[int, ...] = ENVIRONMENTS
) -> list[tuple[FaceSpeed, float]]:
    """The vector environment in batches of these sizes, and the peak of memory so far, MiB."""
    grown: list[tuple[FaceSpeed, float]] = []
    for count in counts:
        speed = vector_speed(scenario, count, seconds)
        grown.append((speed, peak_memory_mib()))
    return grown


def grow_demands(compiled: bool, seconds: float, counts: tuple[int, ...] = DEMANDS) -> list[Grown]:
    """The simulator on stars of growing size: per two demands a site, with one demand each way."""
    grown: list[Grown] = []
    for count in counts:
        scenario = star(count)
        speed = measure(scenario, BATCH, threads=1, compiled=compiled, seconds=seconds)
        links = scenario.network.n_links
        grown.append(Grown(scenario.network.n_demands, links, speed, peak_memory_mib()))
    return grown


def star(demands: int) -> Scenario:
    """A cloud behind a hub, and half as many edge sites as demands."""
    graph = nx.Graph()
    sites = demands // 2
    graph.add_node("hub", kind="hub")
    graph.add_node("cloud", kind="cloud")
    graph.add_edge("hub", "cloud", capacity_gbps=0.6 * sites, delay_ms=2.0)
    for number in range(sites):
        graph.add_node(f"edge-{number:04}", kind="edge")
        graph.add_edge(f"edge-{number:04}", "hub", capacity_gbps=1.0, delay_ms=1.0)
    up, down = DEMAND_ROUTES["video_uplink"], DEMAND_ROUTES["background"]
    text = environment_from_graph(
        graph,
        {
            "up": {"class": "video_uplink", "from": up[0], "to": up[1], "cameras": 60.0},
            "down": {"class": "background", "from": down[0], "to": down[1], "mean_gbps": 0.3},
        },
        name=f"bench/Star{demands}-v1",
        intervals=INTERVALS,
        tunnels_per_demand=1,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"star-{demands}.toml"
        path.write_text(text, encoding="utf-8")
        return load_scenario(str(path))
