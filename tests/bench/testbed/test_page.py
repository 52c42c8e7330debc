"""The page of a testbed: drawn from stored results, nothing fetched, and what it says is true."""

import copy
import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from browsers import SIZES, browsing, chromium, is_dark, overhang, shape

from bwalloc.bench.testbed.page import render_page, write_testbed
from bwalloc.bench.testbed.page_bars import gap_chart, loop_chart, net_chart
from bwalloc.bench.testbed.page_words import TARGETS, WORDS, gaps_of, headline_of

STORED = Path(__file__).parents[3] / "benchmarks" / "results" / "testbed-metro-inference.json"


@pytest.fixture
def found():
    """Results as they are stored; a copy, to be changed."""
    return copy.deepcopy(json.loads(STORED.read_text(encoding="utf-8")))


def spread(mean, sd=0.1):
    return {"mean": mean, "sd": sd, "runs": [mean] * 3}


def made_up(found, nets):
    """Results of the first two allocators as `a` and `b`, earning so much: (packets, simulated)."""
    rows = list(found["allocators"].values())
    found["allocators"] = dict(zip("ab", rows, strict=False))
    for name, (packets, simulated) in nets.items():
        row = found["allocators"][name]
        row["packets"]["net_usd_per_h"] = spread(packets)
        row["packets"]["notes"], row["packets"]["late_decisions"] = [], 0
        for side in ("simulator", "simulator_with_plane"):
            row[side]["net_usd_per_h"] = simulated
    (a, b) = nets["a"], nets["b"]
    gap = {"first": "a", "second": "b", "packets": a[0] - b[0], "standard_error": 0.1}
    found["pairs"] = [{**gap, "simulated": a[1] - b[1], "simulated_with_plane": a[1] - b[1]}]
    return found


def headline(found):
    rows = found["allocators"]
    ranked = sorted(rows, key=lambda name: -rows[name]["packets"]["net_usd_per_h"]["mean"])
    return headline_of(found, ranked)


def test_every_allocator_class_target_and_word_is_on_the_page(found):
    page = render_page(found)
    names = [*found["allocators"], *found["command"].split()[:2], found["commit"][:12]]
    kinds = next(iter(found["allocators"].values()))["packets"]["classes"]
    for text in [*names, *(kind.replace("_", " ") for kind in kinds), "hub-a"]:
        assert text in page
    assert all(f">{word}</dt>" in page for word, _ in WORDS)
    assert all(f">{TARGETS.get(name, name)}</th>" in page for name in found["verdict"])


def test_the_ranking_is_that_of_packets(found):
    page = render_page(found)
    table = page[page.index("All numbers</h2>") :]
    rows = found["allocators"]
    best_first = sorted(rows, key=lambda name: -rows[name]["packets"]["net_usd_per_h"]["mean"])

    assert best_first == re.findall(r'<th scope="row">([^<]+)</th>', table)[: len(rows)]
    assert f"{best_first[0]} earns the most on packets" in page


def test_nothing_is_fetched_and_nothing_runs(found):
    page = render_page(found)

    assert not re.search(r"<(script|link|iframe|img|object)", page)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)
    assert "default-src 'none'" in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_every_drawing_is_well_formed_and_says_what_it_shows(found):
    drawings = re.findall(r"<svg[^>]*role=.*?</svg>\s*(?=</figure>)", render_page(found), re.S)
    assert 3 == len(drawings)
    for text in drawings:
        tree = ET.fromstring(text)
        assert tree.findtext("title")
        assert tree.findtext("desc")


def test_names_are_escaped(found):
    evil = "<script>alert(1)</script>"
    found["allocators"][evil] = found["allocators"].pop("static")
    found["env"] = found["command"] = evil
    page = render_page(found)

    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_what_is_unknown_is_a_dash_whether_from_a_file_or_just_measured(found, unknown):
    for row in found["allocators"].values():
        packets = row["packets"]
        packets["wire_over_set"] = {"p5": unknown, "p50": unknown, "p95": unknown, "count": 0}
        packets["net_usd_per_h"]["sd"] = unknown
        packets["loop_whole_ms"] = {"p50": unknown, "p99": unknown}
        packets["loop_ms"]["read"] = {"p50": unknown, "p99": unknown}
        for each in packets["classes"].values():
            each["slo_attainment"]["mean"] = each["p99_queue_delay_s"]["mean"] = unknown
    page = render_page(found)

    assert "nan" not in page
    assert "None" not in page
    assert loop_chart(found, list(found["allocators"])) is None


