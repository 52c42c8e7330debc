"""Networks of any size to decide for: sites on a ring with chords, demands over routed tunnels."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np

from bwalloc.money import GroupLaw, ValueLaw
from bwalloc.network import Demands, Network
from bwalloc.network.build import SiteRow, SpanRow, build_topology
from bwalloc.network.routing import route

if TYPE_CHECKING:
    from bwalloc.network import Topology

LINKS_PER_SITE = 4.0
"""Directed links per site; 3.5 in germany50, a research backbone (50 sites, 176 links)."""
CAPACITIES_GBPS = (10.0, 40.0, 100.0)
DELAY_MS = 0.5, 4.0
HOPS = 2, 3
"""Of the shortest path of a demand, if there are such; its other tunnels have more."""
PAIRS_PER_LINK = 1
"""Pairs of sites with demands; further demands are other classes and tenants of the same pairs."""
TUNNELS = 3
TENANTS = 12
INTERVAL_S = 10.0
CLASSES = {
    "inference": (2.0, 60.0, 4e-4),
    "kv_transfer": (2.0, 100.0, 6e-4),
    "video_uplink": (5.0, 150.0, 2e-4),
    "bulk_ingest": (600.0, 1000.0, 5e-5),
    "background": (np.inf, 500.0, 2e-5),
}
"""Deadline in s, delay budget in ms and USD per Gbit of a class: magnitudes, nobody is paid."""


def sized_network(n_demands: int, n_links: int, *, seed: int = 0) -> Network:
    """A network of exactly so many demands and directed links; the same seed, the same network.

    Tunnels are found as those of every environment are, up to three for a demand.

    Args:
        n_demands: at least 1.
        n_links: at least 1; the last of an odd number has no link back.
        seed: of chords, capacities and demands.
    """
    rng = np.random.default_rng([n_demands, n_links, seed])
    topology = _topology(n_links, rng)
    demands = _demands(topology, n_demands, rng)
    tunnels = route(topology, demands, tunnels_per_demand=TUNNELS)
    none = np.zeros(0)
    groups = GroupLaw((), np.full(n_demands, -1), none, none, none)
    return Network(topology, demands, tunnels, _law(demands, rng), groups, INTERVAL_S)


def _topology(n_links: int, rng: np.random.Generator) -> Topology:
    n_sites, n_spans = max(2, round(n_links / LINKS_PER_SITE)), (n_links + 1) // 2
    ends = list(pairwise(range(n_sites)))
    if n_sites > 2:
        ends.append((n_sites - 1, 0))
    while len(ends) < n_spans:
        one, other = (int(site) for site in rng.choice(n_sites, 2, replace=False))
        if n_sites <= 4 or not {(one, other), (other, one)} & set(ends):
            ends.append((one, other))
    spans: list[SpanRow] = []
    for row, (one, other) in enumerate(ends):
        there = float(rng.choice(CAPACITIES_GBPS))
        back = 0.0 if 2 * row + 1 == n_links else there
        delay_ms = round(float(rng.uniform(*DELAY_MS)), 3)
        names = f"site-{one}", f"site-{other}"
        spans.append(SpanRow(f"span-{row}", names, (there, back), delay_ms=delay_ms))
    return build_topology("sized", [SiteRow(f"site-{row}") for row in range(n_sites)], spans)


def _demands(topology: Topology, count: int, rng: np.random.Generator) -> Demands:
    pairs = _pairs(topology, count, rng)
    chosen = np.array([pairs[row % len(pairs)] for row in range(count)], np.int64)
    names = list(CLASSES)
    classes = tuple(names[row] for row in rng.integers(0, len(names), count))
    return Demands(
        name=tuple(f"demand-{row}" for row in range(count)),
        source=chosen[:, 0],
        target=chosen[:, 1],
        traffic_class=classes,
        tenant=tuple(f"tenant-{row}" for row in rng.integers(0, TENANTS, count)),
        deadline_s=np.array([CLASSES[name][0] for name in classes]),
        budget_ms=np.array([CLASSES[name][1] for name in classes]),
        borrow_weight=np.ones(count),
        floor_gbps=np.zeros(count),
        residency=((),) * count,
        encryption=("none",) * count,
    )


def _pairs(topology: Topology, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Ordered pairs of sites some hops apart, those of `HOPS` where there are any."""
    links = topology.links
    graph = nx.DiGraph(zip(links.source.tolist(), links.target.tolist(), strict=True))
    reach = dict(nx.all_pairs_shortest_path_length(graph, cutoff=HOPS[1]))
    apart = [
        (source, target, hops)
        for source, targets in sorted(reach.items())
        for target, hops in sorted(targets.items())
        if hops > 0
    ]
    far = [pair for pair in apart if pair[2] >= HOPS[0]] or apart
    most = min(count, max(1, PAIRS_PER_LINK * len(links.name)), len(far))
    return [far[row][:2] for row in rng.choice(len(far), most, replace=False)]


def _law(demands: Demands, rng: np.random.Generator) -> ValueLaw:
    usd = np.array([CLASSES[name][2] for name in demands.traffic_class])
    value = (usd * rng.uniform(0.5, 2.0, len(usd)))[:, None]
    nothing = np.zeros(len(usd))
    return ValueLaw(value, np.full_like(value, np.inf), nothing, nothing, nothing, 0.0)
