"""Rates of work that waits for less than an interval, planned substep by substep on what is left.

The plan of an episode in which groups stall is made in cells of up to an interval: it takes bursts
of seconds for their mean, and serves too little of them. Here the members of groups and what may
wait keep the rates of that plan, and everybody else is planned anew, a few intervals at a time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.plan.horizon import SHRINK, units_of
from bwalloc.arrays import Incidence
from bwalloc.money import GroupLaw
from bwalloc.scenario.outages import known_gbps

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario, World


def patient_demands(scenario: Scenario, world: World, members: np.ndarray) -> np.ndarray:
    """Whether a demand keeps its rates: members of groups, and work that outlives an interval."""
    units = units_of(scenario, world)
    waits = np.zeros(scenario.network.n_demands, bool)
    outlives = units.end - units.start > scenario.timing.substeps
    np.logical_or.at(waits, units.demand, outlives)
    waits[members] = True
    return waits


def rest_of(
    scenario: Scenario, world: World, kept: np.ndarray, rates_gbps: np.ndarray
) -> tuple[Scenario, World]:
    """The scenario without groups and offers, and the world that those who are `kept` leave.

    Args:
        scenario: the environment.
        world: the episode, its capacities those of the tiers that are planned.
        kept: demands that keep their rates.
        rates_gbps: of every interval, (flat tunnels, intervals).
    """
    network = scenario.network
    held = np.where(np.repeat(kept, network.n_tunnels)[:, None], rates_gbps, 0.0)
    load = Incidence(network.flat_hops, network.n_links).total(held)
    left = np.maximum(known_gbps(world).T * SHRINK - load, 0.0).T
    arrivals = np.where(kept, np.float32(0.0), world.arrivals_gbit)
    jobs = world.jobs_gbit
    jobs = None if jobs is None else np.where(kept[:, None], np.float32(0.0), jobs)
    alone = GroupLaw((), np.full(network.n_demands, -1), *(np.zeros(0) for _ in range(3)))
    return (
        replace(scenario, network=replace(network, groups=alone, offers=None)),
        replace(world, arrivals_gbit=arrivals, jobs_gbit=jobs, capacity_gbps=left, outages=None),
    )
