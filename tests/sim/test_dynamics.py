"""Laws of the fluid dynamics."""

from __future__ import annotations

import numpy as np
import pytest
from builders import random_world, star
from hypothesis import given, settings
from hypothesis import strategies as st

from bwalloc.money import net_usd
from bwalloc.sim import Episodes, Simulator


def random_rates(scenario, batch, seed, scale=0.3):
    """Rates that may or may not fit; the simulator cuts what does not."""
    shape = (*scenario.network.tunnels.exists.shape, batch)
    return np.random.default_rng(seed).uniform(0, scale, shape).astype(np.float32)


def play(simulator, episodes, batch, seed, intervals=None):
    """Play an episode under random rates; yields the steps."""
    state = simulator.start(batch)
    for interval in range(intervals or simulator.scenario.timing.intervals):
        step = simulator.step(
            state, random_rates(simulator.scenario, batch, [seed, interval]), episodes
        )
        yield step
        state = step.state


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), groups=st.integers(0, 3), policed=st.booleans())
def test_work_is_neither_created_nor_lost(seed, groups, policed):
    scenario = star(n_sites=4, groups=groups, seed=seed, policed_core=policed, intervals=8)
    worlds = [random_world(scenario, seed + row) for row in range(3)]
    steps = list(play(Simulator(scenario, compiled=False), Episodes(worlds), 3, seed))
    arrived = np.stack([world.arrivals_gbit.sum((0, 1)) for world in worlds], 1)
    served = sum(step.flows.served_gbit.astype(float) for step in steps)
    expired = sum(step.flows.expired_gbit.astype(float) for step in steps)
    queued = steps[-1].state.queued_gbit.sum(1)
    np.testing.assert_allclose(arrived, served + expired + queued, rtol=1e-4, atol=1e-3)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), policed=st.booleans())
def test_no_link_carries_more_than_its_capacity(seed, policed):
    scenario = star(n_sites=5, seed=seed, policed_core=policed, intervals=6)
    worlds = [random_world(scenario, seed, mean_gbps=3.0)]
    for step in play(Simulator(scenario, compiled=False), Episodes(worlds), 1, seed):
        over = step.readings.carried_gbps - step.readings.capacity_gbps
        assert over.max() <= 1e-4


def test_policed_links_do_not_lend_across_meters():
    """One site asks, another holds the rate: policed loses it, work-conserving lends it."""
    served = {}
    for policed in (True, False):
        scenario = star(n_sites=2, per_site=1, tunnels=1, policed_core=policed, intervals=6)
        world = random_world(scenario, 0)
        world.arrivals_gbit[:] = 0
        world.arrivals_gbit[:, :, 0] = 2.0
        rates = np.zeros((2, 1, 1), np.float32)
        rates[1] = 3.0
        simulator, episodes = Simulator(scenario, compiled=False), Episodes([world])
        step = simulator.step(simulator.start(1), rates, episodes)
        served[policed] = float(step.flows.served_gbit[0, 0])
    assert served[True] == pytest.approx(0.0, abs=1e-4)
    assert served[False] == pytest.approx(20.0, rel=1e-3)


def test_work_expires_at_its_deadline_and_not_before():
    """A demand with two seconds keeps work one substep longer than a demand with one."""
    scenario = star(n_sites=1, per_site=2, tunnels=1, intervals=6)
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 0
    world.arrivals_gbit[0, 9, :] = 1.0
    simulator, episodes = Simulator(scenario, compiled=False), Episodes([world])
    nothing = np.zeros((2, 1, 1), np.float32)
    world.capacity_gbps[:] = 0
    episodes = Episodes([world])
    first = simulator.step(simulator.start(1), nothing, episodes)
    assert first.flows.expired_gbit[:, 0].tolist() == [1.0, 0.0]
    second = simulator.step(first.state, nothing, episodes)
    assert second.flows.expired_gbit[:, 0].tolist() == [0.0, 1.0]


def test_rates_of_a_failed_link_are_cut_in_proportion_and_reported():
    scenario = star(n_sites=2, per_site=1, tunnels=1, intervals=6)
    world = random_world(scenario, 0)
    world.capacity_gbps[:, -1] = 1.0
    simulator = Simulator(scenario, compiled=False)
    rates = np.array([3.0, 1.0], np.float32).reshape(2, 1, 1)
    step = simulator.step(simulator.start(1), rates, Episodes([world]))
    assert step.overrun_gbit[0] == pytest.approx(30.0, rel=1e-3)
    assert step.readings.carried_gbps[-1, 0] <= 1.0 + 1e-4


