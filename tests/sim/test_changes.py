"""Links that fail and come back inside an interval, and what a controller is told of it."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from builders import failing, outage, random_world, star
from hypothesis import given, settings
from hypothesis import strategies as st

from bwalloc.allocate import make_rule
from bwalloc.allocate.limits import violations
from bwalloc.control import Telemetry, from_json, to_json
from bwalloc.observe import measured, read_telemetry
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.sim import Episodes, Simulator, telemetry_of
from bwalloc.sim.play import play


def steady(scenario, gbps):
    """A world in which every demand offers the same rate all the time, and work never expires."""
    scenario.slots.width_substeps[:] = 0
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = gbps * scenario.timing.substep_s
    return world


def one_site(*events):
    scenario = star(n_sites=1, per_site=1, tunnels=1, policed_core=False, intervals=8)
    scenario.network.links.capacity_gbps[:] = [50.0, 4.0]
    return scenario, failing(scenario, steady(scenario, 2.0), *events)


def played(scenario, world, gbps, compiled=False):
    """Every step under a constant rate of each demand's first tunnel."""
    simulator, episodes = Simulator(scenario, compiled=compiled), Episodes([world])
    rates = np.zeros((*scenario.network.tunnels.exists.shape, 1), np.float32)
    rates[:, 0] = gbps
    state, steps = simulator.start(1), []
    for _ in range(scenario.timing.intervals):
        steps.append(simulator.step(state, rates, episodes))
        state = steps[-1].state
    return steps


@pytest.mark.parametrize("compiled", [False, True])
def test_a_failure_cuts_the_only_tunnel_from_the_second_it_strikes(compiled):
    """Down from second 13 to 25: of 20 Gbit offered an interval, 6 pass in the second one.

    In the third nothing passes for 5 s; then 4 Gbit/s drain the 24 Gbit that wait.
    """
    if compiled:
        pytest.importorskip("numba", reason="numba comes with bwalloc[fast]")
    scenario, world = one_site(outage([1], 13.0, 25.0))
    steps = played(scenario, world, 4.0, compiled)
    served = [round(float(step.flows.served_gbit[0, 0]), 3) for step in steps]
    waiting = [round(float(step.state.queued_gbit.sum()), 3) for step in steps]

    assert [20.0, 6.0, 20.0, 34.0, 20.0] == pytest.approx(served[:5], abs=1e-3)
    assert [0.0, 14.0, 14.0, 0.0, 0.0] == pytest.approx(waiting[:5], abs=1e-3)


def test_what_was_promised_on_a_failed_link_is_overrun_from_the_strike_on():
    scenario, world = one_site(outage([1], 13.0, 25.0))
    steps = played(scenario, world, 3.0)
    overrun = [float(step.overrun_gbit[0]) for step in steps]

    assert [0, 7 * 3.0, 5 * 3.0, 0, 0] == pytest.approx(overrun[:5], abs=1e-3)


def test_half_a_link_carries_half():
    scenario, world = one_site(outage([1], 10.0, 20.0, share=0.5))
    steps = played(scenario, world, 4.0)

    assert pytest.approx(20.0, abs=1e-3) == float(steps[1].flows.served_gbit[0, 0])
    assert pytest.approx(10 * 2.0, abs=1e-3) == float(steps[1].overrun_gbit[0])
    assert [4.0, 2.0, 4.0] == [float(s.readings.capacity_gbps[1, 0]) for s in steps[:3]]


def test_work_moves_to_the_tunnel_that_is_left():
    """Two tunnels of 4 Gbit/s with 2 each; one fails: its share is borrowed on the other."""
    scenario = star(n_sites=1, per_site=1, tunnels=2, policed_core=False, intervals=6)
    scenario.network.links.capacity_gbps[:] = [9.0, 9.0, 4.0, 4.0]
    world = failing(scenario, steady(scenario, 3.0), outage([2], 15.0, 60.0))
    simulator, episodes = Simulator(scenario, compiled=False), Episodes([world])
    state, rates = simulator.start(1), np.full((1, 2, 1), 2.0, np.float32)
    for _ in range(2):
        step = simulator.step(state, rates, episodes)
        state = step.state

    assert pytest.approx(30.0, abs=1e-2) == float(step.flows.served_gbit[0, 0])
    carried = step.readings.carried_gbps[2:, 0]
    assert [0.75, 2.25] == pytest.approx(carried.tolist(), abs=1e-2)


def test_a_world_without_events_plays_as_one_that_never_fails():
    scenario = star(n_sites=3, groups=1, intervals=8)
    world = random_world(scenario, 0)
    one, other = (
        played(scenario, each, 0.4) for each in (world, failing(scenario, world))
    )  # fmt: skip
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first.state.queued_gbit, second.state.queued_gbit)
        np.testing.assert_array_equal(first.flows.stalled_s, second.flows.stalled_s)
        np.testing.assert_array_equal(first.readings.offered_gbps, second.readings.offered_gbps)


