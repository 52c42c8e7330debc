"""Runtimes: onnxruntime and NumPy answer alike, on the features that training saw."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from supervising import agent, bound
from wide import measured, wide

from bwalloc.allocate.policy.correction import action_length
from bwalloc.errors import BundleError, UnknownNameError
from bwalloc.gym.engine import Engine
from bwalloc.observe import usual_day
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.serve import ReplayClock, load_bundle
from bwalloc.serve.bundles.golden import TOLERANCE
from bwalloc.serve.bundles.manifest import ONNX
from bwalloc.serve.policy.runtime import NumpyRuntime, OnnxRuntime, make_runtime
from bwalloc.serve.policy.session import PolicySession
from bwalloc.sim import telemetry_of

SIZES = [(1, 1), (2, 1), (1, 5), (30, 12), (300, 60)]
FIRST = np.zeros(1, np.int64)


def difference(network):
    """Of the two runtimes over a few intervals, as a share of the widest link."""
    session = PolicySession(network, agent().policy)
    runtimes = OnnxRuntime(agent(), network), NumpyRuntime(agent(), network)
    reader, rates = bound(network, clock=ReplayClock())._core.binding.receiver, None
    rates, worst = np.zeros(network.tunnels.exists.shape, np.float32), 0.0
    for interval in range(1, 5):
        session.push(reader.take(measured(network, interval)).readings)
        given = session.inputs(rates)
        first, second = (runtime(given).rates_gbps for runtime in runtimes)
        worst = max(worst, float(np.abs(first - second).max()))
        rates = second
    return worst / network.links.capacity_gbps.max()


@pytest.mark.parametrize(("demands", "links"), SIZES)
def test_onnxruntime_and_numpy_answer_alike(demands, links):
    pytest.importorskip("onnxruntime")
    assert difference(wide(demands, links)) <= TOLERANCE


def test_they_answer_alike_where_the_network_has_floors():
    pytest.importorskip("onnxruntime")
    assert difference(wide(30, 12, floors=0.3)) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize(("demands", "links"), [(1_000, 100), (10_000, 500)])
def test_onnxruntime_and_numpy_answer_alike_at_size(demands, links):
    pytest.importorskip("onnxruntime")
    assert difference(wide(demands, links)) <= TOLERANCE


@pytest.mark.parametrize("environment", ["metro-inference", "tiny-edge", "random-edge"])
def test_features_are_those_of_the_environment_to_the_last_bit(environment):
    scenario = load_scenario(environment, {"time.intervals": 60})
    engine = Engine(scenario, 1)
    engine.restart(FIRST, [draw_world(scenario, "test", 3)])
    supervisor = bound(scenario.network, clock=ReplayClock())
    binding, session = supervisor._core.binding, PolicySession(scenario.network, agent().policy)
    session.corrected = type(session.corrected)(
        scenario.network,
        scenario.tuned,
        compiled=None,
        usual=usual_day(scenario),
        spans=scenario.sizes.sees_everything,
    )
    rng, compared = np.random.default_rng(0), 0
    for _ in range(scenario.timing.intervals):
        record = telemetry_of(scenario.network, engine.readings)
        intake = binding.receiver.take(record)
        assert intake.readings is not None, intake.reasons
        session.push(intake.readings)
        rates = engine.state.rates_gbps
        mine = session.corrected.features(rates)
        for kind, expected in engine.corrected.features(rates).items():
            np.testing.assert_array_equal(expected, mine[kind], err_msg=kind)
            compared += expected.size
        engine.step(_action(rng, scenario))
    assert compared > 1000


def _action(rng, scenario):
    sizes = scenario.sizes
    length = action_length(sizes.demands, sizes.tunnels, sizes.spans)
    return rng.uniform(-1, 1, (1, length)).astype(np.float32)


def test_a_replayed_episode_is_decided_as_the_rule_decides_it():
    scenario = load_scenario("metro-inference", {"time.intervals": 40})
    bundle = load_bundle("metro-inference")
    rule, session = (
        bundle.rule(scenario.network),
        bundle.bind(scenario.network, runtime="numpy", clock=ReplayClock()),
    )
    engine = Engine(scenario, 1)
    engine.restart(FIRST, [draw_world(scenario, "test", 0)])
    rule.reset(1)
    rng = np.random.default_rng(1)
    for _ in range(scenario.timing.intervals):
        rates = rule.decide(engine.readings)[:, :, 0]
        decision = session.decide(telemetry_of(scenario.network, engine.readings))
        np.testing.assert_array_equal(rates, decision.rates_gbps)
        assert ("policy", ()) == (decision.source, decision.reasons)
        engine.step(_action(rng, scenario))


def test_auto_takes_the_faster_and_says_so():
    pytest.importorskip("onnxruntime")
    said = bound(wide(20, 8), runtime="auto").status().deployment

    assert {"onnx", "numpy"} == set(said.runtime_ms)
    assert said.runtime == min(said.runtime_ms, key=said.runtime_ms.get)


@pytest.mark.parametrize("name", ["onnx", "numpy"])
def test_a_runtime_that_is_asked_for_is_taken(name):
    pytest.importorskip("onnxruntime")
    said = bound(wide(20, 8), runtime=name).status().deployment

    assert (name, [name]) == (said.runtime, list(said.runtime_ms))


def test_there_are_no_other_runtimes():
    with pytest.raises(UnknownNameError, match=r"No runtime called 'onnxx'\. Nearest: 'onnx'"):
        bound(wide(2, 2), runtime="onnxx")


def test_without_onnxruntime_auto_takes_numpy_and_onnx_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr("bwalloc.serve.policy.runtime.find_spec", lambda name: None)

    assert "numpy" == bound(wide(2, 2), runtime="auto").status().deployment.runtime
    with pytest.raises(BundleError, match="needs onnxruntime: pip install"):
        bound(wide(2, 2), runtime="onnx")


def test_a_graph_that_decides_otherwise_is_refused(monkeypatch):
    pytest.importorskip("onnxruntime")
    network, example = wide(2, 2), None

    class Other(OnnxRuntime):
        def _run(self, outputs, given):
            return [answer * 1.001 for answer in super()._run(outputs, given)]

    monkeypatch.setattr("bwalloc.serve.policy.runtime.OnnxRuntime", Other)
    with pytest.raises(BundleError, match=r"policy\.onnx: onnxruntime decides otherwise"):
        make_runtime(agent(), network, "auto", example)


def test_a_graph_that_cannot_be_loaded_is_named():
    pytest.importorskip("onnxruntime")
    bundle = agent()
    cut = replace(bundle, parts={**bundle.parts, ONNX: bundle.parts[ONNX][:1000]})
    with pytest.raises(BundleError, match=r"policy\.onnx: onnxruntime cannot load the graph"):
        make_runtime(cut, wide(2, 2), "onnx", None)


@pytest.mark.slow
def test_a_whole_decision_costs_at_most_twice_the_bare_inference():
    """At 1,000 demands and 100 links: read, features, inference, guard, books."""
    pytest.importorskip("onnxruntime")
    network = wide(1_000, 100)
    mine = bound(network, runtime="onnx", clock=ReplayClock())
    records = iter([measured(network, interval) for interval in range(1, 50)])
    whole = _median_s(lambda: mine.decide(next(records)))
    core = mine._core
    given = core.active.session.inputs(core.binding.rates_gbps)
    bare = _median_s(lambda: core.active.runtime(given))
    print(f"\nwhole {1e3 * whole:.2f} ms, bare inference {1e3 * bare:.2f} ms")

    assert whole <= 2 * bare


def _median_s(job):
    times = []
    for _ in range(40):
        begun = time.perf_counter()
        job()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


PROBE = """
import sys
from datetime import datetime, timezone
import numpy as np
import bwalloc
light = [n for n in ("onnxruntime", "bwalloc.serve", "pandas", "torch") if n in sys.modules]
assert not light, light
from bwalloc.scenario import load_scenario
network = load_scenario("tiny-edge").network
session = bwalloc.load_bundle("metro-inference").bind(network, bwalloc.Limits())
demands, links = network.n_demands, network.n_links
from bwalloc.control import DemandTelemetry, LinkTelemetry, Telemetry
column = np.ones(demands)
decision = session.decide(Telemetry(
    datetime.now(timezone.utc), network.interval_s,
    DemandTelemetry(network.demands.name, column, column, column, column, column * 0,
                    np.zeros((demands, 1)), column * 0, column * np.nan),
    LinkTelemetry(network.links.name, network.links.capacity_gbps, np.zeros(links),
                  (True,) * links)))
assert decision.source == "policy", decision.reasons
heavy = [n for n in sys.modules if n.split(".")[0] in ("torch", "stable_baselines3", "pandas",
         "fastapi", "matplotlib") or n.startswith(("bwalloc.sim", "bwalloc.learn"))]
print(sorted(heavy))
"""


def test_serving_imports_no_torch_no_simulator_and_no_server():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE], capture_output=True, text=True, check=False
    )
    assert ("[]\n", 0) == (done.stdout, done.returncode), done.stderr
