"""Minutes below a tenant's floor, and what it gets back for them."""

from dataclasses import replace

import numpy as np
import pytest
from builders import failing, outage, random_world, star

from bwalloc.money import CreditLaw
from bwalloc.sim import Episodes, Simulator
from bwalloc.sim.promises import PromiseLog

LAW = CreditLaw(100.0, (0.5, 1.0), (0.1, 0.4))
"""10 % of 100 USD per Gbit/s from half a minute on, 40 % from a minute on."""


def books(rates, *events, floors=(1.0, 2.0)):
    """Promises of two tenants, "a" and "b", after 120 s under constant rates on one core link."""
    scenario = star(n_sites=2, per_site=1, tunnels=1, policed_core=False, intervals=12)
    network = scenario.network
    network.links.capacity_gbps[:] = [9.0, 9.0, 4.0]
    demands = replace(network.demands, floor_gbps=np.array(floors), tenant=("a", "b"))
    scenario = replace(scenario, network=replace(network, demands=demands), credits=LAW)
    world = failing(scenario, random_world(scenario, 0), *events)
    simulator, episodes = Simulator(scenario), Episodes([world])
    log = PromiseLog(scenario, simulator.physics, 1)
    given = np.array(rates, np.float32).reshape(2, 1, 1)
    state = replace(simulator.start(1), rates_gbps=given)
    for interval in range(12):
        at = np.array([interval])
        rooms = (episodes.capacity_gbps(at), episodes.change(at))
        log.add(simulator.stretches(state, given, *rooms))
    return {
        name: (float(each.below_floor_min[0]), float(each.credit_usd[0]))
        for name, each in log.close().items()
    }


def test_who_has_its_floor_gets_nothing_back():
    assert {"a": (0, 0), "b": (0, 0)} == books([1.0, 2.0])


def test_a_rate_below_the_floor_counts_though_nobody_wants_to_send():
    assert {"a": (2.0, 40.0), "b": (0, 0)} == books([0.9, 2.0])


def test_a_link_that_fails_is_no_excuse():
    """40 s at half of 4 Gbit/s: 1 + 3 are cut to .5 + 1.5, both below."""
    found = books([1.0, 3.0], outage([2], 33.0, 73.0, share=0.5))

    assert (40 / 60, 10.0) == pytest.approx(found["a"])
    assert (40 / 60, 20.0) == pytest.approx(found["b"])


def test_only_the_tenant_behind_the_failed_link_is_below():
    found = books([1.0, 2.0], outage([0], 12.0, 92.0))

    assert (80 / 60, 40.0) == pytest.approx(found["a"])
    assert (0, 0) == found["b"]


def test_a_demand_without_a_floor_is_promised_nothing():
    assert {"b": (0, 0)} == books([0.0, 2.0], floors=(0.0, 2.0))


def test_credits_grow_by_bands():
    law = CreditLaw(182.5, (5.0, 30.0, 60.0, 120.0), (0.1, 0.2, 0.5, 1.0))
    minutes = np.array([[0.0, 4.9, 5.0, 30.0, 119.0, 120.0, 900.0]])

    expected = 182.5 * 2 * np.array([[0, 0, 0.1, 0.2, 0.5, 1.0, 1.0]])
    np.testing.assert_allclose(expected, law.usd(minutes, np.array([2.0])))