@pytest.mark.parametrize("compiled", [False, True])
def test_an_interval_in_parts_keeps_jobs_deadlines_and_measurements(compiled):
    """A failure that takes next to nothing changes next to nothing, wherever it strikes."""
    if compiled:
        pytest.importorskip("numba", reason="numba comes with bwalloc[fast]")
    scenario = load_scenario("tiny-edge", {"demands.bulk_ingest-up.mean_gbps": 3.0})
    world = draw_world(scenario, "train", 1)
    events = [
        outage([0, 4], 10.0 * t + t % 10, 10.0 * t + 10 + t % 7, 0.999999) for t in range(1, 120, 2)
    ]
    harmed = failing(scenario, world, *events)
    assert (harmed.outages.since > 0).sum() > 100
    one, other = (played(scenario, each, 0.8, compiled) for each in (world, harmed))
    for first, second in zip(one, other, strict=True):
        np.testing.assert_allclose(first.state.queued_gbit, second.state.queued_gbit, atol=2e-2)
        for name in ("offered_gbps", "recent_gbps", "peak_gbps", "carried_gbps", "expired_gbit"):
            np.testing.assert_allclose(
                getattr(first.readings, name), getattr(second.readings, name), atol=1e-2, rtol=1e-4
            )
    assert sum(float(step.flows.expired_gbit.sum()) for step in one) > 10.0


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 9), st.floats(-20, 70), st.floats(0.1, 40), st.sampled_from([0.0, 0.3, 0.5])
    ),
    max_size=6,
)


def random_case(seed, spans, batch=3, groups=2):
    scenario = star(n_sites=4, groups=groups, seed=seed, intervals=8)
    worlds = []
    for column in range(batch):
        events = [outage([row], start, start + long, share) for row, start, long, share in spans]
        shown = events if column % 2 == 0 else events[: len(events) // 2]
        worlds.append(failing(scenario, random_world(scenario, seed + column), *shown))
    return scenario, worlds


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), spans=EVENTS)
def test_work_is_neither_created_nor_lost_while_links_fail(seed, spans):
    scenario, worlds = random_case(seed, spans)
    simulator, episodes = Simulator(scenario, compiled=False), Episodes(worlds)
    state, gone = simulator.start(3), 0.0
    rng = np.random.default_rng(seed)
    for interval in range(8):
        rates = rng.uniform(0, 0.3, (*scenario.network.tunnels.exists.shape, 3)).astype(np.float32)
        step = simulator.step(state, rates, episodes)
        gone = gone + step.flows.served_gbit.astype(float) + step.flows.expired_gbit
        most = np.maximum(
            episodes.capacity_gbps(state.interval), episodes.change(state.interval).before_gbps
        )
        assert (step.readings.carried_gbps <= most + 1e-3).all(), interval
        state = step.state
    arrived = np.stack([world.arrivals_gbit.sum((0, 1)) for world in worlds], 1)
    np.testing.assert_allclose(arrived, gone + state.queued_gbit.sum(1), rtol=1e-4, atol=1e-3)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), spans=EVENTS)
def test_the_compiled_twin_equals_the_array_form_while_links_fail(seed, spans):
    pytest.importorskip("numba", reason="numba comes with bwalloc[fast]")
    scenario, worlds = random_case(seed, spans)
    plain, twin = (Simulator(scenario, compiled=compiled) for compiled in (False, True))
    episodes, state = Episodes(worlds), plain.start(3)
    rng = np.random.default_rng(seed)
    for _ in range(8):
        rates = rng.uniform(0, 0.3, (*scenario.network.tunnels.exists.shape, 3)).astype(np.float32)
        ours, theirs = plain.step(state, rates, episodes), twin.step(state, rates, episodes)
        for record in ("flows", "readings"):
            for each in fields(getattr(ours, record)):
                np.testing.assert_allclose(
                    getattr(getattr(ours, record), each.name),
                    getattr(getattr(theirs, record), each.name),
                    rtol=1e-3, atol=2e-4, err_msg=each.name,
                )  # fmt: skip
        np.testing.assert_allclose(ours.overrun_gbit, theirs.overrun_gbit, rtol=1e-3, atol=1e-3)
        state = ours.state


