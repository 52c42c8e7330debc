"""`earliest-deadline`, worked by hand where three sites send to one cloud over 100 Gbit/s."""

from dataclasses import replace

import numpy as np
import pytest
from training_env import training_scenario

from bwalloc.allocate import make_allocator, make_rule
from bwalloc.observe import no_history
from bwalloc.scenario import draw_world
from bwalloc.sim import Episodes, Simulator, telemetry_of

SITES = [f"save/gpu-{number}" for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    return training_scenario(tmp_path_factory.mktemp("training"))


@pytest.fixture
def quiet(scenario):
    """Readings of one network in which nothing is offered and nothing waits."""
    simulator = Simulator(scenario)
    return simulator.first_readings(
        simulator.start(1), Episodes([draw_world(scenario, "train", 0)])
    )


def rule_of(scenario, **tuned):
    network = scenario.network
    record = no_history(network.n_demands)
    return make_rule("earliest-deadline", network, record, {"earliest-deadline": tuned})


def declaring(scenario, readings, **told):
    """`readings` in which the copies of sites `gpu_N` are declared, as (Gbit, seconds)."""
    gbit, due_s = readings.declared_gbit * 0, np.full_like(readings.declared_due_s, np.inf)
    queued = readings.queued_gbit * 0
    for site, (size, left) in told.items():
        row = scenario.network.demands.name.index(f"save/{site.replace('_', '-')}")
        gbit[row], due_s[row], queued[row, 0] = size, left, size
    return replace(readings, declared_gbit=gbit, declared_due_s=due_s, queued_gbit=queued)


def given(scenario, rates):
    rows = [scenario.network.demands.name.index(name) for name in SITES]
    return rates.sum(1)[rows, 0]


def test_the_nearest_deadline_gets_what_it_needs_and_the_others_what_is_left(scenario, quiet):
    readings = declaring(
        scenario, quiet, gpu_1=(24_000.0, 400.0), gpu_2=(6_000.0, 100.0), gpu_3=(6_000.0, 200.0)
    )
    rates = given(scenario, rule_of(scenario).decide(readings))

    np.testing.assert_allclose(rates, [10.0, 60.0, 30.0], atol=0.1)


def test_what_nobody_needs_in_time_goes_to_the_rest_of_the_work(scenario, quiet):
    """Both are in time at 10 Gbit/s; they would take 40 and 80 more."""
    readings = declaring(scenario, quiet, gpu_1=(1_500.0, 150.0), gpu_2=(3_000.0, 300.0))
    rates = given(scenario, rule_of(scenario).decide(readings))

    assert rates[:2].sum() == pytest.approx(100.0, abs=0.2)
    assert (rates[:2] > 30.0).all()


def test_among_equal_deadlines_the_dearer_demand_comes_first(scenario, quiet):
    """Weights of a cold start are worth 33 times a release, on the same link to the same site."""
    names = scenario.network.demands.name
    dear, cheap = names.index("start/gpu-1"), names.index("release/gpu-1")
    gbit, due_s = quiet.declared_gbit * 0, np.full_like(quiet.declared_due_s, np.inf)
    gbit[[dear, cheap]], due_s[[dear, cheap]] = 4_500.0, 50.0
    readings = replace(quiet, declared_gbit=gbit, declared_due_s=due_s)
    by_value = rule_of(scenario).decide(readings).sum(1)[[dear, cheap], 0]
    alike = rule_of(scenario, value_exponent=0.0).decide(readings).sum(1)[[dear, cheap], 0]

    assert by_value[0] == pytest.approx(90.0, rel=0.03)
    np.testing.assert_allclose(alike, [50.0, 50.0], rtol=0.02)


def test_a_deadline_beats_value(scenario, quiet):
    names = scenario.network.demands.name
    dear, cheap = names.index("start/gpu-1"), names.index("release/gpu-1")
    gbit, due_s = quiet.declared_gbit * 0, np.full_like(quiet.declared_due_s, np.inf)
    gbit[[dear, cheap]], due_s[dear], due_s[cheap] = 9_000.0, 200.0, 100.0
    readings = replace(quiet, declared_gbit=gbit, declared_due_s=due_s)
    rates = rule_of(scenario).decide(readings).sum(1)[[dear, cheap], 0]

    assert rates[1] == pytest.approx(90.0, rel=0.01)
    assert rates[0] == pytest.approx(10.0, abs=0.5)


def test_columns_of_a_batch_with_other_deadlines_are_decided_as_alone(scenario, quiet):
    one = declaring(scenario, quiet, gpu_1=(6_000.0, 100.0), gpu_2=(24_000.0, 400.0))
    two = declaring(scenario, quiet, gpu_2=(9_000.0, 150.0), gpu_3=(3_000.0, 50.0))
    both = {
        name: np.concatenate([getattr(one, name), getattr(two, name)], -1)
        for name in type(one).__slots__
    }
    rule = rule_of(scenario)
    together = rule.decide(type(one)(**both))

    for column, alone in enumerate((one, two)):
        np.testing.assert_allclose(
            together[:, :, column], rule.decide(alone)[:, :, 0], rtol=1e-4, atol=1e-4
        )


def test_a_session_reads_what_the_record_declares(scenario, quiet):
    readings = declaring(scenario, quiet, gpu_1=(24_000.0, 400.0), gpu_2=(9_000.0, 100.0))
    session = make_allocator("earliest-deadline", scenario).bind(scenario.network)
    decision = session.decide(telemetry_of(scenario.network, readings))

    np.testing.assert_allclose(
        decision.rates_gbps,
        rule_of(scenario, **scenario.tuned.get("earliest-deadline", {})).decide(readings)[:, :, 0],
        rtol=1e-5,
    )
    row = scenario.network.demands.name.index("save/gpu-2")
    assert decision.rates_gbps[row].sum() == pytest.approx(90.0, rel=1e-3)


def test_work_that_blocks_gpus_is_due_within_their_grace(scenario, quiet):
    """A round leaves gpu-1 by the link of its copy, which is due in 100 s."""
    names = scenario.network.demands.name
    ring = next(n for n in names if n.startswith("sync-job/gpu-1"))
    readings = declaring(scenario, quiet, gpu_1=(6_000.0, 100.0))
    readings.queued_gbit[names.index(ring), -1] = 2_100.0
    rates = rule_of(scenario).decide(readings).sum(1)[:, 0]

    assert rates[names.index(ring)] == pytest.approx(70.0, rel=0.01)
    assert rates[names.index("save/gpu-1")] == pytest.approx(30.0, rel=0.01)
    group = replace(scenario.network.groups, grace_s=np.array([400.0]))
    patient = replace(scenario.network, groups=group)
    rule = make_rule("earliest-deadline", patient, no_history(patient.n_demands), {})
    rates = rule.decide(readings).sum(1)[:, 0]

    assert rates[names.index("save/gpu-1")] == pytest.approx(60.0, rel=0.01)
    assert rates[names.index(ring)] == pytest.approx(40.0, rel=0.01)
