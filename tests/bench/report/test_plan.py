"""The page of a plan: everything is in it, nothing is fetched, and what it says is true."""

import os
import re
import xml.etree.ElementTree as ET

import pytest
from plans import DEAR, FREE, UPGRADE, interval, plan_of, span

from bwalloc.bench.report.plan import render_plan, write_plan
from bwalloc.bench.report.plan_bars import LISTED, check_chart, worth_chart
from bwalloc.bench.report.plan_words import WORDS, plan_headline, too_wide


def test_every_span_upgrade_and_allocator_is_on_the_page():
    page = render_plan(plan_of())
    for text in ("leased", "owned", "dear", "forecast", "clairvoyant", "bwalloc plan paper"):
        assert text in page
    assert "network.capacity_gbps.leased" in page
    assert all(word in page for word, _ in WORDS)


def test_nothing_is_fetched_and_nothing_runs():
    page = render_plan(plan_of())

    assert not re.search(r"<(script|link|iframe|img|object)", page)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)
    assert "default-src 'none'" in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_names_are_escaped():
    evil = "<script>alert(1)</script>"
    upgrade = UPGRADE | {"span": evil}
    page = render_plan(plan_of(title=evil, upgrades=[upgrade], spans=[span(evil, 0.5, 0.25)]))

    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_every_drawing_is_well_formed_and_says_what_it_shows():
    page = render_plan(plan_of())
    drawings = re.findall(r"<svg[^>]*role=.*?</svg>\s*(?=</figure>)", page, re.S)
    assert len(drawings) == 3
    for text in drawings:
        tree = ET.fromstring(text)
        assert tree.findtext("title")
        assert tree.findtext("desc")


def test_a_plan_without_advice_still_renders():
    page = render_plan(plan_of(advised=None, upgrades=[DEAR], spans=[span("dear", 0.0, 1.0)]))

    assert "No upgrade is worth more than it costs." in page
    assert "Promised against found" not in page


def test_the_headline_is_computed():
    told = plan_headline(plan_of())

    assert told.first == "leased pays back first: 1.00 Gbit/s more for 0.25 $/h promise 0.75 $/h."
    assert told.others == [
        "Made, it brings the bound +0.40 $/h net, and static-peak +0.30 $/h "
        "(95 %: +0.20 to +0.40).",
        "Provisioned once for its peak, the network earns 10.0 $/h less than under forecast "
        "(95 %: +8.00 to +12.0).",
        "The last Gbit/s is worth less than it costs on dear (0.050 of 1.000 $).",
    ]
    assert told.caveats == []


def test_the_headline_says_where_more_costs_less():
    advised = plan_of()["advised"] | {"price_usd_per_h": -0.25, "payback": None}
    told = plan_headline(plan_of(advised=advised))

    expected = "leased saves money at once: 1.00 Gbit/s more cost 0.25 $/h less, and are worth "
    assert told.first == f"{expected}0.75 $/h."


def test_the_headline_says_where_no_price_is_known():
    advised = plan_of()["advised"] | {"price_usd_per_h": 0.0, "span": "owned", "payback": None}
    told = plan_headline(plan_of(advised=advised, upgrades=[FREE]))

    assert told.first == "owned is the tightest: 1.00 Gbit/s more are worth 0.75 $/h."
    assert "no price is known" in told.others[0]


def test_the_headline_hides_no_trouble():
    advised = plan_of()["advised"] | {"bound_net_usd_per_h": interval(0.05)}
    told = " ".join(plan_headline(plan_of(advised=advised, episodes=1, sells=True)).caveats)

    for part in ("One episode", "first tiers", "its interval holds 0"):
        assert part in told


def test_only_a_span_that_is_surely_worth_less_is_called_too_wide():
    spans = [span("sure", 0.5, 0.7), span("maybe", 0.5, 0.55), span("owned", 0.5, 0.0)]

    assert ["sure"] == [row["span"] for row in too_wide(spans)]


def test_bars_of_worth_and_marks_of_price_share_one_axis():
    chart = worth_chart([span("a", 0.75, 0.25), span("b", 0.0, 0.25)])

    assert ["a"] == [bar.name for bar in chart.bars]  # what is worth nothing is not drawn
    assert chart.bars[0].width == pytest.approx(100 * 0.75 / 0.85, abs=1e-2)
    assert chart.bars[0].mark == pytest.approx(100 * 0.25 / 0.85, abs=1e-2)
    many = worth_chart([span(f"s{row}", 1.0, 0.0) for row in range(40)])
    assert LISTED == len(many.bars)


def test_bars_of_the_check_start_at_zero_also_below_it():
    advised = plan_of()["advised"] | {"bound_net_usd_per_h": interval(-0.4)}
    chart = check_chart(advised)
    bars = {bar.name: bar for bar in chart.bars}
    zero = chart.axis.at(0.0)

    assert bars["promised"].x == zero
    assert bars["bound, solved again"].x + bars["bound, solved again"].width == pytest.approx(zero)


def test_it_is_written_and_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_plan(tmp_path / "new" / "plan.html", plan_of())
    assert path.read_text(encoding="utf-8") == render_plan(plan_of())

    def fail(*_):
        msg = "disk"
        raise OSError(msg)

    path.write_text("old")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk"):
        write_plan(path, plan_of())
    assert path.read_text() == "old"