def test_finishing_some_members_of_a_group_early_earns_nothing():
    """The stall of a group is that of its slowest member."""
    scenario = star(n_sites=2, per_site=1, tunnels=1, groups=1, intervals=6)
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 0
    world.arrivals_gbit[0, 0, :] = 5.0
    scenario.slots.width_substeps[:] = 0
    simulator, episodes = Simulator(scenario, compiled=False), Episodes([world])
    stalled = []
    for quick in (1.0, 3.0):
        rates = np.array([quick, 1.0], np.float32).reshape(2, 1, 1)
        step = simulator.step(simulator.start(1), rates, episodes)
        stalled.append(float(step.flows.stalled_s[0, 0]))
    assert stalled[0] == pytest.approx(stalled[1], abs=1e-3)
    assert stalled[0] == pytest.approx(5.0 - 1.5, abs=0.2)


def test_queued_work_is_settled_in_the_last_interval_only():
    scenario = star(n_sites=1, per_site=1, tunnels=1, intervals=6)
    scenario.slots.width_substeps[:] = 0
    world = random_world(scenario, 0)
    world.capacity_gbps[:] = 0
    steps = list(play(Simulator(scenario, compiled=False), Episodes([world]), 1, 0))
    settle = float(scenario.network.law.settle_usd_per_gbit[0])
    queued = float(steps[-1].state.queued_gbit.sum())
    assert all(step.terms["expired"][0] == 0 for step in steps[:-1])
    assert steps[-1].terms["expired"][0] == pytest.approx(settle * queued, rel=1e-5)


def test_numpy_and_torch_agree_over_a_whole_episode():
    torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    scenario = star(n_sites=4, groups=2, intervals=20)
    worlds = [random_world(scenario, seed) for seed in range(2)]
    simulator, episodes = Simulator(scenario, compiled=False), Episodes(worlds)
    state, money = simulator.start(2), np.zeros((2, 2))
    tensors = type(state)(*(torch.as_tensor(getattr(state, name)) for name in state.__slots__))
    for interval in range(20):
        rates = random_rates(scenario, 2, [7, interval])
        load, capacity = episodes.load(state.interval), episodes.capacity_gbps(state.interval)
        step = simulator.advance(state, rates, load, capacity, episodes.start_h)
        load = type(load)(torch.as_tensor(load.arrivals_gbit), None)
        other = simulator.advance(
            tensors, torch.as_tensor(rates), load, torch.as_tensor(capacity),
            torch.as_tensor(episodes.start_h),
        )  # fmt: skip
        state, tensors = step.state, other.state
        money[0] += net_usd(step.terms)
        money[1] += net_usd(other.terms).numpy()
    np.testing.assert_allclose(money[0], money[1], rtol=1e-4)
    np.testing.assert_allclose(state.queued_gbit, tensors.queued_gbit.numpy(), atol=1e-3)


def test_gradients_flow_through_an_interval():
    torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    scenario = star(n_sites=3, intervals=6)
    simulator, episodes = Simulator(scenario, compiled=False), Episodes([random_world(scenario, 0)])
    state = simulator.start(1)
    tensors = type(state)(*(torch.as_tensor(getattr(state, name)) for name in state.__slots__))
    load = episodes.load(state.interval)
    rates = torch.as_tensor(random_rates(scenario, 1, 0)).requires_grad_()
    step = simulator.advance(
        tensors, rates, type(load)(torch.as_tensor(load.arrivals_gbit), None),
        torch.as_tensor(episodes.capacity_gbps(state.interval)), torch.as_tensor(episodes.start_h),
    )  # fmt: skip
    net_usd(step.terms).sum().backward()
    assert torch.isfinite(rates.grad).all()
    assert (rates.grad > 0).any()


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 5])
def test_the_compiled_twin_equals_the_array_form_on_random_states(batch):
    pytest.importorskip("numba", reason="numba comes with bwalloc[fast]")
    scenario = star(n_sites=6, groups=2, intervals=200)
    worlds = [random_world(scenario, seed, mean_gbps=1.5) for seed in range(batch)]
    plain, twin = (Simulator(scenario, compiled=compiled) for compiled in (False, True))
    episodes, state = Episodes(worlds), plain.start(batch)
    for interval in range(200):
        rates = random_rates(scenario, batch, [3, interval])
        ours, theirs = plain.step(state, rates, episodes), twin.step(state, rates, episodes)
        for name in ours.flows.__slots__:
            np.testing.assert_allclose(
                getattr(ours.flows, name), getattr(theirs.flows, name), rtol=1e-3, atol=1e-4
            )
        np.testing.assert_allclose(ours.state.queued_gbit, theirs.state.queued_gbit, atol=1e-4)
        state = ours.state
