"""Small scenarios built by hand, for tests that need to know every number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bwalloc.money import GroupLaw, ValueLaw
from bwalloc.network import Demands, Links, Network, Sites, Spans, Topology, Tunnels
from bwalloc.scenario import Scenario, Sizes, Timing, World, build_slots
from bwalloc.scenario.outages import Event, capacities_under


def star(
    n_sites: int = 12,
    per_site: int = 5,
    tunnels: int = 2,
    *,
    policed_core: bool = True,
    groups: int = 0,
    seed: int = 0,
    intervals: int = 40,
) -> Scenario:
    """Sites with one access link to each of `tunnels` hubs, and one core link per hub."""
    rng = np.random.default_rng(seed)
    n_links = n_sites * tunnels + tunnels
    source, target, capacity = [], [], []
    for site in range(n_sites):
        for hub in range(tunnels):
            source.append(site)
            target.append(n_sites + hub)
            capacity.append(rng.uniform(4, 12))
    for hub in range(tunnels):
        source.append(n_sites + hub)
        target.append(n_sites + tunnels)
        capacity.append(rng.uniform(15, 30))
    core = np.arange(n_links) >= n_sites * tunnels
    links = Links(
        name=tuple(f"link-{row}" for row in range(n_links)),
        source=np.array(source),
        target=np.array(target),
        capacity_gbps=np.array(capacity),
        delay_ms=np.where(core, 6.0, 1.0),
        is_work_conserving=~core if policed_core else np.ones(n_links, bool),
        encryption=("none",) * n_links,
        risk_group=tuple(f"group-{row}" for row in range(n_links)),
        egress_usd_per_gbit=np.zeros(n_links),
        span=np.full(n_links, -1),
    )
    kinds = ("edge",) * n_sites + ("hub",) * tunnels + ("cloud",)
    n_nodes = len(kinds)
    sites = Sites(
        tuple(f"site-{row}" for row in range(n_nodes)),
        kinds,
        ("eu",) * n_nodes,
        np.zeros(n_nodes),
        np.zeros(n_nodes),
        np.zeros(n_nodes),
    )
    n_demands = n_sites * per_site
    at = np.arange(n_demands) // per_site
    hops = np.stack(
        [
            np.stack([at * tunnels + hub, np.full(n_demands, n_sites * tunnels + hub)], 1)
            for hub in range(tunnels)
        ],
        1,
    )
    deadline = np.where(np.arange(n_demands) % per_site == 1, 2.0, 1.0)
    curved = np.arange(n_demands) % per_site == 0
    until = np.full((n_demands, 3), np.inf)
    until[curved] = [0.25, 0.5, np.inf]
    value = np.zeros((n_demands, 3))
    value[:, 0] = rng.uniform(1e-4, 1e-3, n_demands)
    value[curved, 1] = value[curved, 0] / 3
    value[curved, 2] = value[curved, 0] / 10
    demands = Demands(
        name=tuple(f"demand-{row}" for row in range(n_demands)),
        source=at,
        target=np.full(n_demands, n_nodes - 1),
        traffic_class=tuple(
            ("video_uplink", "kv_transfer", "inference", "background", "bulk_ingest")[
                row % per_site
            ]
            for row in range(n_demands)
        ),
        tenant=("t",) * n_demands,
        deadline_s=deadline,
        budget_ms=np.full(n_demands, 100.0),
        borrow_weight=rng.uniform(1, 10, n_demands),
        floor_gbps=np.zeros(n_demands),
        residency=((),) * n_demands,
        encryption=("none",) * n_demands,
    )
    member = np.full(n_demands, -1)
    if groups:
        member[: 2 * groups] = np.arange(2 * groups) % groups
    network = Network(
        Topology("star", sites, links, Spans((), np.zeros(0), np.zeros(0), ())),
        demands,
        Tunnels(
            hops,
            np.ones((n_demands, tunnels), bool),
            np.full((n_demands, tunnels), 7.0),
            np.zeros((n_demands, tunnels)),
        ),
        ValueLaw(
            value,
            until,
            rng.uniform(0, 1e-4, n_demands),
            np.full(n_demands, 1e-6),
            np.full(n_demands, 1e-5),
            1e-6,
        ),
        GroupLaw(
            tuple(f"g{row}" for row in range(groups)),
            member,
            np.full(groups, 8.0),
            np.full(groups, 2.5),
            np.full(groups, 1.5),
        ),
        10.0,
    )
    timing = Timing(intervals, 10.0, 10, 5)
    return Scenario(
        id="bwalloc/Star-v1",
        slug="star",
        title="star",
        network=network,
        timing=timing,
        slots=build_slots(deadline, np.zeros(n_demands, bool), timing),
        workload=None,
        reward_scale_usd=1.0,
        tuned={},
        digest="0" * 64,
        sizes=Sizes(network.n_demands, network.n_tunnels, network.n_links),
    )


def random_world(scenario: Scenario, seed: int, mean_gbps: float = 1.0) -> World:
    """Gamma arrivals without structure, contended on the star."""
    rng = np.random.default_rng(seed)
    timing = scenario.timing
    shape = (timing.intervals, timing.substeps, scenario.network.n_demands)
    arrivals = rng.gamma(0.7, mean_gbps / 0.7, shape).astype(np.float32) * timing.substep_s
    capacity = np.repeat(scenario.network.links.capacity_gbps[None], timing.intervals, 0)
    return World("train", seed, 0.0, arrivals, None, capacity.astype(np.float32))


def outage(rows, start_s: float, end_s: float, share: float = 0.0, announced_s=None) -> Event:
    """Links `rows` are left with `share` of their capacity."""
    return Event(np.array(rows), start_s, end_s, share, announced_s)


def failing(scenario: Scenario, world: World, *events: Event) -> World:
    """`world` with outages; without any event its capacities are known to stay."""
    nominal = scenario.network.links.capacity_gbps
    capacity, outages = capacities_under(events, nominal, scenario.timing)
    return replace(world, capacity_gbps=capacity, outages=outages)
