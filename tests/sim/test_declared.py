"""What transfers, checkpoints and releases declare of what waits: Gbit, and seconds until then."""

import numpy as np
import pytest
from builders import random_world, star
from training_env import TEXT, training_scenario

from bwalloc.control import Telemetry, from_json, to_json
from bwalloc.observe import read_telemetry
from bwalloc.scenario import draw_world
from bwalloc.scenario.draw_jobs import _slots_of
from bwalloc.sim import Episodes, Simulator, telemetry_of
from bwalloc.sim.declared import Declarations

AT = 40


@pytest.fixture
def scenario(tmp_path):
    """24 slots of one interval of 30 s each for checkpoints, whose deadlines so lie on its ends."""
    return training_scenario(tmp_path, text=f"{TEXT}\n[classes.checkpoint]\ndeadline_s = 720.0\n")


def row_of(scenario, name):
    return scenario.network.demands.name.index(name)


def readings_after(scenario, intervals, *jobs, gbps=0.0):
    """Readings some intervals after `AT`; jobs are (demand, Gbit, seconds until due at `AT`)."""
    world = draw_world(scenario, "train", 0)
    world.arrivals_gbit[:] = 0
    world.jobs_gbit[:] = 0
    for name, gbit, due_s in jobs:
        row = row_of(scenario, name)
        (slot,) = _slots_of(scenario, np.array([row]), np.array([AT]), np.array([due_s]))
        world.jobs_gbit[AT, row, slot] += gbit
    simulator, episodes = Simulator(scenario), Episodes([world])
    state, step = simulator.start(1), None
    for _ in range(AT + intervals):
        step = simulator.step(state, np.full_like(state.rates_gbps, gbps), episodes)
        state = step.state
    return step.readings


def declared(scenario, readings, name):
    record = telemetry_of(scenario.network, readings).demands
    row = row_of(scenario, name)
    return record.declared_gbit[row], record.declared_due_s[row]


def test_a_copy_is_declared_with_what_waits_and_the_time_it_has_left(scenario):
    readings = readings_after(scenario, 2, ("save/gpu-1", 300.0, 150.0), gbps=1.0)

    assert (240.0, 90.0) == pytest.approx(declared(scenario, readings, "save/gpu-1"), rel=1e-4)
    assert declared(scenario, readings, "save/gpu-2")[0] == 0
    assert np.isnan(declared(scenario, readings, "save/gpu-2")[1])


def test_of_two_copies_the_one_that_binds_is_told(scenario):
    """60 Gbit in 90 s need less than 660 Gbit in 270 s; with 300 Gbit first they need more."""
    late = readings_after(scenario, 1, ("save/gpu-1", 60.0, 120.0), ("save/gpu-1", 600.0, 300.0))
    soon = readings_after(scenario, 1, ("save/gpu-1", 300.0, 120.0), ("save/gpu-1", 100.0, 300.0))

    assert (660.0, 270.0) == pytest.approx(declared(scenario, late, "save/gpu-1"))
    assert (300.0, 90.0) == pytest.approx(declared(scenario, soon, "save/gpu-1"))


def test_the_declared_rate_keeps_every_deadline(scenario):
    copies = [("save/gpu-1", 90.0, 120.0), ("save/gpu-1", 200.0, 210.0), ("save/gpu-1", 9.0, 600.0)]
    gbit, due_s = declared(scenario, readings_after(scenario, 1, *copies), "save/gpu-1")
    served = readings_after(scenario, 20, *copies, gbps=1.001 * gbit / due_s)
    short = readings_after(scenario, 7, *copies, gbps=0.8 * gbit / due_s)

    assert served.queued_gbit[row_of(scenario, "save/gpu-1")].sum() == 0
    assert short.expired_gbit[row_of(scenario, "save/gpu-1"), 0] > 0


def test_nothing_is_declared_beyond_its_deadline(scenario):
    readings = readings_after(scenario, 5, ("save/gpu-1", 300.0, 150.0))

    assert declared(scenario, readings, "save/gpu-1")[0] == 0
    assert readings.expired_gbit[row_of(scenario, "save/gpu-1"), 0] == pytest.approx(300.0)


def test_restores_and_rounds_have_no_deadline_to_declare(scenario):
    declares = {scenario.network.demands.name[row] for row in Declarations(scenario).rows}

    assert {name.split("/")[0] for name in declares} == {"save", "release", "start"}


def test_slots_wider_than_an_interval_count_from_the_beginning_of_the_episode(tmp_path):
    """Deadlines of an hour lie on a grid of 150 s; after interval 7 (of 30 s) 240 s are gone."""
    scenario = training_scenario(tmp_path)
    row = row_of(scenario, "release/gpu-1")
    assert scenario.slots.width_substeps[row] == 50
    queued = np.zeros((scenario.network.n_demands, scenario.slots.count, 2), np.float32)
    queued[row, 1] = 7.0
    found = Declarations(scenario)(queued, np.array([8, 10]))

    assert found["declared_due_s"][row].tolist() == [210.0, 300.0]
    assert found["declared_gbit"][row].tolist() == [7.0, 7.0]


def test_the_record_reads_back_as_the_readings(scenario):
    readings = readings_after(scenario, 1, ("save/gpu-1", 300.0, 150.0))
    text = to_json(telemetry_of(scenario.network, readings))
    again = read_telemetry(scenario.network, from_json(Telemetry, text))

    np.testing.assert_allclose(again.declared_gbit, readings.declared_gbit)
    np.testing.assert_allclose(again.declared_due_s, readings.declared_due_s)


def test_where_nobody_has_jobs_nothing_is_declared():
    scenario = star(n_sites=2, per_site=2)
    readings = Simulator(scenario).first_readings(
        Simulator(scenario).start(3), Episodes([random_world(scenario, 0)] * 3)
    )

    assert readings.declared_gbit.shape == readings.declared_due_s.shape == (0, 3)
    assert not telemetry_of(scenario.network, readings).demands.declared_gbit.any()