def test_a_contradiction_is_said_and_drawn(found):
    found = made_up(found, {"a": (12.0, 10.0), "b": (10.0, 12.0)})
    told = headline(found)

    assert "a earns the most on packets; in the simulator that is b." == told.first
    assert "Packets contradict the simulator: it has b over a." in told.others
    (gap,) = gaps_of(found)
    assert ("b", "a", 2.0, -2.0) == (gap.first, gap.second, gap.simulated, gap.packets)
    (dot,) = gap_chart(found).rows
    assert "against" == dot.kind
    assert dot.at < gap_chart(found).rule < dot.simulated


def test_the_same_order_is_said_and_a_close_race_too(found):
    sure = headline(made_up(found, {"a": (12.0, 11.0), "b": (10.0, 9.0)}))
    assert "a earns the most on packets, as in the simulator." == sure.first
    assert "It earns 12.0 $/h, 2.00 more than b." in sure.others
    assert "Of 1 pair packets tell 1 apart, all in the simulator's order." in sure.others

    close = headline(made_up(found, {"a": (10.1, 10.05), "b": (10.0, 10.0)}))
    assert "It earns 10.1 $/h, 0.10 more than b: too close to call." in close.others
    assert "No pair of allocators can be told apart by so few runs." in close.others


def test_what_a_reader_must_not_miss(found):
    found = made_up(found, {"a": (12.0, 11.0), "b": (10.0, 9.0)})
    for target in found["verdict"].values():
        target["holds"] = True
    assert [] == headline(found).caveats
    found["is_interrupted"], found["repetitions"] = True, 1
    found["verdict"]["ranking"]["holds"] = False
    found["allocators"]["b"]["packets"]["late_decisions"] = 1
    found["allocators"]["b"]["packets"]["notes"] = ["watchdog-restored: No decision came."] * 2
    said = headline(found).caveats

    assert said[0].startswith("The command was interrupted")
    assert said[1].startswith("One run of each")
    assert "Targets missed: order of those pairs." == said[2]
    assert said[3].startswith("1 decision took longer than the interval and was applied late")
    assert ["In a run of b: No decision came."] == said[4:]


def test_one_run_of_one_allocator_is_a_page_too(found):
    found["allocators"] = {"static": found["allocators"]["static"]}
    found["pairs"], found["repetitions"] = [], 1
    for each in ("net_usd_per_h", "served_share", "slo_attainment", "lost_share"):
        found["allocators"]["static"]["packets"][each]["sd"] = None
    page = render_page(found)

    assert "static earns 270 $/h on packets." in page
    assert "Is the order the simulator" not in page
    assert net_chart(found, ["static"]).rows[0].whisker is None


def test_dots_lie_on_their_axis(found):
    for chart in (net_chart(found, list(found["allocators"])), gap_chart(found)):
        for row in chart.rows:
            places = [row.at, row.simulated, *(row.whisker or ()), row.plain or row.at]
            assert all(0 < at < 100 for at in places)


def test_a_failed_write_leaves_the_page_before(found, tmp_path, monkeypatch):
    path = write_testbed(tmp_path / "new" / "testbed.html", found)
    before = path.read_bytes()

    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="No space"):
        write_testbed(path, {**found, "env": "other"})
    assert before == path.read_bytes()
    assert [path.name] == os.listdir(path.parent)


COLLISIONS = """
const rows = [...document.querySelectorAll('svg.row')];
const texts = rows.map(row => [...row.querySelectorAll('text')]);
return texts.filter(([name, value]) =>
  name.getBoundingClientRect().right > value.getBoundingClientRect().left - 2
).map(([name]) => name.textContent);
"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as made:
        yield made


@pytest.mark.slow
@browsing
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_the_screen_in_light_and_dark(found, browser, tmp_path, size, dark):
    path = write_testbed(tmp_path / "testbed.html", found)
    shape(browser, size, dark=dark)
    browser.get_log("browser")
    browser.get(path.as_uri())

    assert overhang(browser) <= 0
    assert dark == is_dark(browser)
    assert [] == browser.execute_script(COLLISIONS)
    assert [] == browser.get_log("browser")
