"""Fresh processes: nothing of this one is known there, and what fails is told in a line."""

import pytest

from bwalloc.bench.decide_footprint import WAYS, footprints
from bwalloc.bench.decide_process import in_fresh_process
from bwalloc.errors import BwallocError


def test_arguments_and_answers_travel_as_json():
    given = ["agent", None, [1, 5], {"deep": True}]

    assert given == in_fresh_process("print('noise')\nprint(json.dumps(given))", *given)


def test_a_hidden_package_is_not_installed_there():
    code = "from importlib.util import find_spec\nprint(json.dumps(find_spec(given[0]) is None))"

    assert not in_fresh_process(code, "numpy")
    assert in_fresh_process(code, "numpy", without=("numpy",))


def test_linear_algebra_has_one_thread_there():
    code = "import os\nprint(json.dumps(os.environ['OMP_NUM_THREADS']))"

    assert "1" == in_fresh_process(code)


def test_what_fails_is_told_in_a_line():
    with pytest.raises(BwallocError, match=r"own failed \(ValueError: no such thing\)\.$"):
        in_fresh_process("raise ValueError('no such thing')")


@pytest.mark.slow
def test_serving_without_numba_takes_less_than_torch():
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    ways = {name: WAYS[name] for name in ("served, NumPy", "served, onnxruntime", "torch")}
    found = {each.way: each for each in footprints("metro-inference", "tiny-edge", 1, ways)}

    steps = {"import", "network", "load", "bind", "first decision"}
    assert steps == set(found["served, NumPy"].seconds)
    for way in ("served, NumPy", "served, onnxruntime"):
        assert found[way].peak_mib < found["torch"].peak_mib
        assert found[way].total_s == pytest.approx(sum(found[way].seconds.values()))


def test_what_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(
        "bwalloc.bench.decide_footprint.find_spec",
        lambda name: None if name in ("torch", "numba", "onnxruntime") else name,
    )
    monkeypatch.setattr(
        "bwalloc.bench.decide_footprint.in_fresh_process",
        lambda code, *given, without: ({"import": 1.0, "load": 2.0}, 30.0),
    )
    found = list(footprints("agent", "env"))

    assert ["NumPy", "served, NumPy"] == [each.way for each in found]
    assert {(3.0, 30.0)} == {(each.total_s, each.peak_mib) for each in found}
    assert len(WAYS) > len(found)
