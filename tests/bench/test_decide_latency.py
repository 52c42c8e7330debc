"""Contestants take turns on the same telemetry, and are timed alike."""

import time

import numpy as np
import pytest

from bwalloc.bench.decide_latency import (
    BARE,
    BARE_NUMPY,
    FEWEST,
    MAX_MIN,
    RULES,
    WARM,
    WHOLE,
    WHOLE_ONNX,
    Race,
    scenario_latency,
    sized_latency,
    turns_of,
)
from bwalloc.bench.decide_network import sized_network
from bwalloc.bench.decide_telemetry import records
from bwalloc.scenario import load_scenario
from bwalloc.serve import load_bundle
from bwalloc.serve.policy.runtime import NumpyRuntime, Proposal

POLICY = (WHOLE, WHOLE_ONNX, BARE, BARE_NUMPY)


@pytest.fixture(scope="module")
def bundle():
    pytest.importorskip("onnxruntime")
    return load_bundle("metro-inference")


def test_every_contestant_decides_every_time(bundle):
    rows = sized_latency(bundle, 10, 5, 6)

    assert [*POLICY, MAX_MIN] == [row.who for row in rows]
    assert {(10, 5, 6, 0)} == {
        (row.demands, row.links, row.decisions, row.fallbacks) for row in rows
    }
    assert all(0 < row.p50_ms <= row.p99_ms for row in rows)
    assert all(row.cpu_p50_ms > 0 for row in rows)


def test_costs_are_told_in_bare_inferences(bundle):
    rows = {row.who: row for row in sized_latency(bundle, 10, 5, 6)}

    assert 1.0 == rows[BARE].times_bare == rows[BARE].cpu_times_bare
    assert rows[WHOLE].times_bare == pytest.approx(rows[WHOLE].p50_ms / rows[BARE].p50_ms)


def test_linear_programmes_run_beside_on_a_simulated_network(bundle):
    scenario = load_scenario("tiny-edge", {"time.intervals": 40})
    rows = scenario_latency(bundle, scenario, 7)

    assert [*POLICY, *RULES] == [row.who for row in rows]
    assert {(7, 0)} == {(row.decisions, row.fallbacks) for row in rows}


class Slow(NumpyRuntime):
    """Takes 5 ms, and then answers with NaN."""

    def __call__(self, given):
        time.sleep(0.005)
        rates = super().__call__(given).rates_gbps
        return Proposal(rates * np.nan)


def test_a_policy_that_fails_is_told_and_what_it_takes_is_counted(bundle, monkeypatch):
    monkeypatch.setattr("bwalloc.serve.policy.runtime.NumpyRuntime", Slow)
    network = sized_network(10, 5)
    race = Race(bundle, network)
    race._whole(WHOLE, "numpy")
    race.contestants[BARE] = lambda record, given: None
    rows = {row.who: row for row in race.run(records(network, WARM + 3))}

    assert WARM + 3 == rows[WHOLE].fallbacks
    assert rows[WHOLE].p50_ms >= 5 > rows[BARE].p50_ms


def test_whoever_comes_first_changes_from_turn_to_turn(bundle):
    network, seen = sized_network(2, 1), []
    race = Race(bundle, network)
    for name in (BARE, "other", "third"):
        race.contestants[name] = lambda record, given, name=name: seen.append(name)
    race.run(records(network, WARM + 1))

    assert [BARE, "other", "third"] == seen[:3]
    assert ["other", "third", BARE] == seen[3:6]
    assert ["third", BARE, "other"] == seen[6:9]


def test_large_networks_take_fewer_turns():
    assert 400 == turns_of(100, 400) == turns_of(1_000, 400)
    assert 40 == turns_of(10_000, 400)
    assert FEWEST == turns_of(10_000, 100)
    assert 6 == turns_of(10_000, 6)
