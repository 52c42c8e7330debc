"""`bwalloc plan`: what it prints, writes and refuses."""

import json

import pytest
from plans import interval, plan_of, span

from bwalloc.cli.main import main
from bwalloc.cli.plan import show


def test_it_prints_and_writes_what_it_found(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path / "cache"))
    files = ["--json", str(tmp_path / "plan.json"), "--report", str(tmp_path / "plan.html")]
    code = main(["plan", "tiny-edge", "--allocators", "forecast", "--episodes", "1",
                 "--jobs", "1", *files])  # fmt: skip
    told, whole = capsys.readouterr().out, json.loads((tmp_path / "plan.json").read_text())

    assert 0 == code
    assert "hub--cloud" in told
    assert "Legacy provisioning (static-peak) earns" in told
    assert whole["command"].startswith("bwalloc plan tiny-edge --allocators forecast")
    assert 1 == whole["schema"]
    assert {"bwalloc", "numpy"} <= set(whole["versions"])
    assert whole["spans"][0]["span"] in (tmp_path / "plan.html").read_text()


def test_the_verdict_sets_promise_against_find(capsys):
    show(plan_of())
    lines = capsys.readouterr().out.splitlines()

    assert "advised: leased from 10.00 to 11.00 Gbit/s, for 0.250 $/h" in lines
    assert "promised by its shadow price: +0.500 $/h (0.400..0.600)" in lines
    assert "the bound, solved again: +0.400 $/h (0.300..0.500)" in lines
    assert "found, forecast: +0.300 $/h (0.200..0.400)" in lines
    assert any(line.startswith("The last Gbit/s is worth less than it costs") for line in lines)


def test_an_upgrade_that_costs_less_says_so(capsys):
    show(plan_of(advised=plan_of()["advised"] | {"price_usd_per_h": -0.25, "payback": None}))

    expected = "advised: leased from 10.00 to 11.00 Gbit/s, which costs 0.250 $/h less"
    assert expected in capsys.readouterr().out.splitlines()


def test_a_span_without_price_has_none_in_the_table(capsys):
    show(plan_of(spans=[span("owned[x]", 0.4, 0.0)], sells=True))
    out = capsys.readouterr().out

    assert "sold spans at their first tier" in out
    (row,) = [line.split() for line in out.splitlines() if line.startswith("owned[x] ")]
    assert "-" == row[-1]


def test_where_nothing_pays_it_says_so(capsys):
    show(plan_of(advised=None, legacy={"net_usd_per_h": interval(1.0), "costs_usd_per_h": {}}))

    assert "No upgrade is worth more than it costs." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["random-edge"], "draws a network for every episode"),
        (["tiny-edg"], "tiny-edge"),
        (["tiny-edge", "--episodes", "0"], "--episodes 0"),
        (["tiny-edge", "--jobs", "-1"], "--jobs -1"),
        (["tiny-edge", "--allocators", "forcast"], "forecast"),
        (["tiny-edge", "--report", "/nowhere/plan.html"], "--report"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, monkeypatch, words, message):
    monkeypatch.setattr("os.access", lambda *_: False)
    code = main(["plan", *words])
    told = capsys.readouterr().err

    assert 2 == code
    assert 1 == len(told.splitlines())
    assert message in told
