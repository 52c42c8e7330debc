"""Where groups stall, what cannot outlive an interval is planned by the substep all the same."""

import numpy as np
import pytest

from bwalloc.allocate.plan import rates as plan_rates
from bwalloc.allocate.plan.clairvoyant import ClairvoyantRule, plan_episode
from bwalloc.allocate.stall.rates import stalling_members
from bwalloc.allocate.stall.short_work import patient_demands, rest_of
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.scenario.outages import known_gbps
from bwalloc.sim.play import play


@pytest.fixture(scope="module")
def episode():
    scenario = load_scenario("geo-training", {"time.intervals": 90})
    return scenario, draw_world(scenario, "train", 3)


def test_members_and_what_may_wait_keep_their_rates(episode):
    scenario, world = episode
    kept = patient_demands(scenario, world, stalling_members(scenario, world))
    by_class = {
        kind: kept[[row for row, name in enumerate(scenario.network.demands.name) if kind in name]]
        for kind in ("sync", "feed", "science")
    }
    assert by_class["sync"].all()
    assert not by_class["feed"].any()
    assert not by_class["science"].any()


def test_the_rest_has_what_the_kept_leave(episode):
    scenario, world = episode
    network = scenario.network
    kept = np.zeros(network.n_demands, bool)
    kept[:5] = True
    rates = np.random.default_rng(0).uniform(0, 1, (len(network.flat_hops), 90))
    rates *= network.tunnels.exists.ravel()[:, None]
    _, left = rest_of(scenario, world, kept, rates)

    load = np.zeros_like(known_gbps(world))
    for row in np.flatnonzero(np.repeat(kept, network.n_tunnels)):
        for link in network.flat_hops[row]:
            if link < network.n_links:
                load[:, link] += rates[row]
    np.testing.assert_allclose(known_gbps(left), np.maximum(known_gbps(world) - load, 0), atol=1e-4)
    assert not left.arrivals_gbit[:, :, :5].any()


def test_it_earns_more_than_the_plan_in_cells_and_keeps_every_limit(episode, monkeypatch):
    scenario, world = episode
    by_substep = plan_episode(scenario, world)
    monkeypatch.setattr(plan_rates, "_short_work_again", lambda *given: given[-1])
    in_cells = plan_episode(scenario, world)
    with_it, without = (
        play(scenario, ClairvoyantRule([plan]), [world]) for plan in (by_substep, in_cells)
    )
    assert 0 == with_it.violations
    assert with_it.net_usd[0] > without.net_usd[0] + 0.5


def test_what_a_solver_rounds_below_nothing_is_nothing(episode):
    """HiGHS answers -1e-16 for 0; a negative rate would be a violation."""
    scenario, _ = episode
    network, timing = scenario.network, scenario.timing
    shape = (*network.tunnels.exists.shape, timing.intervals * timing.substeps)
    carried = np.random.default_rng(0).uniform(0, 1, shape) * network.tunnels.exists[:, :, None]
    meters = np.full((len(network.pools().link), timing.intervals), 2.0)
    carried[::3], meters[::2] = -1e-9, -1e-9
    assert plan_rates._guarantees(scenario, carried, meters).min() >= 0.0
