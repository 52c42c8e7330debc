import numpy as np
import pytest

from bwalloc.errors import BwallocError, ScenarioError, TraceError, UnknownNameError
from bwalloc.scenario import draw_world, load_scenario, trace_statistics, with_trace

METRO = load_scenario("metro-inference", {"intervals": 40})


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 3000, 15_000))
    rows = [f"{t:.3f},{rng.integers(100, 2000)},{rng.integers(10, 400)}" for t in times]
    file = tmp_path / "trace.csv"
    file.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]))
    return file


def changed(one, other):
    demands = METRO.network.demands
    differs = (one.arrivals_gbit != other.arrivals_gbit).any(axis=(0, 1))
    return {name for name in demands.classes if differs[demands.rows_of(name)].any()}


def test_inference_trace_drives_kv_transfer_too(path):
    traced = with_trace(METRO, "inference", path)

    worlds = draw_world(METRO, "test", 0), draw_world(traced, "test", 0)
    assert {"inference", "kv_transfer"} == changed(*worlds)
    assert METRO.digest != traced.digest
    assert METRO.workload.traces.inference is None


def test_kv_trace_leaves_inference(path):
    traced = with_trace(METRO, "kv_transfer", path)

    assert {"kv_transfer"} == changed(draw_world(METRO, "test", 0), draw_world(traced, "test", 0))


def test_same_seed_same_replay_and_other_seed_another(path):
    traced = with_trace(METRO, "inference", path)
    one, again, other = (draw_world(traced, "test", seed) for seed in (0, 0, 1))

    assert set() == changed(one, again)
    assert changed(one, other)


def test_statistics_of_the_input(path):
    traced = with_trace(METRO, "inference", path)
    statistics = trace_statistics(traced)

    assert {} == trace_statistics(METRO)
    assert {"inference", "kv_transfer"} == set(statistics)
    assert 15_000 == statistics["inference"]["rows"]
    played = draw_world(traced, "test", 0).arrivals_gbit
    kv = METRO.network.demands.rows_of("kv_transfer")
    mean_gbps = played[..., kv].sum() / (40 * 10)
    assert mean_gbps == pytest.approx(statistics["kv_transfer"]["mean_gbps"], rel=0.2)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("inferenc", UnknownNameError, "Nearest: 'inference'"),
        ("video_uplink", ScenarioError, "inference and kv_transfer can"),
        ("bulk_ingest", ScenarioError, "cannot follow a trace"),
    ],
)
def test_untraceable_classes(path, name, kind, message):
    with pytest.raises(kind, match=message):
        with_trace(METRO, name, path)


def test_class_that_the_scenario_has_not(tmp_path, path):
    from bwalloc.scenario import find

    text = find("tiny-edge").read_text()
    first, last = text.index("[demands.kv"), text.index("[demands.video")
    mine = tmp_path / "mine.toml"
    mine.write_text(text[:first] + text[last:])
    with pytest.raises(ScenarioError, match="mine: has no demand of class 'kv_transfer'"):
        with_trace(load_scenario(mine), "kv_transfer", path)


def test_absent_file():
    with pytest.raises(TraceError, match="nowhere"):
        with_trace(METRO, "inference", "nowhere.csv")
    assert issubclass(TraceError, BwallocError)
