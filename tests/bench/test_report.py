"""The HTML report: everything is in it, nothing is fetched, and what it says is true."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from bwalloc.allocate import CLASSICAL, ORDERING, REFERENCES
from bwalloc.bench.report import (
    AllocatorRow,
    Drawings,
    EnvReport,
    LinkLine,
    NetworkDrawing,
    Panel,
    Report,
    SitePoint,
    TimeSeries,
    render_report,
    report_from_document,
    write_report,
)
from bwalloc.bench.report.bars import MAX_REGRET, MISSED, money_chart, regret_chart
from bwalloc.bench.report.curves import curves
from bwalloc.bench.report.headline import headline
from bwalloc.bench.report.map import LISTED, MANY_SITES, network_map
from bwalloc.bench.report.words import ALLOCATORS, words
from bwalloc.bench.statistics import Interval
from bwalloc.money import TERMS, net_usd

CLASSES = ("inference", "kv_transfer", "video_uplink", "bulk_ingest")
NETS = {
    "clairvoyant": 110.0,
    "guarantee": 104.4,
    "mpc": 101.9,
    "max-min": 97.0,
    "static-peak": 92.1,
}


def around(mean, width=1.0):
    return Interval(mean, mean - width, mean + width)


def row(name, net, kind="classical", **changes):
    money = {"delivered": net + 10, "expired": 4, "late": 1, "stall": 0.5, "bandwidth": 4}
    money |= {"egress": 0.4, "churn": 0.1}
    same = AllocatorRow(
        name=name,
        kind="reference" if name == "clairvoyant" else kind,
        net_usd_per_h=around(net, 6.0),
        regret=around((112.0 - net) / (112.0 - 92.1), 0.06),
        gain_over_best_classical=around(net - 104.4),
        left=(110.0 - net) / 110.0,
        slo_attainment=dict.fromkeys(CLASSES, 0.9),
        bill_usd_per_h=4.0,
        decide_ms_p50=None if name == "clairvoyant" else 0.37,
        decide_ms_p99=None if name == "clairvoyant" else 1.9,
        money_usd_per_h=money,
        gain_over_legacy=around(net - 92.1, 2.0),
        episodes_ahead=11,
    )
    return replace(same, **changes)


def drawing():
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    sites = [SitePoint(f"edge-{n + 1:02}", "edge", *xy) for n, xy in enumerate(_circle(turns))]
    sites += [SitePoint("hub-a", "hub", -0.3, 0.0), SitePoint("hub-b", "hub", 0.3, 0.0)]
    sites += [SitePoint("cloud", "cloud", 0.0, 0.4)]
    ends = [(n, hub) for n in range(12) for hub in (12, 13)] + [(12, 14), (13, 14)]
    links = []
    for number, (one, other) in enumerate(ends):
        used = (number * 37 % 100) / 100
        capacity = 60.0 if other == 14 else 6.0 + number
        loads = {"guarantee": used, "static-peak": used**3}
        links += [LinkLine(one, other, capacity, loads)]
        links += [LinkLine(other, one, capacity, {name: 0.3 * u for name, u in loads.items()})]
    return NetworkDrawing(sites, links)


def _circle(turns):
    return [(float(np.cos(turn)), float(np.sin(turn))) for turn in turns]


def episode():
    hours, rng = np.linspace(0, 1, 360), np.random.default_rng(0)
    panels = []
    for number, name in enumerate(CLASSES):
        burst = (rng.random(360) < 0.08).cumsum() % 3 == 0
        offered = 4 * (number + 1) * (1 + 0.3 * np.sin(7 * hours) + burst * rng.random(360))
        for allocator, cap in (("guarantee", 1.7), ("static-peak", 1.2)):
            served = np.minimum(offered, 4 * (number + 1) * cap)
            panels.append(Panel(name, allocator, list(offered), list(served)))
    return TimeSeries("One episode, test seed 0", list(hours), panels)


def environment(**changes):
    whole = EnvReport(
        slug="metro-inference",
        split="test",
        episodes=12,
        bound_usd_per_h=around(112.0, 5.0),
        best_classical="guarantee",
        rows=[row(name, net) for name, net in NETS.items()],
        title="Metro inference: KV caches, cameras and chat of 12 edge sites",
        network=drawing(),
        series=episode(),
    )
    return replace(whole, **changes)


def report(*environments):
    versions = {"bwalloc": "0.1.0", "numpy": "2.4.6"}
    return Report(environments or [environment()], "bwalloc compare x", "a" * 40, versions)


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.names, self.links, self.ids = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.links += [v for k, v in attrs if k in {"src", "href", "xlink:href", "action"}]
        self.ids += [v for k, v in attrs if k == "id"]


def test_every_allocator_class_and_site_is_on_the_page():
    page = render_report(report())
    for name in (*NETS, *CLASSES, "hub-a", "edge-12", "bwalloc compare x", "a" * 12, "2.4.6"):
        assert name in page


def test_nothing_is_fetched_and_nothing_runs():
    page = render_report(report(environment(), environment(slug="other")))
    tags = Tags(page)
    assert {"script", "link", "iframe", "img", "object"}.isdisjoint(tags.names)
    assert all(link.startswith("#") for link in tags.links)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)
    assert "default-src 'none'" in page


def test_ids_are_unique_with_several_environments():
    ids = Tags(render_report(report(environment(), environment(slug="other")))).ids
    assert len(ids) == len(set(ids))


def test_names_are_escaped():
    evil = "<script>alert(1)</script>\"'"
    page = render_report(
        report(
            environment(
                title=evil,
                slug=evil,
                left_out=[evil],
                rows=[row(evil, 120.0), row("static-peak", 92.1)],
                network=NetworkDrawing([SitePoint(evil, evil, 0, 0)], []),
            )
        )
    )
    assert "script" not in Tags(page).names
    assert "&lt;script&gt;" in page


def test_every_drawing_is_well_formed_and_says_what_it_shows():
    page = render_report(report())
    drawings = re.findall(r"<svg[^>]*role=.*?</svg>\s*(?=</figure>|</div>|<ul)", page, re.S)
    assert len(drawings) == 2 + 2 + 2 * len(CLASSES)
    for text in drawings:
        tree = ET.fromstring(text.replace("&nbsp;", " "))
        assert tree.findtext("title")
        assert tree.findtext("desc")


def test_a_bare_report_has_no_drawings_and_still_renders():
    bare = environment(
        network=None, series=None, rows=[row("static-peak", 1.0, money_usd_per_h={}, left=None)]
    )
    assert "Nothing earns more than static-peak" in render_report(report(bare))


def test_numbers_that_are_none_of_them_do_not_break_the_page():
    nothing = Interval(float("nan"), float("nan"), float("nan"))
    rows = [row("guarantee", 5.0, regret=nothing, left=None), row("static-peak", 5.0)]
    page = render_report(report(environment(rows=rows, bound_usd_per_h=nothing)))
    assert "nan" not in re.sub(r"[a-z]*nan[a-z]+", "", page.lower())


def test_it_is_written_and_leaves_no_draft(tmp_path):
    path = write_report(tmp_path / "new" / "report.html", report())
    assert path.read_text(encoding="utf-8") == render_report(report())
    assert [path] == list(path.parent.iterdir())


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(*_):
        msg = "disk"
        raise OSError(msg)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk"):
        write_report(path, report())
    assert path.read_text() == "old"
    assert [path] == list(tmp_path.iterdir())


def test_the_headline_is_computed():
    told = headline(environment())
    assert told.first == (
        "guarantee earns 12.3 $/h more than static-peak (+13\u00a0%), "
        "and ends 6.8\u00a0% below the proven bound."
    )
    assert told.others == [
        "That is 104 against 92.1 $/h for legacy provisioning "
        "(difference, 95 %: 10.3 to 14.3; ahead in 11 of 12 episodes).",
        "Next is mpc, 2.50 $/h behind (95 %: 1.50 to 3.50).",
        "5.1\u00a0% is left to clairvoyant, which knows the future.",
    ]
    assert told.caveats == []


def test_the_headline_says_when_there_is_little_to_gain():
    told = headline(environment(rows=[row("guarantee", 92.2), row("static-peak", 92.1)]))
    assert told.first.startswith(
        "Little to gain here: the best, guarantee, earns 0.11\u00a0% more than static-peak"
    )


def test_the_headline_says_when_a_rule_beats_the_agents():
    told = headline(environment(rows=[*environment().rows, row("agent-x", 103.4, "agent")]))
    assert told.first.startswith("guarantee earns")
    assert "A rule wins: the best agent, agent-x, earns 1.00 $/h less" in told.others[1]


@pytest.mark.parametrize(("width", "proof"), [(0.5, True), (5.0, False)])
def test_the_headline_says_whether_an_agent_surely_wins(width, proof):
    agent = row("agent-x", 106.4, "agent", gain_over_best_classical=around(2.0, width))
    told = headline(environment(rows=[*environment().rows, agent]))
    assert told.first.startswith("agent-x earns 14.3 $/h more than static-peak")
    assert ("no proof" in told.others[1]) is not proof


def test_the_headline_says_whether_the_gain_over_legacy_is_sure():
    rows = [row("guarantee", 104.4, gain_over_legacy=around(1.0, 2.0)), row("static-peak", 92.1)]
    assert "no proof" in headline(environment(rows=rows)).others[0]


def test_the_headline_names_what_is_too_close_to_call():
    near = row("mpc", 104.0, gain_over_best_classical=around(-0.4, 0.5))
    rows = [row("guarantee", 104.4), near, row("static-peak", 92.1)]
    assert "Too close to call against it: mpc." in headline(environment(rows=rows)).others


def test_the_headline_hides_no_trouble():
    rows = [row("guarantee", -5.0, violations=3, left=-0.02), row("static-peak", -9.0)]
    told = headline(environment(rows=rows, episodes=1, left_out=["mpc (9 ms)"]))
    text = " ".join(told.caveats)
    for part in ("guarantee (3)", "loses money", "One episode", "mpc (9 ms)"):
        assert part in text
    assert any("more than clairvoyant" in other for other in told.others)


def test_a_reference_never_wins_but_is_named_when_ahead():
    rows = [*environment().rows, row("borrow-ideal", 108.0, "reference")]
    told = headline(environment(rows=rows))
    assert told.first.startswith("guarantee")
    assert any("borrow-ideal earns 3.60 $/h more" in other for other in told.others)


def test_regret_bars_start_at_the_bound_and_are_cut_when_too_long():
    rows = [row("guarantee", 112.0), row("awful", 0.0, regret=around(9.0))]
    chart = regret_chart(environment(rows=rows))
    best, awful = chart.bars
    assert best.segments[0].width == pytest.approx(0.0, abs=1e-6)
    assert chart.axis.high == MAX_REGRET
    assert awful.is_cut
    assert awful.mark == 100.0


def test_money_bars_add_up_to_the_net_and_with_what_is_missed_to_the_bound():
    chart = money_chart(environment())
    unit = 100.0 / (chart.axis.high - chart.axis.low)
    for bar in chart.bars:
        zero = chart.axis.at(0.0)
        missed = sum(p.width for p in bar.segments if p.term == MISSED)
        right = sum(p.width for p in bar.segments if p.x >= zero - 1e-6) - missed
        cost = sum(p.width for p in bar.segments if p.x < zero - 1e-6)
        assert right - cost == pytest.approx(unit * net_usd(bar.row.money_usd_per_h), abs=0.02)
        assert missed == pytest.approx(unit * (112.0 - bar.row.net_usd_per_h.mean), abs=0.02)


def test_every_allocator_and_every_term_on_the_page_is_explained():
    assert {*CLASSICAL, *ORDERING, *REFERENCES} <= set(ALLOCATORS)
    explained = dict(words([environment()]))
    assert set(TERMS) <= set(explained)
    assert {"bound", "regret", "SLO", "violations"} <= set(explained)


def test_the_fullest_links_are_listed_first():
    listed = network_map(drawing()).busiest
    fullest = [max(percent for percent, _, _ in link.used) for link in listed]
    assert len(listed) == LISTED
    assert fullest == sorted(fullest, reverse=True)
    loads = [used for link in drawing().links for used in link.utilisation.values()]
    assert fullest[0] == pytest.approx(100 * max(loads))


@pytest.mark.parametrize(("sites", "is_wide"), [(MANY_SITES, False), (MANY_SITES + 1, True)])
def test_a_map_of_many_sites_takes_the_whole_width(sites, is_wide):
    points = [SitePoint(f"site-{n}", "edge", n % 5, n // 5) for n in range(sites)]
    assert network_map(NetworkDrawing(points, [])).is_wide is is_wide


@pytest.mark.parametrize(("hours", "unit"), [(1.0, "min"), (12.0, "h")])
def test_short_episodes_are_marked_in_minutes(hours, unit):
    series = replace(episode(), hours=list(np.linspace(0.0, hours, 360)))
    drawn = curves(series)
    assert drawn.unit == unit
    assert 4 <= len(drawn.marks) <= 8


def test_a_compare_document_becomes_a_report():
    ends = {"mean": 1.0, "lo": 0.5, "hi": 1.5}
    one = {
        "kind": "classical",
        "net_usd_per_h": ends,
        "regret": ends,
        "gain_over_best_classical_usd_per_h": ends,
        "left": None,
        "slo_attainment": {"inference": 1.0},
        "bill_usd_per_h": 2.0,
        "violations": 0,
        "decide_ms": None,
    }
    result = {"env": "tiny-edge", "split": "test", "episodes": 3, "left_out": []}
    result |= {"bound": {"net_usd_per_h": ends}, "best_classical": "static-peak"}
    result |= {"allocators": {"static-peak": one}}
    nets = [{"seed": seed, "net_usd_per_h": {"static-peak": seed, "a": 2.0}} for seed in (0, 1, 3)]
    result["allocators"]["a"] = {**one, "kind": "agent"}
    result["episode_results"] = nets
    facts = {"inference": {"rows": 7000, "sha256": "b" * 64, "mean_gbps": 2.5, "idc_10s": 3.75}}
    document = {"command": "c", "commit": None, "versions": {}, "input": facts}
    document["results"] = [result, result]
    other = replace(drawing(), links=[])
    drawn = [Drawings("one", drawing()), Drawings("other", other)]
    made = report_from_document(document, drawn)
    assert [drawing(), other] == [env.network for env in made.environments]
    assert made.environments[0].seeds == [0, 1, 3]
    agent = made.environments[0].rows[1]
    assert agent.gain_over_legacy.mean == pytest.approx(2.0 - 4.0 / 3.0)
    assert agent.episodes_ahead == 2
    page = render_report(made)
    facts = "7,000 rows, index of dispersion 3.75"
    for shown in ("tiny-edge", "seeds 0, 1, 3", "b" * 64, facts, ">one<"):
        assert shown in page


def test_drawings_that_do_not_match_the_results_are_refused():
    document = {"command": "c", "commit": None, "versions": {}, "results": []}
    with pytest.raises(ValueError, match="zip"):
        report_from_document(document, [Drawings()])
