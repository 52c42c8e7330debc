"""The table of `bwalloc compare`: nothing is cut off, and a lead that may be chance is said so."""

import sys

from bwalloc.cli.compare import _print


def row(kind, lo):
    gain = {"mean": 1.25, "lo": lo, "hi": 2.25}
    money = {"mean": 101.25 if kind == "agent" else 100.0, "lo": 91.5, "hi": 111.5}
    return {
        "kind": kind,
        "net_usd_per_h": money,
        "regret": {"mean": 0.125, "lo": 0.1, "hi": 0.2},
        "gain_over_best_classical_usd_per_h": gain,
        "left": 0.031,
        "violations": 0,
        "decide_ms": {"p50": 0.25},
        "wall_s": 2.0 if kind == "agent" else 3.5,
    }


def shown_result(lo=0.75):
    return {
        "env": "metro-inference",
        "split": "test",
        "episodes": 12,
        "wall_s": 7.4,
        "bound": {"net_usd_per_h": {"mean": 120.0, "lo": 110.0, "hi": 130.0}, "wall_s": 60.0},
        "best_classical": "stochastic-lp",
        "left_out": [],
        "allocators": {"./mine": row("agent", lo), "stochastic-lp": row("classical", 0.0)},
    }


def printed(capsys, lo=0.75):
    _print(shown_result(lo))
    return capsys.readouterr().out


def test_a_narrow_terminal_has_fewer_columns_and_whole_numbers(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")  # no escape codes in the lines
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    lines = printed(capsys).splitlines()
    (mine,) = [line.split() for line in lines if line.startswith("./mine")]

    assert ["./mine", "agent", "101.25", "0.125", "+1.25", "0.75..2.25", "3.1", "0.25"] == mine
    assert max(map(len, lines)) <= 80


def test_a_file_gets_every_interval(capsys):
    assert {"91.50..111.50", "0.100..0.200", "0.75..2.25"} <= set(printed(capsys).split())


def test_a_gain_whose_interval_holds_zero_may_be_chance(capsys):
    assert "may be chance" in printed(capsys, lo=-0.25)
    assert "may be chance" not in printed(capsys, lo=0.75)


def test_the_slowest_are_named_with_their_seconds(capsys):
    assert "time: 7 s (bound 60.0, stochastic-lp 3.5, ./mine 2.0)" in printed(capsys)


def test_large_numbers_widen_the_table(capsys):
    result = shown_result()
    result["allocators"]["./mine"]["net_usd_per_h"] = {"mean": -9e6, "lo": -12345678.9, "hi": -8e6}
    _print(result)
    assert "-12345678.90..-8000000.00" in capsys.readouterr().out
