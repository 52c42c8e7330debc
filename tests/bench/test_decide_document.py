"""Targets are met only where runtimes agree and a whole decision is cheap."""

import pytest

from bwalloc.bench import decide_document as module
from bwalloc.bench.decide_document import Decided, measure_decisions
from bwalloc.bench.decide_footprint import Footprint
from bwalloc.bench.decide_latency import BARE, WHOLE, WHOLE_ONNX, Latency
from bwalloc.bench.decide_parity import Parity

NAN = float("nan")


def parity(largest=1e-6):
    return Parity("usual", 1, 1, 1, 4, int(largest > 1e-5), largest, {"torch": largest})


def latency(who=WHOLE, times=1.2, demands=1_000, fallbacks=0):
    return Latency("sized", demands, 100, who, 9, times, times, times, times, times, fallbacks)


def test_all_is_well():
    found = Decided([parity()], [latency(), latency(BARE, 1.0)], [latency(WHOLE_ONNX, 1.9)])

    assert found.is_met
    assert [WHOLE, f"{WHOLE_ONNX}, without numba"] == list(found.held_to_target)


@pytest.mark.parametrize(
    "found",
    [
        Decided([parity(), parity(2e-5)]),
        Decided([parity(NAN)]),
        Decided(latency=[latency(times=2.1)]),
        Decided(latency=[latency(WHOLE_ONNX, times=2.1)]),
        Decided(latency=[latency(fallbacks=1)]),
        Decided(latency_without_numba=[latency(times=2.1)]),
    ],
)
def test_one_miss_is_enough(found):
    assert not found.is_met
    assert found.document()["met"] is False


@pytest.mark.parametrize(
    "row", [latency(times=9.0, demands=100), latency("max-min", 9.0), latency(BARE, 9.0)]
)
def test_only_whole_decisions_of_a_thousand_demands_are_held_to_the_target(row):
    assert Decided(latency=[row]).is_met


@pytest.fixture
def asked(monkeypatch):
    """What is measured in fresh processes, and nothing is."""
    asked = []

    def answer(code, agent, *given, without=()):
        kind = "parity" if code is module.PARITY else "latency"
        asked.append((kind, given, without))
        made = {
            "parity": {"case": "usual", "demands": 1, "links": 1, "networks": 1, "decisions": 4,
                       "beyond": 0, "largest": 0.0, "from_numpy": {}},
            "latency": {"network": "sized", "demands": 1, "links": 1, "who": WHOLE, "decisions": 1,
                        "p50_ms": 1.0, "p99_ms": 1.0, "cpu_p50_ms": 1.0, "times_bare": 1.0,
                        "cpu_times_bare": 1.0, "fallbacks": 0},
        }  # fmt: skip
        return [made[kind]]

    monkeypatch.setattr(module, "in_fresh_process", answer)
    monkeypatch.setattr(module, "footprints", lambda *given: [Footprint("way", {}, 1.0, 2.0)])
    monkeypatch.setattr(module, "find_spec", lambda name: name)
    return asked


def test_networks_beyond_the_bound_are_left_out(asked):
    measure_decisions("a", "e", ("parity", "latency"), decisions=7, most_demands=100)
    grid = asked[0][1][0]

    assert 100 == max(each[0] for each in grid)
    sizes = [(given[1], without) for kind, given, without in asked if kind == "latency"]
    assert [(None, ()), ((100, 40), ()), ((100, 40), ("numba",))] == sizes


def test_without_numba_nothing_is_measured_twice(asked, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "numba" else name)
    found = measure_decisions("a", "e", ("latency",), decisions=7, most_demands=100)

    assert (2, 0) == (len(found.latency), len(found.latency_without_numba))


@pytest.mark.parametrize("section", ["parity", "latency", "footprint"])
def test_only_the_sections_that_are_asked_for_are_measured(asked, section):
    told = []
    found = measure_decisions(
        "a", "e", (section,), decisions=7, most_demands=10_000, told=told.append
    )
    document = found.document()
    full = {name for name in ("parity", "latency", "footprint") if document[name]}

    assert {section} == full
    assert told
    assert all(line.startswith(section) for line in told)
