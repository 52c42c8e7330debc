"""Facts of replayed traces, in a document of several environments."""

import json

import numpy as np
import pytest

from bwalloc.bench.compare import check
from bwalloc.bench.tasks import Setting, scenario_of
from bwalloc.cli import main
from bwalloc.errors import TraceError
from bwalloc.scenario import trace_statistics

ENVIRONMENTS = ("tiny-edge", "metro-inference")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path / "cache"))


def trace(folder, duration_s):
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, duration_s, 5_000))
    rows = [f"{t:.3f},{rng.integers(100, 2000)},{rng.integers(10, 400)}" for t in times]
    file = folder / "trace.csv"
    file.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]))
    return str(file)


@pytest.mark.slow
def test_the_load_of_a_trace_is_that_of_each_environment(tmp_path, capsys):
    path, out = trace(tmp_path, 3000.0), tmp_path / "r.json"
    words = ["--allocators", "static-peak", "--episodes", "1", "--jobs", "1", "--json", str(out)]
    assert 0 == main(["compare", *ENVIRONMENTS, "--trace", f"inference={path}", *words])
    whole = json.loads(out.read_text())
    expected = [
        trace_statistics(scenario_of(Setting(name, traces={"inference": path})))
        for name in ENVIRONMENTS
    ]

    assert expected == [result["input"] for result in whole["results"]]
    assert expected[0]["inference"]["mean_gbps"] != expected[1]["inference"]["mean_gbps"]
    assert {"sha256", "rows", "idc_10s"} == whole["input"]["inference"].keys()


def test_a_trace_that_is_too_short_is_refused_before_the_work(tmp_path):
    with pytest.raises(TraceError, match="must be 20 s or more"):
        check(Setting("tiny-edge", traces={"inference": trace(tmp_path, 15.0)}))
