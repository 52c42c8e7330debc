"""The stall of groups, worked by hand: every number below is arithmetic on a sheet of paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders import random_world, star

from bwalloc.money import GroupLaw
from bwalloc.sim import Episodes, Simulator

USD_PER_S = 512 * 2.5 / 3600
BACKENDS = ["array", "compiled", "torch"]


def job(members, grace_s, *, lends=False):
    """One group of `members` demands, one per site, that may go at any rate below 100 Gbit/s."""
    scenario = star(n_sites=members, per_site=1, tunnels=1, policed_core=not lends, intervals=20)
    scenario.slots.width_substeps[:] = 0
    groups = GroupLaw(
        ("job",), np.zeros(members, int), np.array([512.0]), np.array([2.5]), np.array([grace_s])
    )
    return replace(scenario, network=replace(scenario.network, groups=groups))


def bursts(scenario, *given, capacity_gbps=100.0):
    """A world of bursts (second, member or all of them, Gbit), and nothing else."""
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 0
    world.capacity_gbps[:] = capacity_gbps
    for second, member, gbit in given:
        world.arrivals_gbit[second // 10, second % 10, member] += gbit
    return world


def play(scenario, world, rates, backend, intervals=8):
    """Stalled seconds by interval, and USD of stall of all of them, under constant rates."""
    if backend == "torch":
        torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    if backend == "compiled":
        pytest.importorskip("numba", reason="numba comes with bwalloc[fast]")
    simulator, episodes = Simulator(scenario, compiled=backend == "compiled"), Episodes([world])
    state = simulator.start(1)
    rates = np.array(rates, np.float32).reshape(-1, 1, 1)
    seconds, usd = [], 0.0
    for interval in range(intervals):
        now = np.array([interval])
        load, capacity = episodes.load(now), episodes.capacity_gbps(now)
        given = (state, rates, load, capacity, episodes.start_h)
        if backend == "torch":
            tensors = [torch.as_tensor(getattr(state, name)) for name in state.__slots__]
            load = type(load)(torch.as_tensor(load.arrivals_gbit), None)
            given = (type(state)(*tensors), torch.as_tensor(rates), load)
            given += (torch.as_tensor(capacity), torch.as_tensor(episodes.start_h))
        step = simulator.advance(*given)
        state = step.state
        seconds.append(float(step.flows.stalled_s[0, 0]))
        usd += float(step.terms["stall"][0])
    return np.array(seconds), usd


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("quick", [2.0, 10.0, 30.0])
def test_a_coflow_stalls_until_its_last_member_is_done(backend, quick):
    """60 Gbit at 2 Gbit/s take 30 s, less 4 s of grace, however early the other three are done."""
    scenario = job(4, grace_s=4.0)
    world = bursts(scenario, (0, slice(None), 60.0))

    seconds, usd = play(scenario, world, [quick, quick, quick, 2.0], backend)

    np.testing.assert_allclose([6, 10, 10, 0, 0, 0, 0, 0], seconds, atol=1e-2)
    assert 26 * USD_PER_S == pytest.approx(usd, rel=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_coflow_stops_stalling_within_a_substep(backend):
    """60 Gbit at 8 Gbit/s take 7.5 s; the last half second of the substep costs nothing."""
    scenario = job(4, grace_s=0.0)
    world = bursts(scenario, (0, slice(None), 60.0))

    seconds, _ = play(scenario, world, [8.0, 8.0, 8.0, 8.0], backend)

    assert 7.5 == pytest.approx(seconds.sum(), abs=1e-2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_coflow_within_its_grace_costs_nothing(backend):
    scenario = job(2, grace_s=30.0)
    world = bursts(scenario, (3, slice(None), 60.0))

    assert 0 == play(scenario, world, [2.0, 2.0], backend)[1]
    assert 0.5 == pytest.approx(play(scenario, world, [2.0, 60 / 30.5], backend)[0].sum(), abs=0.02)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_burst_that_finds_the_group_busy_merges_with_it(backend):
    """Two bursts of 20 Gbit at 1 Gbit/s, 5 s of grace: once if they meet, twice if they do not."""
    scenario = job(2, grace_s=5.0)
    meeting = bursts(scenario, (0, slice(None), 20.0), (10, slice(None), 20.0))
    apart = bursts(scenario, (0, slice(None), 20.0), (25, slice(None), 20.0))

    merged, _ = play(scenario, meeting, [1.0, 1.0], backend)
    twice, _ = play(scenario, apart, [1.0, 1.0], backend)

    np.testing.assert_allclose([5, 10, 10, 10, 0, 0, 0, 0], merged, atol=1e-2)
    np.testing.assert_allclose([5, 10, 0, 10, 5, 0, 0, 0], twice, atol=1e-2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_burst_merges_even_at_a_member_that_was_done(backend):
    """The quick member gets its second burst while the slow one still holds up the first."""
    scenario = job(2, grace_s=5.0)
    world = bursts(scenario, (0, slice(None), 20.0), (18, 0, 28.0))

    seconds, _ = play(scenario, world, [4.0, 1.0], backend)

    # The slow member is done at 20 s, the quick one at 18 + 7 = 25 s: busy from 0 to 25 s.
    np.testing.assert_allclose([5, 10, 5, 0, 0, 0, 0, 0], seconds, atol=1e-2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_borrowed_ends_a_stall_as_early_as_it_drains(backend):
    """One member alone on a lending link: 2 Gbit/s of its own and 8 of others drain 25 in 2.5 s."""
    scenario = job(1, grace_s=0.0, lends=True)
    world = bursts(scenario, (0, 0, 25.0), capacity_gbps=10.0)

    seconds, _ = play(scenario, world, [2.0], backend)

    assert 2.5 == pytest.approx(seconds.sum(), abs=1e-2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_member_that_gets_nothing_stalls_the_group_for_good(backend):
    scenario = job(2, grace_s=0.0)
    world = bursts(scenario, (0, slice(None), 10.0))

    seconds, _ = play(scenario, world, [10.0, 0.0], backend)

    np.testing.assert_allclose([10] * 8, seconds, atol=1e-2)


def test_gradients_tell_which_member_ends_the_stall():
    """63 Gbit at 8 Gbit/s take 63 / 8 s: a Gbit/s more saves 63 / 8**2 s, at the quick one none."""
    torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    scenario = job(2, grace_s=0.0)
    world = bursts(scenario, (0, slice(None), 63.0))
    simulator, episodes = Simulator(scenario, compiled=False), Episodes([world])
    state, now = simulator.start(1), np.array([0])
    tensors = [torch.as_tensor(getattr(state, name)) for name in state.__slots__]
    load = episodes.load(now)
    rates = torch.tensor([[[8.0]], [[20.0]]], requires_grad=True)
    step = simulator.advance(
        type(state)(*tensors), rates, type(load)(torch.as_tensor(load.arrivals_gbit), None),
        torch.as_tensor(episodes.capacity_gbps(now)), torch.as_tensor(episodes.start_h),
    )  # fmt: skip
    step.flows.stalled_s.sum().backward()

    assert 63 / 8 == pytest.approx(step.flows.stalled_s[0, 0].item(), abs=1e-3)
    assert -63 / 8**2 == pytest.approx(float(rates.grad[0, 0, 0]), rel=0.01)
    assert 0 == pytest.approx(float(rates.grad[1, 0, 0]), abs=1e-6)