def test_torch_agrees_while_links_fail_and_its_gradients_are_finite():
    torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    spans = [(2, 13.0, 30.0, 0.0), (9, 5.0, 24.0, 0.5), (8, 31.0, 12.0, 0.0)]
    scenario, worlds = random_case(1, spans)
    simulator, episodes = Simulator(scenario, compiled=False), Episodes(worlds)
    state = simulator.start(3)
    tensors = type(state)(*(torch.as_tensor(getattr(state, name)) for name in state.__slots__))
    rates = np.full((*scenario.network.tunnels.exists.shape, 3), 0.2, np.float32)
    wanted = torch.as_tensor(rates).requires_grad_()
    for _ in range(8):
        load, capacity = episodes.load(state.interval), episodes.capacity_gbps(state.interval)
        change = episodes.change(state.interval)
        step = simulator.advance(state, rates, load, capacity, episodes.start_h, change)
        before, coming = map(torch.as_tensor, (change.before_gbps, change.coming_gbps))
        other = simulator.advance(
            tensors, wanted, type(load)(torch.as_tensor(load.arrivals_gbit), None),
            torch.as_tensor(capacity), torch.as_tensor(episodes.start_h),
            replace(change, before_gbps=before, coming_gbps=coming),
        )  # fmt: skip
        state, tensors = step.state, other.state
        np.testing.assert_allclose(
            step.flows.served_gbit, other.flows.served_gbit.detach(), rtol=1e-3, atol=1e-3
        )
        np.testing.assert_array_equal(step.readings.capacity_gbps, other.readings.capacity_gbps)
    other.flows.delivered_usd.sum().backward()
    assert torch.isfinite(wanted.grad).all()


def test_announced_works_are_respected_before_they_begin():
    """Works leave 1 of 4 Gbit/s from second 30 to 50: told of a minute ahead, no rule overruns."""
    scenario, world = one_site(outage([1], 30.0, 50.0, share=0.25, announced_s=-60.0))
    record = measured([world], scenario.timing.interval_s)
    simulator, episodes = Simulator(scenario), Episodes([world])
    rule = make_rule("proportional", scenario.network, record, {})
    rule.reset(1)
    state = simulator.start(1)
    readings, granted, overrun = simulator.first_readings(state, episodes), [], []
    for _ in range(7):
        rates = rule.decide(readings)
        step = simulator.step(state, rates, episodes)
        granted.append(float(rates.sum()))
        overrun.append(float(step.overrun_gbit[0]))
        state, readings = step.state, step.readings

    # That they are over is seen at the end of the interval that follows them.
    assert max(granted[3:6]) <= 1.0 < min(granted[1], granted[2], granted[6])
    assert 0.0 == pytest.approx(max(overrun), abs=1e-3)


def test_a_decision_that_ignores_announced_works_is_a_violation_and_a_surprise_is_none():
    for announced_s, expected in ((0.0, 1), (None, 0)):
        scenario, world = one_site(outage([1], 30.0, 40.0, 0.25, announced_s))
        simulator, episodes = Simulator(scenario, compiled=False), Episodes([world])
        state, rates = simulator.start(1), np.full((1, 1, 1), 3.9, np.float32)
        readings, broken = simulator.first_readings(state, episodes), 0
        for _ in range(4):
            broken += int(violations(scenario.network, rates, readings.capacity_gbps).sum())
            step = simulator.step(state, rates, episodes)
            state, readings = step.state, step.readings
        assert expected == broken


def test_telemetry_says_what_is_down_and_which_works_are_ahead():
    scenario, world = one_site(
        outage([1], 13.0, 27.0), outage([0], 40.0, 60.0, share=0.5, announced_s=15.0)
    )
    steps = played(scenario, world, 1.0)
    records = [
        telemetry_of(scenario.network, step.readings, world=world, interval=row)
        for row, step in enumerate(steps, start=1)
    ]

    assert [True, False, True] == [record.links.is_up[1] for record in records[:3]]
    assert [4.0, 0.0, 4.0] == [record.links.capacity_gbps[1] for record in records[:3]]
    assert [0, 1, 1, 1, 1, 0, 0] == [len(record.maintenance) for record in records[:7]]
    (works,) = records[2].maintenance
    end = records[2].interval_end
    assert [10.0, 30.0] == [(t - end).total_seconds() for t in (works.start, works.end)]
    assert 25.0 == works.capacity_gbps
    assert [50.0] * 3 + [50.0] + [25.0] == [r.links.capacity_gbps[0] for r in records[:5]]


def test_a_record_reads_as_the_readings_it_was_made_of():
    events = (outage([1], 13.0, 27.0), outage([0], 42.0, 60.0, share=0.5, announced_s=5.0))
    scenario, world = one_site(*events)
    network = scenario.network
    for row, step in enumerate(played(scenario, world, 1.0), start=1):
        record = telemetry_of(network, step.readings, world=world, interval=row)
        readings = read_telemetry(network, from_json(Telemetry, to_json(record)))
        np.testing.assert_allclose(readings.capacity_gbps, step.readings.capacity_gbps, err_msg=row)


def test_every_rule_survives_failures_without_a_violation():
    scenario, worlds = random_case(5, [(8, 13.0, 30.0, 0.0), (0, 22.0, 24.0, 0.5)], groups=0)
    record = measured(worlds, scenario.timing.interval_s)
    for name in ("static-peak", "forecast", "strict-priority", "last-value-lp", "max-min"):
        books = play(scenario, make_rule(name, scenario.network, record, {}), worlds)
        assert 0 == books.violations, name
