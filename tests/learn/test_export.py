"""Exported policies decide as torch does."""

from __future__ import annotations

import logging

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")

from policies import random_policy  # noqa: E402

from bwalloc.allocate.policy.decision import INPUTS, OUTPUTS, input_names  # noqa: E402
from bwalloc.allocate.policy.learned import Learned  # noqa: E402
from bwalloc.allocate.policy.neural import Architecture  # noqa: E402
from bwalloc.learn.export.decisions import decisions_of  # noqa: E402
from bwalloc.scenario import draw_world, load_scenario  # noqa: E402
from bwalloc.serve.bundles.golden import TOLERANCE, decide_plainly, difference  # noqa: E402
from bwalloc.sim.play import play  # noqa: E402


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("metro-inference", {"time.intervals": 60})


@pytest.fixture(scope="module")
def policy(scenario):
    return random_policy(scenario, Architecture())


def test_numpy_decides_what_torch_decides(scenario, policy):
    for one in decisions_of(scenario, policy, 40):
        assert TOLERANCE >= difference(decide_plainly(policy, one), one, one["capacity_gbps"])


def test_a_policy_that_was_changed_by_little_decides_otherwise(scenario, policy):
    (one,) = decisions_of(scenario, policy, 1)
    weights = {**policy.weights, "demand.out.bias": policy.weights["demand.out.bias"] + 1e-3}
    found = decide_plainly(type(policy)(policy.architecture, weights, policy.tuned), one)

    assert TOLERANCE < difference(found, one, one["capacity_gbps"])


def test_decisions_are_those_of_the_rule(scenario, policy):
    class Kept(Learned):
        rates: list = []  # noqa: RUF012

        def decide(self, readings):
            self.rates.append(super().decide(readings))
            return self.rates[-1]

    rule = Kept(scenario.network, policy)
    play(scenario, rule, [draw_world(scenario, "validation", 0)])
    widest = float(scenario.network.links.capacity_gbps.max())

    for one, rates in zip(decisions_of(scenario, policy, 60), rule.rates, strict=True):
        assert one["rates_gbps"] == pytest.approx(rates, abs=TOLERANCE * widest)


@pytest.mark.slow
def test_onnxruntime_decides_what_torch_decides_for_any_network(scenario, policy):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from bwalloc.learn.export.onnx import onnx_of

    given = decisions_of(scenario, policy, 20)
    session = onnxruntime.InferenceSession(onnx_of(policy, given[0]))
    other = load_scenario("tiny-edge", {"time.intervals": 60})
    for one in (*given, *decisions_of(other, policy, 20)):
        outputs = session.run(list(OUTPUTS), {name: np.asarray(one[name]) for name in INPUTS})
        found = dict(zip(OUTPUTS, outputs, strict=True))
        assert TOLERANCE >= difference(found, one, one["capacity_gbps"])


@pytest.mark.slow
def test_a_policy_that_sees_spans_is_exported_where_none_are_sold():
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from bwalloc.learn.export.onnx import onnx_of

    names = input_names(spans=True)
    jobs = load_scenario("geo-training", {"time.intervals": 40})
    seeing = random_policy(jobs, Architecture(hidden=8, spans=True))
    given = decisions_of(jobs, seeing, 5)
    session = onnxruntime.InferenceSession(onnx_of(seeing, given[0]))
    ports = load_scenario("enterprise-naas", {"time.intervals": 40})
    for one in (*given, *decisions_of(ports, seeing, 5)):
        outputs = session.run(list(OUTPUTS), {name: np.asarray(one[name]) for name in names})
        found = dict(zip(OUTPUTS, outputs, strict=True))
        assert TOLERANCE >= difference(found, one, one["capacity_gbps"])

    assert given[0]["spans"].shape[1] == 0


@pytest.mark.slow
def test_the_exporter_says_nothing_of_torchvision(scenario, policy):
    pytest.importorskip("onnxscript")
    from bwalloc.learn.export.onnx import REGISTRATION, onnx_of

    logger, heard = logging.getLogger(REGISTRATION), []
    listener = logging.Handler()
    listener.emit = heard.append
    logger.addHandler(listener)
    try:
        onnx_of(policy, decisions_of(scenario, policy, 1)[0])
        logger.warning("something else")
    finally:
        logger.removeHandler(listener)

    assert ["something else"] == [record.getMessage() for record in heard]
    assert [] == logger.filters
