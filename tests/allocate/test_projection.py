"""Projection: what it returns keeps every limit, and it moves nothing that keeps them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wide import wide

from bwalloc.allocate.decode import Ask, decode
from bwalloc.allocate.floors import FloorPlan
from bwalloc.allocate.limits import Limits, violations
from bwalloc.allocate.projection import Fixed, Projection
from bwalloc.network import Tunnels

NETWORKS = [wide(1, 1, tunnels=1, hops=1), wide(6, 3), wide(30, 12), wide(40, 5, tunnels=1)]


def feasible(network, rng, capacity):
    demands, tunnels = network.tunnels.exists.shape
    ask = Ask(
        rng.gamma(1.0, 2.0, (demands, 1)).astype(np.float32),
        rng.uniform(0.1, 2, (demands, 1)).astype(np.float32),
        rng.uniform(0, 1, (demands, tunnels, 1)).astype(np.float32),
        rng.uniform(0, 1, (demands, 1)).astype(np.float32),
    )
    return decode(network, ask, capacity[:, None].astype(np.float32))[:, :, 0]


@st.composite
def cases(draw):
    network = draw(st.sampled_from(NETWORKS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = network.tunnels.exists.shape
    capacity = network.links.capacity_gbps * rng.choice([0, 0.1, 1, 2], network.n_links)
    scale = draw(st.sampled_from([0.0, 0.1, 1.0, 100.0, 1e30]))
    rates = rng.gamma(1.0, scale + 1e-12, shape) * rng.choice([0, 1], shape)
    previous = draw(st.sampled_from(["none", "feasible", "anything"]))
    before = {
        "none": None,
        "feasible": feasible(network, rng, capacity).astype(float),
        "anything": rng.gamma(1.0, 10.0, shape),
    }[previous]
    names = network.demands.name
    floors = {name: float(rng.uniform(0, 3)) for name in names if rng.random() < 0.4}
    limits = Limits(
        floors_gbps=draw(st.sampled_from([{}, floors])),
        tenant_gbps=draw(st.sampled_from([{}, {"tenant-0": 200.0}])),
        largest_step_gbps=draw(st.sampled_from([np.inf, 1.0, 0.0])),
        least_change=draw(st.sampled_from([0.0, 0.05, 0.9])),
    )
    is_fixed = rng.random(len(names)) < 0.3
    fixed = Fixed(is_fixed, np.where(is_fixed, rng.uniform(0, 20, len(names)), 0.0))
    return network, limits, rates, capacity, before, draw(st.sampled_from([None, fixed]))


@settings(max_examples=150, deadline=None)
@given(cases())
def test_whatever_is_asked_every_limit_is_kept(case):
    check_case(case)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(cases())
def test_whatever_is_asked_every_limit_is_kept_at_length(case):
    check_case(case)


def check_case(case):
    network, limits, rates, capacity, before, fixed = case
    held = Projection(network, limits)(rates, capacity, before, fixed).rates_gbps

    assert np.isfinite(held).all()
    promised = limits if fixed is None else None  # an operator may go below a floor
    assert 0 == violations(network, held[:, :, None], capacity[:, None], promised)[0]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NETWORKS), st.integers(0, 10**6))
def test_rates_that_keep_the_limits_come_back_bit_by_bit(network, seed):
    rng = np.random.default_rng(seed)
    capacity = network.links.capacity_gbps
    rates = feasible(network, rng, capacity)
    held = Projection(network, Limits())(rates, capacity, rates * 0)

    np.testing.assert_array_equal(rates, held.rates_gbps)
    assert (0.0, {}) == (held.moved_share, held.done)


def test_overload_is_scaled_down_on_the_links_that_have_it():
    network = wide(2, 2, tunnels=1, hops=1)
    hops = np.array([[[0]], [[1]]])
    network = replace(network, tunnels=replace(network.tunnels, hops=hops))
    held = Projection(network, Limits())(np.array([[8.0], [3.0]]), np.array([4.0, 5.0]))

    np.testing.assert_allclose([[4.0], [3.0]], held.rates_gbps)
    assert {"over-capacity": 1} == held.done
    assert held.moved_share == pytest.approx(0.5 * 4 / 11)


def test_a_step_lets_go_first_and_takes_only_what_is_free():
    network = wide(3, 1, tunnels=1, hops=1)
    before = np.array([[10.0], [0.0], [0.0]])
    held = Projection(network, Limits(largest_step_gbps=2.0))(
        np.array([[0.0], [5.0], [5.0]]), np.array([10.0]), before
    )

    np.testing.assert_allclose([[8.0], [1.0], [1.0]], held.rates_gbps)
    assert {"step-limited": 3} == held.done


def test_capacity_that_is_gone_does_not_wait_for_a_step():
    network = wide(1, 1, tunnels=1, hops=1)
    held = Projection(network, Limits(largest_step_gbps=1.0))(
        np.array([[9.0]]), np.array([2.0]), np.array([[9.0]])
    )

    assert held.rates_gbps[0, 0] == pytest.approx(2.0)


def test_small_changes_leave_the_old_rate_where_it_fits():
    network = wide(3, 1, tunnels=1, hops=1)
    project = Projection(network, Limits(least_change=0.1))
    before = np.array([[4.0], [3.0], [2.0]])
    roomy = project(np.array([[3.9], [3.2], [1.0]]), np.array([20.0]), before)
    tight = project(np.array([[3.9], [3.1], [1.0]]), np.array([8.0]), before)

    np.testing.assert_array_equal([[4.0], [3.0], [1.0]], roomy.rates_gbps)
    assert {"kept": 2} == roomy.done
    np.testing.assert_array_equal([[4.0], [3.0], [1.0]], tight.rates_gbps)


def test_an_old_rate_that_no_longer_fits_does_not_stay():
    network = wide(2, 1, tunnels=1, hops=1)
    held = Projection(network, Limits(least_change=0.2))(
        np.array([[4.0], [4.0]]), np.array([8.0]), np.array([[4.5], [4.0]])
    )

    np.testing.assert_array_equal([[4.0], [4.0]], held.rates_gbps)


def test_floors_are_met_by_another_tunnel_when_the_usual_sharing_fails():
    # a may use links 0 and 1, b and c only 0: a must leave link 0 altogether.
    network = wide(3, 2, tunnels=2, hops=1)
    hops = np.array([[[0], [1]], [[0], [2]], [[0], [2]]])
    exists = hops[:, :, 0] < 2
    network = replace(network, tunnels=Tunnels(hops, exists, exists * 1.0, exists * 0.0))
    floors, room = np.array([1.0, 1.0, 1.0]), np.array([2.0, 1.0])
    plan, is_whole = FloorPlan(network, floors)(room)

    assert is_whole
    np.testing.assert_allclose([[0, 1], [1, 0], [1, 0]], plan, atol=1e-3)

    held = Projection(
        network, Limits(floors_gbps=dict(zip(network.demands.name, floors, strict=True)))
    )(np.array([[2.0, 1.0], [0.0, 0.0], [0.0, 0.0]]), room)
    np.testing.assert_allclose([1.0, 1.0, 1.0], held.rates_gbps.sum(1), atol=1e-3)
    assert 2 == held.done["floors-raised"]


def test_floors_that_do_not_fit_are_shared_and_a_dead_demand_takes_none_of_it():
    network = wide(3, 2, tunnels=1, hops=1)
    hops = np.array([[[0]], [[0]], [[1]]])
    network = replace(network, tunnels=replace(network.tunnels, hops=hops))
    limits = Limits(floors_gbps=dict.fromkeys(network.demands.name, 4.0))
    held = Projection(network, limits)(np.zeros((3, 1)), np.array([4.0, 0.0]))

    np.testing.assert_allclose([2.0, 2.0, 0.0], held.rates_gbps.sum(1), atol=1e-3)
    assert 3 == held.done["floors-infeasible"]


def test_a_tenant_is_held_to_its_cap_and_the_others_keep_theirs():
    network = wide(4, 8, tunnels=1, hops=1, tenants=2)
    hops = np.arange(4).reshape(4, 1, 1)
    network = replace(network, tunnels=replace(network.tunnels, hops=hops))
    held = Projection(network, Limits(tenant_gbps={"tenant-0": 4.0}))(
        np.array([[4.0], [4.0], [4.0], [4.0]]), np.full(8, 10.0)
    )

    np.testing.assert_allclose([[2.0], [4.0], [2.0], [4.0]], held.rates_gbps)


def test_what_an_operator_fixed_comes_before_floors_and_before_the_policy():
    network = wide(2, 1, tunnels=1, hops=1)
    limits = Limits(floors_gbps={"demand-0": 3.0, "demand-1": 3.0})
    fixed = Fixed(np.array([True, False]), np.array([1.0, 0.0]))
    held = Projection(network, limits)(np.array([[9.0], [0.0]]), np.array([10.0]), None, fixed)

    np.testing.assert_allclose([[1.0], [3.0]], held.rates_gbps, atol=1e-4)
    assert 1 == held.done["override"]
