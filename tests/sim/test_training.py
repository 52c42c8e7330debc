"""Checkpoints and restores played by hand: every number is arithmetic on a sheet of paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from training_env import TEXT, training_scenario

from bwalloc.scenario import draw_world
from bwalloc.scenario.draw_jobs import _slots_of
from bwalloc.sim import Episodes, Simulator

COPY_GBIT, AT, DUE_S = 300.0, 40, 150.0
LAW = """
[classes.checkpoint]
deadline_s = 720.0
value_usd_per_gbit = 4e-4
expiry_usd_per_gbit = 2e-3
late_usd_per_gbit_s = 5e-7
"""


@pytest.fixture
def scenario(tmp_path):
    """24 slots of one interval of 30 s each, so that deadlines lie on the ends of intervals."""
    return training_scenario(tmp_path, text=TEXT + LAW)


def row_of(scenario, name):
    return scenario.network.demands.name.index(name)


def nothing(scenario):
    world = draw_world(scenario, "train", 0)
    world.arrivals_gbit[:] = 0
    world.jobs_gbit[:] = 0
    return world


def copy_of(scenario, name="save/gpu-1"):
    """A world of one copy of 300 Gbit that is due five intervals after it was taken."""
    world, row = nothing(scenario), row_of(scenario, name)
    (slot,) = _slots_of(scenario, np.array([row]), np.array([AT]), np.array([DUE_S]))
    world.jobs_gbit[AT, row, slot] = COPY_GBIT
    return world


def play(scenario, world, name, gbps, *, compiled=False):
    """What happens to one demand under a constant rate: sums over the episode by flow and term."""
    if compiled:
        pytest.importorskip("numba", reason="numba comes with bwalloc[fast]")
    simulator, episodes = Simulator(scenario, compiled=compiled), Episodes([world])
    row, state = row_of(scenario, name), simulator.start(1)
    rates = np.zeros_like(state.rates_gbps)
    rates[row] = gbps
    sums = {}
    for _ in range(AT + 30):
        step = simulator.step(state, rates, episodes)
        state = step.state
        found = {
            "served": step.flows.served_gbit[row, 0],
            "expired": step.flows.expired_gbit[row, 0],
            "stalled_s": step.flows.stalled_s[0, 0],
            **{f"{term}_usd": usd[0] for term, usd in step.terms.items()},
        }
        sums = {key: sums.get(key, 0.0) + float(value) for key, value in found.items()}
    return sums


@pytest.mark.parametrize("compiled", [False, True])
def test_a_checkpoint_that_is_on_time_pays_for_its_wait_only(scenario, compiled):
    """300 Gbit at 2 Gbit/s take exactly the five intervals; after substep k 300 - 6 k wait."""
    sums = play(scenario, copy_of(scenario), "save/gpu-1", 2.0, compiled=compiled)

    assert 300 == pytest.approx(sums["served"], rel=1e-5)
    assert 0 == pytest.approx(sums["expired_usd"], abs=1e-6)
    assert 300 * 4e-4 == pytest.approx(sums["delivered_usd"], rel=1e-4)
    waited = 3.0 * sum(300 - 6 * k for k in range(1, 51))
    assert 5e-7 * waited == pytest.approx(sums["late_usd"], rel=1e-3)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_checkpoint_that_misses_its_deadline_by_one_interval(scenario, compiled):
    """At 5/3 Gbit/s it would take six intervals: what the sixth had carried, 50 Gbit, expires."""
    sums = play(scenario, copy_of(scenario), "save/gpu-1", 300 / 180, compiled=compiled)

    assert 250 == pytest.approx(sums["served"], rel=1e-4)
    assert 50 == pytest.approx(sums["expired"], rel=1e-3)
    assert 50 * 2e-3 == pytest.approx(sums["expired_usd"], rel=1e-3)
    assert 250 * 4e-4 == pytest.approx(sums["delivered_usd"], rel=1e-4)


def test_a_copy_stalls_nobody(scenario):
    assert 0 == play(scenario, copy_of(scenario), "save/gpu-1", 0.0)["stalled_s"]


@pytest.mark.parametrize("compiled", [False, True])
def test_the_gpus_of_all_sites_wait_for_the_restore_of_one(scenario, compiled):
    """A checkpoint of 70 B parameters, 7,644 Gbit, at 50 Gbit/s: 152.88 s of 512 GPUs."""
    world, row = nothing(scenario), row_of(scenario, "restore-job/gpu-2")
    (part,) = scenario.workload.restore
    world.arrivals_gbit[AT, 3, row] = part.spec.gbit[1]

    sums = play(scenario, world, "restore-job/gpu-2", 50.0, compiled=compiled)
    assert 152.88 == pytest.approx(sums["stalled_s"], abs=0.05)
    assert 152.88 * 512 * 2.5 / 3600 == pytest.approx(sums["stall_usd"], rel=1e-3)
    assert 7644 * 0.0036 == pytest.approx(sums["delivered_usd"], rel=1e-4)


def test_a_restore_waits_for_as_long_as_it_takes(scenario):
    """No deadline saves the job: at no rate, it stalls to the end and is settled there."""
    world, row = nothing(scenario), row_of(scenario, "restore-job/gpu-2")
    world.arrivals_gbit[AT, 0, row] = 100.0
    short = replace(scenario, timing=replace(scenario.timing, intervals=AT + 30))

    sums = play(short, world, "restore-job/gpu-2", 0.0)
    assert 30 * 30 == pytest.approx(sums["stalled_s"])
    assert 100 * 0.0036 == pytest.approx(sums["expired_usd"], rel=1e-4)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_round_and_a_restore_at_once_stall_the_same_gpus_once(scenario, compiled):
    world, restore = nothing(scenario), row_of(scenario, "restore-job/gpu-2")
    names = scenario.network.demands.name
    ring = [row for row, name in enumerate(names) if name.startswith("sync-job")]
    world.arrivals_gbit[AT, 0, restore] = 120.0
    world.arrivals_gbit[AT, 5, ring] = 90.0
    simulator, episodes = Simulator(scenario, compiled=compiled), Episodes([world])
    state, stalled = simulator.start(1), 0.0
    rates = np.zeros_like(state.rates_gbps)
    rates[[restore, *ring]] = 3.0
    for _ in range(AT + 10):
        step = simulator.step(state, rates, episodes)
        state, stalled = step.state, stalled + float(step.flows.stalled_s[0, 0])

    # The restore lasts from 0 to 40 s, the round from 15 to 45 s.
    assert 45 == pytest.approx(stalled, abs=0.05)
