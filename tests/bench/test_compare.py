"""`compare`: the contract of its document, pairing, errors, Ctrl-C."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bwalloc.bench import tasks
from bwalloc.bench.compare import compare
from bwalloc.bench.summary import document, summarise
from bwalloc.cli import main
from bwalloc.errors import BwallocError, UnknownNameError
from bwalloc.scenario import trace_statistics

SHORT = {"time.intervals": 36}
TRACES = Path(__file__).parents[3] / "shared" / "data" / "workloads"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Plans of these tests stay in a folder of their own."""
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path / "cache"))


def test_the_document_holds_what_the_contract_names():
    result = compare(
        "tiny-edge", allocators=["max-min", "clairvoyant"], episodes=2, overrides=SHORT
    )
    whole = json.loads(json.dumps(document("bwalloc compare tiny-edge", [summarise(result)])))
    assert {"command", "commit", "versions", "input", "results"} <= set(whole)
    (entry,) = whole["results"]
    assert ["static-peak", "max-min", "clairvoyant"] == list(entry["allocators"])
    assert "reference" == entry["allocators"]["clairvoyant"]["kind"]
    assert 1.0 == entry["allocators"]["static-peak"]["regret"]["mean"]
    row = entry["allocators"]["max-min"]
    assert set(row["net_usd_per_h"]) == {"mean", "lo", "hi"}
    assert set(row["slo_attainment"]) == {"inference", "kv_transfer", "video_uplink", "bulk_ingest"}
    assert all(0 <= share <= 1 for share in row["slo_attainment"].values())
    assert [0, 1] == [one["seed"] for one in entry["episode_results"]]
    for one in entry["episode_results"]:
        assert max(one["net_usd_per_h"].values()) <= one["bound"]


def test_the_second_run_reads_its_plans_from_the_cache(monkeypatch):
    first = compare("tiny-edge", allocators=["clairvoyant"], episodes=1, overrides=SHORT)
    planner = "bwalloc.allocate.plan.cache.plan_episode"
    monkeypatch.setattr(planner, lambda *_: pytest.fail("planned"))
    second = compare("tiny-edge", allocators=["clairvoyant"], episodes=1, overrides=SHORT)
    assert first.bound_usd_per_h == second.bound_usd_per_h
    assert first.played["clairvoyant"].net_usd == second.played["clairvoyant"].net_usd


def test_without_a_bound_nothing_is_planned(monkeypatch):
    def planned(*_):
        raise AssertionError

    monkeypatch.setattr(tasks, "run_plan", planned)
    result = compare("tiny-edge", episodes=2, overrides=SHORT, bound=False)
    entry = json.loads(json.dumps(document("c", [summarise(result)])))["results"][0]

    assert "clairvoyant" not in entry["allocators"]
    assert "max-min" in entry["allocators"]
    assert entry["allocators"]["max-min"]["gain_over_best_classical_usd_per_h"]["mean"] <= 0
    with pytest.raises(BwallocError, match="leave one of the two out"):
        compare("tiny-edge", allocators=["clairvoyant"], bound=False)


def test_a_slow_allocator_is_left_out_and_named():
    result = compare(
        "tiny-edge", allocators=["max-min"], episodes=1, overrides=SHORT, max_decide_ms=1e-6
    )
    assert ["static-peak"] == list(result.played)
    assert result.left_out[0].startswith("max-min (")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"env": "tiny-egde"}, "Nearest: 'tiny-edge'"),
        ({"env": "tiny-edge", "allocators": ["max-mni"]}, "Nearest: 'max-min'"),
        ({"env": "tiny-edge", "split": "tests"}, "Nearest: 'test'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(arguments, words):
    with pytest.raises(UnknownNameError, match=words):
        compare(**arguments)


def test_one_name_instead_of_a_list_is_refused():
    with pytest.raises(BwallocError, match=r"expected a list of names, \['max-min', 'mpc'\]"):
        compare("tiny-edge", allocators="max-min,mpc", episodes=1)


def test_no_episodes_is_an_error():
    with pytest.raises(BwallocError, match="at least 1"):
        compare("tiny-edge", episodes=0)


def test_ctrl_c_keeps_what_is_finished(monkeypatch):
    played = tasks.run_allocator

    def stop_at_max_min(setting, name):
        if name == "max-min":
            raise KeyboardInterrupt
        return played(setting, name)

    monkeypatch.setattr(tasks, "run_allocator", stop_at_max_min)
    result = compare("tiny-edge", allocators=["max-min"], episodes=1, overrides=SHORT)
    assert result.interrupted
    assert ["static-peak"] == list(result.played)


@pytest.mark.parametrize(
    "line",
    [
        ["compare"],
        ["compare", "tiny-egde"],
        ["compare", "tiny-edge", "--split", "tset"],
        ["compare", "tiny-edge", "--episodes", "many"],
        ["compare", "tiny-edge", "--trace", "inference"],
        ["compare", "tiny-edge", "--trace", "inference=missing.csv"],
        ["envs", "show", "nowhere"],
        ["comparee"],
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(line, capsys):
    assert 2 == main(line)
    error = capsys.readouterr().err
    assert error.startswith("bwalloc: ")
    assert "Traceback" not in error


def test_the_command_writes_its_results(tmp_path, capsys):
    path = tmp_path / "new" / "result.json"
    line = ["compare", "tiny-edge", "--allocators", "max-min", "--episodes", "1", "--jobs", "1"]
    assert 0 == main([*line, "--json", str(path)])
    assert "max-min" in json.loads(path.read_text())["results"][0]["allocators"]
    assert "best classical" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(
    not TRACES.is_dir(), reason="the traces are not in this checkout's neighbourhood"
)
def test_real_traces_change_the_money_of_every_policed_allocator():
    outcome = {}
    for kind in ("conv", "code"):
        path = TRACES / f"azure_llm_2023_{kind}.csv.gz"
        names = ["max-min", "forecast", "strict-priority"]
        result = compare(
            "metro-inference", allocators=names, episodes=2, overrides={"time.intervals": 60},
            traces={"inference": str(path)},
        )  # fmt: skip
        statistics = trace_statistics(tasks.scenario_of(result.setting))
        money = {name: float(one.net_usd.mean()) for name, one in result.played.items()}
        outcome[kind] = statistics["inference"]["idc_10s"], money
    assert outcome["code"][0] > 5 * outcome["conv"][0]
    for name, money in outcome["code"][1].items():
        assert money != pytest.approx(outcome["conv"][1][name], rel=1e-3), name


def test_the_time_of_every_allocator_and_of_the_plans_is_taken():
    result = compare(
        "tiny-edge", allocators=["max-min", "clairvoyant"], episodes=1, overrides=SHORT
    )
    parts = ("static-peak", "max-min", "clairvoyant", "bound")
    assert set(parts) <= set(result.spent_s)
    assert min(result.spent_s[name] for name in parts) > 0
    assert sum(result.spent_s.values()) <= result.whole_s
