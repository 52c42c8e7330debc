"""What a plane makes of rates, in the simulator: headers, bursts, late updates, least rates."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from builders import failing, outage, random_world, star
from hypothesis import given, settings
from hypothesis import strategies as st

from bwalloc.money import net_usd
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.scenario.enforcement import Enforcement
from bwalloc.sim import Episodes, Simulator
from bwalloc.sim.stretches import granted_gbps

PLANES = st.builds(
    Enforcement,
    burst_s=st.sampled_from([0.0, 0.005, 0.7, 3.0]),
    burst_gbit=st.sampled_from([0.0, 0.05, 2.0]),
    update_latency_s=st.sampled_from([0.0, 0.3, 1.0, 4.6, 10.0]),
    least_gbps=st.sampled_from([0.0, 0.02, 0.3]),
)


def case(plane, seed=0, *, batch=3, policed=True, groups=2, mean_gbps=1.0, events=()):
    """A star under a plane, and worlds of it; with events links fail."""
    scenario = star(n_sites=4, groups=groups, seed=seed, policed_core=policed, intervals=8)
    scenario = replace(scenario, enforcement=plane)
    worlds = [random_world(scenario, seed + row, mean_gbps) for row in range(batch)]
    if events:
        worlds = [failing(scenario, world, *events) for world in worlds]
    return scenario, worlds


def rates_of(scenario, batch, seed, scale=0.3):
    shape = (*scenario.network.tunnels.exists.shape, batch)
    return np.random.default_rng(seed).uniform(0, scale, shape).astype(np.float32)


def played(scenario, worlds, seed=0, *, compiled=False, rates=rates_of):
    """Every step under rates that are drawn anew in each interval."""
    simulator, episodes = Simulator(scenario, compiled=compiled), Episodes(worlds)
    state, steps = simulator.start(len(worlds)), []
    for interval in range(scenario.timing.intervals):
        steps.append(
            simulator.step(state, rates(scenario, len(worlds), [seed, interval]), episodes)
        )
        state = steps[-1].state
    return steps


def same(ours, theirs, **near):
    """Two steps did the same."""
    for record in ("flows", "readings"):
        for each in fields(getattr(ours, record)):
            one, other = (getattr(getattr(step, record), each.name) for step in (ours, theirs))
            np.testing.assert_allclose(one, other, err_msg=each.name, **near)


def one_demand(plane, gbps=4.0, *, policed=False):
    """A single demand on links of 50 and `gbps`, in substeps of 1 s, whose work never expires."""
    scenario = star(n_sites=1, per_site=1, tunnels=1, policed_core=policed, intervals=6)
    scenario.network.links.capacity_gbps[:] = [50.0, gbps]
    scenario.slots.width_substeps[:] = 0
    scenario = replace(scenario, enforcement=plane)
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 0.0
    return scenario, world


def served(scenario, world, *rates_gbps):
    """Gbit served in each interval under one rate after the other."""
    simulator, episodes = Simulator(scenario, compiled=False), Episodes([world])
    state, found = simulator.start(1), []
    for gbps in rates_gbps:
        step = simulator.step(state, np.full((1, 1, 1), gbps, np.float32), episodes)
        found.append(float(step.flows.served_gbit[0, 0]))
        state = step.state
    return found


def test_an_idle_tunnel_sends_what_it_saved_at_once():
    """1 Gbit/s saves 2 s of its rate: of 10 Gbit that arrive at second 9 it sends 1 + 2 there."""
    scenario, world = one_demand(Enforcement(burst_s=2.0), policed=True)
    world.arrivals_gbit[0, 9] = 10.0

    assert [3.0, 7.0, 0.0] == pytest.approx(served(scenario, world, 1.0, 1.0, 1.0), abs=1e-5)


def test_the_bucket_has_a_least_size_and_a_rate_of_nothing_has_none():
    scenario, world = one_demand(Enforcement(burst_s=0.5, burst_gbit=3.0), policed=True)
    world.arrivals_gbit[0, 9] = 10.0

    assert [4.0, 6.0] == pytest.approx(served(scenario, world, 1.0, 1.0), abs=1e-5)
    assert [0.0, 0.0] == served(scenario, world, 0.0, 0.0)
    assert [0.5 * 4 + 4, 4.0] == pytest.approx(
        served(replace(scenario, enforcement=Enforcement(burst_s=0.5)), world, 4.0, 4.0), abs=1e-5
    )


def test_nothing_is_saved_while_work_waits():
    scenario, world = one_demand(Enforcement(burst_s=5.0), policed=True)
    world.arrivals_gbit[0, 0] = 1000.0

    assert [10.0, 10.0] == pytest.approx(served(scenario, world, 1.0, 1.0), abs=1e-4)


def test_a_bucket_is_filled_before_its_rate_is_lent():
    """A asks for 9 of 4 Gbit/s all the time, B holds 2 and is idle: A gets the rest of the link."""
    scenario = star(n_sites=2, per_site=1, tunnels=1, policed_core=False, intervals=6)
    scenario.network.links.capacity_gbps[:] = [50.0, 50.0, 4.0]
    scenario = replace(scenario, enforcement=Enforcement(burst_s=1.5))
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 0
    world.arrivals_gbit[:, :, 0] = 9.0
    simulator, episodes = Simulator(scenario, compiled=False), Episodes([world])
    step = simulator.step(simulator.start(1), np.full((2, 1, 1), 2.0, np.float32), episodes)

    assert 40.0 - 1.5 * 2.0 == pytest.approx(float(step.flows.served_gbit[0, 0]), rel=1e-4)
    assert [0.0, 3.0] == pytest.approx(step.state.kept_gbit[:, 0].tolist(), abs=1e-5)


@pytest.mark.parametrize(("latency_s", "expected"), [(0.0, 30.0), (3.0, 24.0), (3.5, 23.0)])
def test_the_old_rates_hold_until_the_update(latency_s, expected):
    """From 1 to 3 Gbit/s: 10 s of the new rate, 7 of it, or 6.5."""
    scenario, world = one_demand(Enforcement(update_latency_s=latency_s))
    world.arrivals_gbit[:, :] = 4.0
    scenario.network.links.is_work_conserving[:] = False
    scenario = replace(scenario, network=replace(scenario.network))

    assert expected == pytest.approx(served(scenario, world, 1.0, 3.0)[1], rel=1e-4)


def test_rates_that_a_link_has_not_are_cut_before_and_after_an_update():
    plane = Enforcement(update_latency_s=4.5)
    scenario, worlds = case(plane, groups=0, events=[outage([9], 12.0, 26.0, 0.2)])
    episodes = Episodes(worlds)
    for interval, step in enumerate(played(scenario, worlds, rates=lambda *a: rates_of(*a, 3.0))):
        at = np.full(3, interval)
        most = np.maximum(episodes.capacity_gbps(at), episodes.change(at).before_gbps)
        assert (step.readings.carried_gbps <= most + 1e-3).all()


def test_what_is_granted_is_the_old_rate_until_the_update():
    """Floors of tenants are about rates in force: 3.5 of 10 s are those of the old rate."""
    scenario, _ = one_demand(Enforcement(update_latency_s=3.5))
    simulator = Simulator(scenario, compiled=False)
    old, new = (np.full((1, 1, 1), gbps, np.float32) for gbps in (1.0, 3.0))
    room = np.array([[50.0], [4.0]], np.float32)
    stretches = simulator.stretches(replace(simulator.start(1), rates_gbps=old), new, room, None)
    found = [(seconds, gbps.item()) for seconds, gbps in granted_gbps(simulator.physics, stretches)]

    assert [(3.0, 1.0), (1.0, 2.0), (6.0, 3.0)] == found


def test_least_rates_are_fitted_without_knowing_what_fails_later():
    """Rates and least rates fit the link, which fails at second 13: nothing is cut before."""
    scenario, worlds = case(
        Enforcement(least_gbps=0.02), batch=1, events=[outage([8, 9], 13.0, 35.0)]
    )
    simulator, episodes = Simulator(scenario, compiled=False), Episodes(worlds)
    at, rates = np.array([1]), rates_of(scenario, 1, 0, 0.1)
    change = episodes.change(at)
    stretches = simulator.stretches(simulator.start(1), rates, episodes.capacity_gbps(at), change)

    assert [(0, 3), (3, 10)] == [(each.first, each.last) for each in stretches]
    assert not stretches[1].capacity_gbps[8:10].any()
    for each in stretches:
        np.testing.assert_allclose(each.rates_gbps, np.maximum(rates, 0.02), rtol=1e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), whole=st.booleans())
def test_a_latency_of_an_interval_is_a_decision_one_interval_late(seed, whole):
    """And one of nothing is none."""
    latency_s = 10.0 if whole else 0.0
    scenario, worlds = case(Enforcement(update_latency_s=latency_s), seed, groups=1)
    late = played(scenario, worlds, seed)

    def as_decided(scenario, batch, moment):
        drawn, interval = moment
        rates = rates_of(scenario, batch, [drawn, max(interval - whole, 0)])
        return rates * 0 if whole and interval == 0 else rates

    plain = replace(scenario, enforcement=Enforcement())
    for ours, theirs in zip(late, played(plain, worlds, seed, rates=as_decided), strict=True):
        same(ours, theirs, rtol=0, atol=0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), least=st.floats(0.001, 0.35), scale=st.floats(0.01, 1.0))
def test_least_rates_are_kept_and_links_hold(seed, least, scale):
    scenario, worlds = case(Enforcement(least_gbps=least), seed)
    simulator, episodes = Simulator(scenario, compiled=False), Episodes(worlds)
    state, capacity = simulator.start(3), scenario.network.links.capacity_gbps[:, None]
    rates = rates_of(scenario, 3, seed, scale)
    (whole,) = simulator.stretches(state, rates, episodes.capacity_gbps(state.interval), None)
    flat = whole.rates_gbps.reshape(-1, 3)

    assert (flat >= least * (1 - 1e-5)).all()
    assert (simulator.physics.links.total(flat) <= capacity * (1 + 1e-5)).all()
    fits = (simulator.physics.links.total(np.maximum(rates, least).reshape(-1, 3)) < capacity).all()
    if fits:
        np.testing.assert_allclose(whole.rates_gbps, np.maximum(rates, least), rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), plane=PLANES, policed=st.booleans(), fails=st.booleans())
def test_work_is_neither_created_nor_lost_whatever_the_plane_does(seed, plane, policed, fails):
    events = [outage([2], 13.0, 35.0), outage([9], 22.0, 41.0, 0.4)] if fails else []
    scenario, worlds = case(plane, seed, policed=policed, events=events)
    steps = played(scenario, worlds, seed)
    arrived = np.stack([world.arrivals_gbit.sum((0, 1)) for world in worlds], 1)
    gone = sum(
        step.flows.served_gbit.astype(float) + step.flows.expired_gbit.astype(float)
        for step in steps
    )
    left = steps[-1].state.queued_gbit.sum(1)
    np.testing.assert_allclose(arrived, gone + left, rtol=1e-4, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), plane=PLANES, policed=st.booleans(), scale=st.floats(0.05, 1.5))
def test_a_link_carries_its_capacity_and_the_buckets_on_it(seed, plane, policed, scale):
    """Over any intervals in a row: no more than capacity x time and what its tunnels can save."""
    scenario, worlds = case(plane, seed, policed=policed, mean_gbps=2.0)
    steps = played(scenario, worlds, seed, rates=lambda *given: rates_of(*given, scale))
    interval_s, links = scenario.timing.interval_s, scenario.network.n_links
    capacity = scenario.network.links.capacity_gbps
    hops = scenario.network.flat_hops
    crossing = np.bincount(hops[hops < links], minlength=links)
    buckets = plane.burst_s * capacity + plane.burst_gbit * crossing
    carried = np.stack([step.readings.carried_gbps for step in steps]) * interval_s
    for first in range(len(steps)):
        for last in range(first + 1, len(steps) + 1):
            most = capacity * interval_s * (last - first) + buckets
            found = carried[first:last].sum(0)
            assert (found <= most[:, None] * (1 + 1e-4) + 1e-3).all(), (first, last)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1000), plane=PLANES, policed=st.booleans(), fails=st.booleans())
def test_the_compiled_twin_equals_the_array_form_under_any_plane(seed, plane, policed, fails):
    pytest.importorskip("numba", reason="numba comes with bwalloc[fast]")
    events = [outage([2], 13.0, 35.0), outage([9], 22.0, 41.0, 0.4)] if fails else []
    scenario, worlds = case(plane, seed, policed=policed, events=events)
    both = [played(scenario, worlds, seed, compiled=compiled) for compiled in (False, True)]
    for ours, theirs in zip(*both, strict=True):
        same(ours, theirs, rtol=1e-3, atol=3e-4)
        np.testing.assert_allclose(ours.state.kept_gbit, theirs.state.kept_gbit, atol=3e-4)


@pytest.mark.parametrize("batch", [1, 3])
def test_torch_agrees_and_gradients_flow_through_all_of_it(batch):
    torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    plane = Enforcement(0.7, 0.1, 4.6, 0.02)
    scenario, worlds = case(plane, batch=batch)
    simulator, episodes = Simulator(scenario, compiled=False), Episodes(worlds)
    state = simulator.start(batch)
    tensors = type(state)(*(torch.as_tensor(getattr(state, name)) for name in state.__slots__))
    first = torch.as_tensor(rates_of(scenario, batch, [0, 0])).requires_grad_()
    money = 0.0
    for interval in range(4):
        rates = rates_of(scenario, batch, [0, interval])
        load, capacity = episodes.load(state.interval), episodes.capacity_gbps(state.interval)
        step = simulator.advance(state, rates, load, capacity, episodes.start_h)
        other = simulator.advance(
            tensors, first if interval == 0 else torch.as_tensor(rates),
            type(load)(torch.as_tensor(load.arrivals_gbit), None),
            torch.as_tensor(capacity), torch.as_tensor(episodes.start_h),
        )  # fmt: skip
        state, tensors = step.state, other.state
        money = money + net_usd(other.terms).sum()
        same_money = float(net_usd(other.terms).detach().sum())
        assert float(net_usd(step.terms).sum()) == pytest.approx(same_money, rel=1e-4)
    np.testing.assert_allclose(state.kept_gbit, tensors.kept_gbit.detach().numpy(), atol=1e-4)
    money.backward()
    assert torch.isfinite(first.grad).all()
    assert (first.grad != 0).any()


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_headers_are_as_good_as_lower_rates(share):
    """Rates of which headers take a share serve what rates and links so much smaller do."""
    headers = load_scenario("tiny-edge", {"enforcement.header_share": share, "time.intervals": 40})
    plain = load_scenario("tiny-edge", {"network.capacity_factor": 1 - share, "time.intervals": 40})
    worlds = [[draw_world(each, "train", 3)] for each in (headers, plain)]
    steps = played(headers, worlds[0], rates=lambda *given: rates_of(*given, 1.5))
    smaller = played(plain, worlds[1], rates=lambda *given: rates_of(*given, 1.5) * (1 - share))
    for ours, theirs in zip(steps, smaller, strict=True):
        goodput = ours.flows.served_gbit * (1 - share)
        np.testing.assert_allclose(goodput, theirs.flows.served_gbit, rtol=1e-3, atol=1e-3)
        for term in ("delivered", "expired", "late"):
            np.testing.assert_allclose(ours.terms[term], theirs.terms[term], rtol=1e-3, atol=1e-7)
    assert sum(float(step.flows.served_gbit.sum()) for step in smaller) > 100.0


def test_headers_of_one_class_cost_that_class_alone():
    overrides = {"enforcement.header_share_by_class.kv_transfer": 0.2}
    scenario, plain = load_scenario("tiny-edge", overrides), load_scenario("tiny-edge")
    ours, theirs = (draw_world(each, "train", 0).arrivals_gbit for each in (scenario, plain))
    is_kv = np.array(plain.network.demands.traffic_class) == "kv_transfer"
    np.testing.assert_allclose(ours[..., is_kv] * 0.8, theirs[..., is_kv], rtol=1e-5)
    np.testing.assert_array_equal(ours[..., ~is_kv], theirs[..., ~is_kv])


def test_defaults_are_no_plane_at_all():
    """An explicit section of defaults plays to the last bit as none, and has the same digest."""
    nothing = {f"enforcement.{name}": 0.0 for name in NAMES}
    one, other = load_scenario("tiny-edge", nothing), load_scenario("tiny-edge")
    assert one.digest == other.digest
    worlds = [draw_world(other, "train", 1)]
    for ours, theirs in zip(played(one, worlds), played(other, worlds), strict=True):
        same(ours, theirs, rtol=0, atol=0)
    assert one.digest != load_scenario("tiny-edge", {"burst_s": 0.1}).digest


NAMES = ("header_share", "burst_s", "burst_gbit", "update_latency_s", "least_gbps")
