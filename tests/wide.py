"""Networks of any size with random tunnels, and telemetry about them, for tests of serving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from bwalloc.control import DemandTelemetry, LinkTelemetry, Telemetry
from bwalloc.money import GroupLaw, ValueLaw
from bwalloc.network import Demands, Links, Network, Sites, Spans, Topology, Tunnels

CLASSES = ("inference", "kv_transfer", "video_uplink", "background", "bulk_ingest")
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
"""A Monday at noon."""


def wide(n_demands, n_links, *, tunnels=3, hops=3, seed=0, interval_s=10.0, tenants=4, floors=0.0):
    """Demands whose tunnels cross random links; every span costs 1 USD an hour per Gbit/s."""
    rng = np.random.default_rng(seed)
    capacity = rng.uniform(5, 40, n_links)
    links = Links(
        name=tuple(f"link-{row}" for row in range(n_links)),
        source=np.zeros(n_links, int),
        target=np.ones(n_links, int),
        capacity_gbps=capacity,
        delay_ms=np.full(n_links, 1.0),
        is_work_conserving=np.arange(n_links) % 2 == 0,
        encryption=("none",) * n_links,
        risk_group=tuple(f"group-{row}" for row in range(n_links)),
        egress_usd_per_gbit=np.zeros(n_links),
        span=np.arange(n_links),
    )
    crossed = np.stack(
        [rng.integers(0, n_links, (n_demands, tunnels)) for _ in range(min(hops, n_links))], 2
    )
    for hop in range(1, crossed.shape[2]):  # a link is crossed once; shorter tunnels are padded
        again = (crossed[..., :hop] == crossed[..., hop : hop + 1]).any(2)
        crossed[..., hop] = np.where(again, n_links, crossed[..., hop])
    exists = np.ones((n_demands, tunnels), bool)
    exists[1::3, -1] = tunnels == 1
    crossed[~exists] = n_links
    sites = Sites(
        ("a", "b"), ("edge", "cloud"), ("eu", "eu"), np.zeros(2), np.zeros(2), np.zeros(2)
    )
    demands = Demands(
        name=tuple(f"demand-{row}" for row in range(n_demands)),
        source=np.zeros(n_demands, int),
        target=np.ones(n_demands, int),
        traffic_class=tuple(CLASSES[row % len(CLASSES)] for row in range(n_demands)),
        tenant=tuple(f"tenant-{row % tenants}" for row in range(n_demands)),
        deadline_s=np.full(n_demands, 2.0),
        budget_ms=np.full(n_demands, 100.0),
        borrow_weight=np.ones(n_demands),
        floor_gbps=np.full(n_demands, floors),
        residency=((),) * n_demands,
        encryption=("none",) * n_demands,
    )
    spans = Spans(
        tuple(f"span-{row}" for row in range(n_links)), capacity, capacity, ("isp",) * n_links
    )
    value = np.zeros((n_demands, 3))
    value[:, 0] = rng.uniform(1e-4, 1e-3, n_demands)
    return Network(
        Topology("wide", sites, links, spans),
        demands,
        Tunnels(
            crossed,
            exists,
            np.where(exists, 2.0, 0.0),
            np.zeros((n_demands, tunnels)),
        ),
        ValueLaw(
            value,
            np.full((n_demands, 3), np.inf),
            np.zeros(n_demands),
            np.zeros(n_demands),
            np.zeros(n_demands),
            0.0,
        ),
        GroupLaw((), np.full(n_demands, -1), np.zeros(0), np.zeros(0), np.zeros(0)),
        interval_s,
    )


def measured(network, interval=1, *, seed=0, start=START, load=0.5, **changes):
    """Telemetry of an interval: random loads that together ask for about `load` of the links.

    `changes` are columns by name; of demands, or of links.
    """
    rng = np.random.default_rng([seed, interval])
    demands, links = network.n_demands, network.n_links
    mean = load * network.links.capacity_gbps.sum() / max(demands, 1) / 3
    offered = rng.gamma(2.0, mean / 2.0, demands)
    columns = {
        "offered_gbps": offered,
        "recent_gbps": offered * rng.uniform(0.8, 1.2, demands),
        "peak_gbps": offered * 1.5,
        "served_gbit": offered * network.interval_s * 0.9,
        "expired_gbit": offered * 0.1,
        "queued_gbit": rng.uniform(0, 1, (demands, 4)),
        "declared_gbit": np.zeros(demands),
        "declared_due_s": np.full(demands, np.nan),
    }
    carried = {
        "capacity_gbps": network.links.capacity_gbps,
        "carried_gbps": network.links.capacity_gbps * rng.uniform(0, 1, links),
        "is_up": (True,) * links,
    }
    for name, value in changes.items():
        (carried if name in carried else columns)[name] = value
    return Telemetry(
        start + timedelta(seconds=interval * network.interval_s),
        network.interval_s,
        DemandTelemetry(network.demands.name, **columns),
        LinkTelemetry(network.links.name, **carried),
    )
