"""A bundle is right only where every runtime decides alike, every time."""

from dataclasses import replace

import numpy as np
import pytest
from policies import write_agent

from bwalloc.bench import verify as module
from bwalloc.bench.verify import verify
from bwalloc.errors import BundleError
from bwalloc.scenario import load_scenario
from bwalloc.serve import load_bundle
from bwalloc.serve.bundles.golden import decide_plainly
from bwalloc.serve.bundles.manifest import ONNX


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("tiny-edge", {"time.intervals": 40})


@pytest.fixture
def bundle(tmp_path, scenario):
    return load_bundle(write_agent(tmp_path / "agent", scenario))


@pytest.fixture(autouse=True)
def without_torch(monkeypatch):
    """Nothing is timed, and the golden vectors are what is right."""
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "torch" else name)
    monkeypatch.setattr(module, "_timed", lambda *_: {})


def runtime_that(change, monkeypatch):
    """An onnxruntime whose second decision is changed."""
    seen = []

    def build(bundle):
        def decide(given):
            seen.append(given)
            outputs = dict(decide_plainly(bundle.policy, given))
            return change(outputs) if len(seen) == 2 else outputs

        return decide

    monkeypatch.setattr(module, "_onnx_runtime", build)


def test_runtimes_that_decide_alike_are_right(bundle, scenario, monkeypatch):
    runtime_that(dict, monkeypatch)
    found = verify(bundle, scenario)

    assert found.is_right
    assert (4, "golden vectors") == (found.decisions, found.reference)
    assert {"numpy", "onnxruntime"} == set(found.difference)


@pytest.mark.parametrize("name", ["rates_gbps", "action"])
@pytest.mark.parametrize("factor", [1.01, np.nan])
def test_one_wrong_decision_is_enough(bundle, scenario, monkeypatch, name, factor):
    runtime_that(lambda outputs: outputs | {name: outputs[name] * factor}, monkeypatch)

    assert not verify(bundle, scenario).is_right


def with_graph(bundle, graph):
    """As if the check of the file had let it through."""
    return replace(bundle, parts={**bundle.parts, ONNX: graph})


def test_a_graph_that_cannot_be_loaded_is_named(bundle, scenario):
    pytest.importorskip("onnxruntime")
    with pytest.raises(BundleError, match=r"policy\.onnx: onnxruntime cannot load it"):
        verify(with_graph(bundle, b""), scenario)


def test_a_graph_that_takes_other_inputs_is_named(bundle, scenario):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "other", [value], [other])
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)

    with pytest.raises(BundleError, match=r"policy\.onnx: onnxruntime cannot run it"):
        verify(with_graph(bundle, model.SerializeToString()), scenario)
