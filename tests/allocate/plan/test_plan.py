"""The plan: which work may be served when, capacities kept, and plans of odd episodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders import random_world, star

from bwalloc.allocate.plan import rates as plan_rates
from bwalloc.allocate.plan.clairvoyant import plan_episode
from bwalloc.allocate.plan.horizon import clock_of, pieces_of, refusal_usd_per_gbit, units_of
from bwalloc.allocate.plan.model import ChunkPlan
from bwalloc.scenario import Slots, World
from bwalloc.sim import Episodes, Simulator


def with_slots(scenario, count, arrival, width):
    """The scenario with slots given by hand."""
    demands = scenario.network.n_demands
    slots = Slots(count, np.full(demands, arrival), np.full(demands, width))
    return replace(scenario, slots=slots)


@pytest.mark.parametrize(("count", "width"), [(1, 1), (3, 1), (4, 7), (2, 25), (1, 0)])
def test_units_end_when_the_simulator_lets_them_expire(count, width):
    """Serve nothing: what expires, and what waits, agrees with the simulator."""
    scenario = with_slots(star(n_sites=2, per_site=2, intervals=8), count, count - 1, width)
    world = random_world(scenario, 3)
    units, clock = units_of(scenario, world), clock_of(scenario)
    simulator, episodes = Simulator(scenario, compiled=False), Episodes([world])
    state, cost = simulator.start(1), 0.0
    for interval in range(8):
        step = simulator.step(state, state.rates_gbps, episodes)
        state = step.state
        if interval >= scenario.timing.warmup_intervals:
            cost += step.terms["expired"][0] + step.terms["late"][0] - step.terms["delivered"][0]
    refused = float((refusal_usd_per_gbit(scenario, units, clock) * units.gbit).sum())
    assert refused == pytest.approx(cost, rel=1e-4)


def test_jobs_are_units_of_their_slot():
    scenario = with_slots(star(n_sites=1, per_site=2, intervals=6), 5, 4, 8)
    quiet = random_world(scenario, 0)
    jobs = np.zeros((6, 2, 5), np.float32)
    jobs[2, 1, 3] = 7.0
    nothing = np.zeros_like(quiet.arrivals_gbit)
    world = World("train", 0, 0.0, nothing, jobs, quiet.capacity_gbps)
    units = units_of(scenario, world)
    # Substep 20 lies in the slot that ends with 23; three slots more end with 47.
    assert (units.demand[0], units.start[0], units.end[0]) == (1, 20, 47)
    assert units.expires[0]
    assert units.gbit.tolist() == [7.0]


@pytest.mark.parametrize("policed", [True, False])
def test_a_chunk_keeps_capacities_and_carries_no_more_than_arrives(policed):
    scenario = star(n_sites=3, per_site=4, policed_core=policed, intervals=6)
    world = random_world(scenario, 2, mean_gbps=3.0)
    units, clock = units_of(scenario, world), clock_of(scenario)
    refusal = refusal_usd_per_gbit(scenario, units, clock)
    plan = ChunkPlan(scenario, world, units, clock, (2, 5), refusal)
    dt, network = scenario.timing.substep_s, scenario.network
    flat = plan.carried_gbit.reshape(-1, 30)
    for link in range(network.n_links):
        over = flat[(network.flat_hops == link).any(1)].sum(0) / dt
        room = np.repeat(world.capacity_gbps[2:5, link].astype(float), 10)
        assert (over <= room + 1e-7).all()
    arrived = world.arrivals_gbit[2:5].astype(float).sum((0, 1))
    assert (plan.carried_gbit.sum((1, 2)) <= arrived + 1e-7).all()
    meters = plan.meter_gbps[~network.pools().is_shared]
    assert (meters.shape[0] > 0) == policed
    for hub in network.links.name[-2:] if policed else ():
        link = network.links.name.index(hub)
        mine = plan.meter_gbps[(network.pools().link == link) & ~network.pools().is_shared]
        assert (mine.sum(0) <= world.capacity_gbps[2:5, link] + 1e-6).all()


def test_prices_are_zero_where_there_is_room():
    scenario = star(n_sites=2, per_site=2, intervals=6)
    world = random_world(scenario, 1, mean_gbps=0.01)
    units, clock = units_of(scenario, world), clock_of(scenario)
    refusal = refusal_usd_per_gbit(scenario, units, clock)
    plan = ChunkPlan(scenario, world, units, clock, (0, 6), refusal)
    shared = plan.prices[scenario.network.pools().is_shared]
    assert shared == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("policed", [True, False])
def test_an_episode_without_work_is_worth_nothing(policed):
    scenario = star(n_sites=1, per_site=2, policed_core=policed, intervals=8)
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 0.0
    plan = plan_episode(scenario, world)
    assert plan.bound_usd_per_h == 0.0
    assert np.isfinite(plan.rates_gbps).all()


def test_pieces_add_up_to_the_value_law():
    """What the pieces pay is what the simulator pays, served less or more than arrived."""
    scenario = star(n_sites=1, per_site=3, intervals=8)
    law = scenario.network.law
    units = units_of(scenario, random_world(scenario, 0))
    pieces = pieces_of(scenario, units)
    offered = 2.0
    free = np.where(np.isinf(law.value_until), np.inf, law.value_until * offered)
    for served in (0.0, 0.3, 0.9, 1.7, 5.0):
        expected = (law.step_usd_per_gbit * np.minimum(served, free)).sum(1)
        before = np.cumsum(pieces.width, 1) - pieces.width
        sold = np.clip(served - before * offered, 0, pieces.width * offered)
        paid = pieces.endless * served + (pieces.extra * sold).sum(1)
        assert paid == pytest.approx(expected)


@pytest.mark.parametrize(("most", "chunks"), [(10**9, 1), (0, 8)])
def test_an_lp_of_work_that_waits_long_grows_only_while_it_stays_small(monkeypatch, most, chunks):
    scenario = with_slots(star(n_sites=2, per_site=2, intervals=24), 1, 0, 0)
    built = []

    def spied(*arguments):
        built.append(arguments[4])
        return ChunkPlan(*arguments)

    monkeypatch.setattr(plan_rates, "ChunkPlan", spied)
    monkeypatch.setattr(plan_rates, "MOST_COLUMNS", most)
    plan_episode(scenario, random_world(scenario, 3))
    assert len(built) == chunks
    assert [first for first, _ in built[1:]] == [last for _, last in built[:-1]]
    assert built[-1][1] == 24
