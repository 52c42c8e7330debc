"""What packets and the simulator agree on, from runs that are made up."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bwalloc.allocate import make_rule
from bwalloc.bench.testbed.books import Books
from bwalloc.bench.testbed.document import document, spread
from bwalloc.bench.testbed.folding import fold
from bwalloc.bench.testbed.page import render_page
from bwalloc.bench.testbed.testbed import Measured, Simulated, Trial, Wanted, simulate_late
from bwalloc.bench.testbed.verdict import pairs, served_gaps, verdict
from bwalloc.bench.testbed.wiring import Scale
from bwalloc.cli.testbed import cells
from bwalloc.money import TERMS
from bwalloc.observe import measured
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.scenario.enforcement import Enforcement
from bwalloc.sim.play import play

SCENARIO = load_scenario("tiny-edge", overrides={"time.intervals": 96})
COUNT = SCENARIO.network.n_demands
HOURS = SCENARIO.timing.counted_h


def books(usd_per_h, share):
    terms = {**dict.fromkeys(TERMS, 0.0), "delivered": usd_per_h * HOURS}
    offered = np.full(COUNT, 2.0)
    kinds = SCENARIO.network.demands.classes
    return Books(
        terms, offered, offered * share, offered * share, offered * (1 - share),
        10.0, 9.9, 4, dict.fromkeys(kinds, 1.5), 2.0,
    )  # fmt: skip


def played(usd_per_h, share):
    kinds = SCENARIO.network.demands.classes
    offered = np.full((len(kinds), 1), 2.0)
    return SimpleNamespace(
        classes=kinds,
        net_usd=np.array([usd_per_h * HOURS]),
        offered_gbit=offered,
        served_gbit=offered * share,
        attained_gbit=offered * share,
    )


def made_up(measured, simulated):
    """Both by name: (USD per hour of each run, served share), and (USD per hour, served share)."""
    world = draw_world(SCENARIO, "test", 0)
    made = Trial(
        Wanted("tiny-edge"), list(measured), SCENARIO, world, Scale(1e-3, 10.0), np.arange(4)
    )
    for name, (runs, share) in measured.items():
        made.simulated[name] = Simulated(*[played(*simulated[name])] * 3, Enforcement(0.05))
        spent = np.full((95, 3), [30.0, 1.0, 40.0])
        made.measured[name] = [
            Measured(books(usd, share), spent, np.array([0.99, 1.01]), 0, ()) for usd in runs
        ]
    return made


SOUND = made_up(
    {"a": ([10.0, 10.2, 9.8], 0.80), "b": ([20.0, 20.2, 19.8], 0.85), "c": ([31, 30, 29], 0.9)},
    {"a": (11.0, 0.79), "b": (19.0, 0.86), "c": (28.0, 0.92)},
)


def test_the_simulator_is_as_late_as_the_runs_were():
    """30 + 1 + 40 ms of each interval, ten times that in the environment; the rest is kept."""
    made = made_up({"static": ([10.0], 0.8)}, {"static": (10.0, 0.8)})
    made.home = fold(SCENARIO.network)
    record = measured([draw_world(SCENARIO, "train", 0)], SCENARIO.timing.interval_s)
    rule = make_rule("static", SCENARIO.network, record, SCENARIO.tuned)
    found = simulate_late(made, "static", rule)
    plain = play(replace(SCENARIO, enforcement=found.enforcement), rule, [made.world])

    assert 0.71 == pytest.approx(found.enforcement.update_latency_s)
    assert min(found.enforcement.least_gbps, found.enforcement.burst_s) > 0
    assert plain.net_usd[0] == found.late.net_usd[0]
    assert found.plain is made.simulated["static"].plain


def test_a_pair_is_told_apart_by_the_error_of_its_difference():
    one, _, _ = pairs(SOUND)
    assert ("a", "b") == (one.first, one.second)
    assert np.sqrt(2 * 0.04 / 3) == pytest.approx(one.standard_error)
    assert -8.0 == pytest.approx(one.simulated)
    assert -10.0 == pytest.approx(one.packets)
    assert one.is_told_apart
    assert one.agrees


def test_all_targets_hold_where_packets_and_simulator_agree():
    found = verdict(SOUND)
    assert {} == {name: each for name, each in found.items() if not each["holds"]}


def test_a_wrong_order_is_named_and_a_small_gap_is_none():
    made = made_up(
        {"a": ([10.0, 10.2, 9.8], 0.8), "b": ([9.0, 9.2, 8.8], 0.8), "c": ([9.9, 10.1, 9.7], 0.8)},
        {"a": (10.0, 0.8), "b": (14.0, 0.8), "c": (10.05, 0.8)},
    )
    found = verdict(made)
    assert ["a / b", "b / c"] == found["ranking"]["found"]
    assert not found["ranking"]["holds"]
    assert 2 == found["pairs"]["found"]
    assert not found["pairs"]["holds"]


def test_one_run_tells_nobody_apart():
    made = made_up({"a": ([1.0], 0.8), "b": ([9.0], 0.8)}, {"a": (1.0, 0.8), "b": (9.0, 0.8)})
    assert 0 == verdict(made)["pairs"]["found"]
    assert not verdict(made)["repetitions"]["holds"]


def test_a_served_share_that_is_off_is_a_miss():
    made = made_up({"a": ([1, 1, 1], 0.8)}, {"a": (1.0, 0.84)})
    assert {"a": pytest.approx(-0.04)} == served_gaps(made)
    assert not verdict(made)["served"]["holds"]


def test_document_and_page_tell_every_allocator():
    found = document(SOUND, "bwalloc testbed tiny-edge")
    packets = found["allocators"]["b"]["packets"]
    assert 20.0 == pytest.approx(packets["net_usd_per_h"]["mean"])
    assert 0.01 == pytest.approx(packets["lost_share"]["mean"])
    assert {"p50": 30.0, "p99": 30.0} == packets["loop_ms"]["read"]
    assert 0.05 == found["allocators"]["b"]["enforcement"]["enforcement.burst_s"]
    assert 19.0 == pytest.approx(found["allocators"]["b"]["simulator_late"]["net_usd_per_h"])
    assert "71" in cells(found["allocators"]["b"])
    page = render_page(found)
    assert page.index(">c<") < page.index(">b<") < page.index(">a<")
    assert "<script" not in page


def test_the_spread_of_one_run_is_unknown():
    assert np.isnan(spread([1.0])["sd"])
    assert {"mean": 2.0, "sd": 1.0, "runs": [1.0, 2.0, 3.0]} == spread([1, 2, 3])
