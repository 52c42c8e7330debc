"""A comparison on an environment in which capacity is ordered."""

import numpy as np
from ordering import port_file

from bwalloc.allocate import ORDERING
from bwalloc.allocate.plan.cache import cached_plan
from bwalloc.bench.compare import compare
from bwalloc.bench.players import players
from bwalloc.bench.summary import _orders, summarise
from bwalloc.bench.tasks import (
    Setting,
    batches_of,
    rule_of,
    run_allocator,
    run_clairvoyant,
    run_plan,
    scenario_of,
)
from bwalloc.sim.play import play


def test_those_who_only_differ_in_orders_play_where_capacity_is_sold():
    assert set(ORDERING) <= set(players(None, "test/Ports-v1", sells=True))
    assert not set(ORDERING) & set(players(None, "test/Ports-v1"))


def test_rules_and_the_clairvoyant_order_in_a_comparison(tmp_path, monkeypatch):
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path / "cache"))
    overrides = {"time.intervals": 120, "time.warmup_intervals": 10}
    setting = Setting(str(port_file(tmp_path)), episodes=2, overrides=overrides)
    plans = [run_plan(setting, seed) for seed in setting.seeds]
    played = run_clairvoyant(setting, plans)
    rule, spent = run_allocator(setting, "two-bar")

    assert spent["p50"] > 0
    assert (2, 2) == rule.orders.shape
    assert 0 == played.violations == rule.violations
    bounds = np.array([plan.bound_usd_per_h for plan in plans])
    hours = scenario_of(setting).timing.counted_h
    assert (played.net_usd / hours <= bounds).all()
    assert (rule.net_usd / hours <= bounds).all()
    said = _orders(rule, hours)
    assert said["per_span_day"] == rule.orders.mean() * 24 / hours
    assert 0 == said["rejected"]
    # Read back, a plan holds its orders.
    again = cached_plan(scenario_of(setting), "test", 1)
    assert list((tmp_path / "cache").rglob("*.npz"))
    assert np.array_equal(plans[1].orders, again.orders)
    assert again.orders.shape == (120, 2)


def test_planned_orders_beat_keeping_the_first_tier(tmp_path):
    """By far, and those over scenarios beat those behind the gate of `two-bar` too."""
    dear = {"classes.kv_transfer.value_usd_per_gbit": 4e-3, "offers.carrier.min_billed_s": 900.0}
    overrides = {"time.intervals": 480, "time.warmup_intervals": 30, **dear}
    setting = Setting(str(port_file(tmp_path)), episodes=3, overrides=overrides)
    (batch,) = batches_of(setting)
    rule = rule_of(batch.scenario, "forecast")
    kept = play(batch.scenario, rule.base, batch.worlds)
    earned = {"two-bar": play(batch.scenario, rule, batch.worlds).net_usd}
    for name in ("mpc", "stochastic-lp"):
        played = run_allocator(setting, name)[0]
        earned[name] = played.net_usd
        assert 0 == played.violations
        assert (played.orders > 0).any(1).all()

    assert (earned["mpc"] > 1.2 * kept.net_usd).all()
    assert (earned["stochastic-lp"] > 1.2 * kept.net_usd).all()
    assert earned["stochastic-lp"].mean() > earned["two-bar"].mean()


def test_the_document_says_how_often_was_ordered(tmp_path, monkeypatch):
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path / "cache"))
    overrides = {"time.intervals": 60, "time.warmup_intervals": 5}
    comparison = compare(
        str(port_file(tmp_path)),
        allocators=["two-bar"],
        episodes=2,
        overrides=overrides,
        jobs=1,
    )
    row = summarise(comparison)["allocators"]["two-bar"]

    assert row["orders"]["per_span_day"] >= 0
    assert 0 == row["violations"]
    assert row["bill_usd_per_h"] > 0
