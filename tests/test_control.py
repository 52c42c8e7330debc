"""Records: JSON both ways, golden schemas, and errors that name the place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from builders import random_world, star

from bwalloc.control import Decision, Telemetry, from_json, json_schema, to_json
from bwalloc.errors import DecisionError, TelemetryError
from bwalloc.observe import read_telemetry
from bwalloc.sim import Episodes, Simulator, telemetry_of

GOLDEN = Path(__file__).parent / "golden"


def telemetry():
    """Telemetry of one simulated interval, and its readings."""
    scenario = star(n_sites=2, per_site=2)
    simulator = Simulator(scenario, compiled=False)
    rates = np.ones((*scenario.network.tunnels.exists.shape, 1), np.float32)
    step = simulator.step(simulator.start(1), rates, Episodes([random_world(scenario, 0)]))
    return scenario.network, step.readings, telemetry_of(scenario.network, step.readings)


@pytest.mark.parametrize("kind", [Telemetry, Decision])
def test_schemas_are_the_golden_ones(kind):
    path = GOLDEN / f"{kind.__name__.lower()}.schema.json"
    assert json.loads(path.read_text(encoding="utf-8")) == json_schema(kind)


def test_telemetry_survives_json_and_reads_back_the_same():
    network, readings, record = telemetry()
    again = read_telemetry(network, from_json(Telemetry, to_json(record)))
    for name in ("offered_gbps", "peak_gbps", "queued_gbit", "capacity_gbps", "carried_gbps"):
        np.testing.assert_allclose(getattr(readings, name), getattr(again, name), rtol=1e-6)


def test_rows_are_matched_by_name_and_never_by_position():
    network, readings, record = telemetry()
    raw = json.loads(to_json(record))
    for column in raw["demands"].values():
        column.reverse()
    shuffled = read_telemetry(network, from_json(Telemetry, json.dumps(raw)))
    np.testing.assert_allclose(readings.offered_gbps, shuffled.offered_gbps, rtol=1e-6)


def test_unmeasured_load_travels_as_null():
    _, _, record = telemetry()
    raw = json.loads(to_json(record))
    raw["demands"]["offered_gbps"][0] = None
    again = from_json(Telemetry, json.dumps(raw))
    assert np.isnan(again.demands.offered_gbps[0])


def test_a_missing_demand_is_named():
    network, _, record = telemetry()
    text = to_json(record).replace("demand-0", "demand-x")
    with pytest.raises(TelemetryError, match=r"no demand .demand-0..*Nearest"):
        read_telemetry(network, from_json(Telemetry, text))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"interval_s": -1}, "interval_s"),
        ({"surprise": 1}, "surprise"),
        ({"schema": 2}, "schema"),
    ],
)
def test_broken_telemetry_names_the_place(change, place):
    _, _, record = telemetry()
    raw = {**json.loads(to_json(record)), **change}
    with pytest.raises(TelemetryError, match=place):
        from_json(Telemetry, json.dumps(raw))


@pytest.mark.parametrize("value", ["1.5", "nan", True, {}, {"a": 1}, [1], [], 10**400])
def test_columns_hold_numbers_alone(value):
    _, _, record = telemetry()
    raw = json.loads(to_json(record))
    raw["demands"]["served_gbit"][0] = value
    with pytest.raises(TelemetryError, match=r"demands\.served_gbit: (holds|expected) "):
        from_json(Telemetry, json.dumps(raw))


def test_columns_of_different_lengths_are_refused():
    _, _, record = telemetry()
    raw = json.loads(to_json(record))
    raw["demands"]["served_gbit"].pop()
    with pytest.raises(TelemetryError, match=r"served_gbit: 3 rows for 4 names"):
        from_json(Telemetry, json.dumps(raw))


def test_a_decision_with_nan_is_refused():
    with pytest.raises(DecisionError, match="'b': must be finite"):
        Decision(
            id="1",
            demands=("a", "b"),
            rates_gbps=[[1.0], [float("nan")]],
            valid_until="2024-01-01T00:00:00Z",
            source="test",
            policy_version="0",
        )
