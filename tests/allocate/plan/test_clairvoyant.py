"""The clairvoyant plays its plan: feasible, repeatable, and close to the bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders import random_world, star
from hypothesis import given, settings
from hypothesis import strategies as st

from bwalloc.allocate.plan.clairvoyant import ClairvoyantRule, plan_episode
from bwalloc.scenario import Slots, World
from bwalloc.sim.play import play


def earned(scenario, worlds, plans):
    """Money of each episode, USD per hour, all decisions within the limits."""
    played = play(scenario, ClairvoyantRule(plans), worlds)
    assert played.violations == 0
    return played.net_usd / scenario.timing.counted_h


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), mean=st.floats(0.02, 5), policed=st.booleans())
def test_rates_fit_every_link(seed, mean, policed):
    scenario = star(n_sites=3, per_site=4, seed=seed, policed_core=policed, intervals=8)
    world = random_world(scenario, seed, mean_gbps=mean)
    rates = plan_episode(scenario, world).rates_gbps.astype(np.float64)
    assert (rates >= 0).all()
    flat = rates.reshape(8, -1)
    for link in range(scenario.network.n_links):
        load = flat[:, (scenario.network.flat_hops == link).any(1)].sum(1)
        assert (load <= world.capacity_gbps[:, link] * (1 - 5e-7)).all()


@pytest.mark.parametrize(("policed", "share"), [(False, 0.97), (True, 0.9)])
def test_it_comes_close_to_the_bound_on_the_star(policed, share):
    scenario = star(n_sites=4, per_site=4, policed_core=policed, intervals=20)
    worlds = [random_world(scenario, seed, mean_gbps=0.8) for seed in range(3)]
    plans = [plan_episode(scenario, world) for world in worlds]
    money = earned(scenario, worlds, plans)
    bounds = np.array([plan.bound_usd_per_h for plan in plans])
    assert (money <= bounds).all()
    assert money.sum() >= share * bounds.sum()


def test_a_batch_earns_what_its_episodes_earn_alone():
    scenario = star(n_sites=2, per_site=3, intervals=10)
    worlds = [random_world(scenario, seed) for seed in range(2)]
    plans = [plan_episode(scenario, world) for world in worlds]
    together = earned(scenario, worlds, plans)
    alone = [
        earned(scenario, [world], [plan])[0] for world, plan in zip(worlds, plans, strict=True)
    ]
    assert together == pytest.approx(alone, rel=1e-5)


def test_it_holds_work_back_where_that_pays():
    """A cheap job that may wait leaves the link to dear work, and is done by its deadline."""
    scenario = star(n_sites=1, per_site=2, tunnels=1, policed_core=False, intervals=10)
    slots = Slots(4, np.array([0, 3]), np.array([1, 20]))
    scenario = replace(scenario, slots=slots)
    scenario.network.links.capacity_gbps[:] = [50.0, 2.0]
    law = scenario.network.law
    law.value_until[:] = np.inf
    law.value_usd_per_gbit[:] = [[1e-3, 0, 0], [1e-4, 0, 0]]
    law.expiry_usd_per_gbit[:] = [1e-3, 1e-4]
    law.late_usd_per_gbit_s[:] = 0.0
    arrivals = np.zeros((10, 10, 2), np.float32)
    arrivals[5:8, :, 0] = 2.0
    jobs = np.zeros((10, 2, 4), np.float32)
    jobs[5, 1, 3] = 30.0
    capacity = random_world(scenario, 0).capacity_gbps
    world = World("train", 0, 0.0, arrivals, jobs, capacity)
    plan = plan_episode(scenario, world)
    # The dear work fills the link until 80 s; the job, 30 Gbit due at 120 s, runs after it.
    expected = (1e-3 * 60.0 + 1e-4 * 30.0) / scenario.timing.counted_h
    money = earned(scenario, [world], [plan])[0]
    assert plan.bound_usd_per_h == pytest.approx(expected, rel=1e-3)
    assert expected * 0.97 <= money <= plan.bound_usd_per_h
