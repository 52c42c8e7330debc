"""Telemetry to decide upon: plausible loads for any network, and simulated episodes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate import make_rule
from bwalloc.arrays import Incidence
from bwalloc.control import DemandTelemetry, LinkTelemetry, Telemetry
from bwalloc.observe import no_history
from bwalloc.scenario import draw_world
from bwalloc.sim import Episodes, Simulator, telemetry_of

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.scenario import Scenario

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
"""A Monday at noon."""
CONTENDED = 0.25
"""Share of the links that mean loads overload if all of it takes the first tunnels."""
MEMORY = 0.8
"""Part of a load's logarithm that stays from one interval to the next."""
SPREAD = 0.5
"""Standard deviation of that logarithm."""
SLOTS = 4


def records(
    network: Network, count: int, *, seed: int = 0, load: float = 1.0
) -> Iterator[Telemetry]:
    """Telemetry of successive intervals; loads move by a first-order autoregression.

    Args:
        network: what is measured.
        count: intervals.
        seed: of all loads.
        load: all loads are multiplied by it; at 1 every fourth link or so is overloaded.
    """
    rng = np.random.default_rng([seed, network.n_demands])
    mean = load * _mean_gbps(network, rng)
    level = rng.normal(0.0, SPREAD, network.n_demands)
    for interval in range(1, count + 1):
        fresh = rng.normal(0.0, SPREAD, network.n_demands)
        level = MEMORY * level + np.sqrt(1 - MEMORY**2) * fresh
        yield _record(network, interval, mean * np.exp(level), rng)


def simulated(scenario: Scenario, count: int) -> Iterator[Telemetry]:
    """Telemetry of test episodes under `max-min`, one after another as if they were one."""
    rule = make_rule("max-min", scenario.network, no_history(scenario.network.n_demands), {})
    simulator = Simulator(scenario)
    end, left = START, count
    for seed in itertools.count():
        episodes = Episodes([draw_world(scenario, "test", seed)])
        state = simulator.start(1)
        readings = simulator.first_readings(state, episodes)
        for _ in range(scenario.timing.intervals):
            if not left:
                return
            end, left = end + timedelta(seconds=scenario.network.interval_s), left - 1
            yield replace(telemetry_of(scenario.network, readings), interval_end=end)
            step = simulator.step(state, rule.decide(readings), episodes)
            state, readings = step.state, step.readings


def with_links_down(record: Telemetry, is_down: np.ndarray) -> Telemetry:
    """The same record with the links of `is_down` (links,) down too."""
    up = tuple(was and not down for was, down in zip(record.links.is_up, is_down, strict=True))
    return replace(record, links=replace(record.links, is_up=up))


def _mean_gbps(network: Network, rng: np.random.Generator) -> np.ndarray:
    """A load of each demand, so that some links cannot carry all of theirs."""
    mean = rng.gamma(1.0, 1.0, network.n_demands)
    first = Incidence(network.tunnels.hops[:, 0], network.n_links)
    used = first.total(mean[:, None])[:, 0] / network.links.capacity_gbps
    return mean / max(float(np.quantile(used, 1 - CONTENDED)), 1e-9)


def _record(
    network: Network, interval: int, offered: np.ndarray, rng: np.random.Generator
) -> Telemetry:
    demands, links = network.n_demands, network.n_links
    served = offered * rng.uniform(0.7, 1.0, demands)
    lost = (offered - served) * rng.uniform(0.0, 1.0, demands)
    queued = (offered - served - lost)[:, None] * rng.dirichlet(np.ones(SLOTS), demands)
    return Telemetry(
        START + timedelta(seconds=interval * network.interval_s),
        network.interval_s,
        DemandTelemetry(
            name=network.demands.name,
            offered_gbps=offered,
            recent_gbps=offered * rng.uniform(0.8, 1.2, demands),
            peak_gbps=offered * rng.uniform(1.0, 2.0, demands),
            served_gbit=served * network.interval_s,
            expired_gbit=lost * network.interval_s,
            queued_gbit=queued * network.interval_s,
            declared_gbit=np.zeros(demands),
            declared_due_s=np.full(demands, np.nan),
        ),
        LinkTelemetry(
            name=network.links.name,
            capacity_gbps=network.links.capacity_gbps,
            carried_gbps=network.links.capacity_gbps * rng.uniform(0.2, 1.0, links),
            is_up=(True,) * links,
        ),
    )
