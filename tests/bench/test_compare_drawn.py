"""Comparisons in which every episode has a network of its own."""

import json

import numpy as np
import pytest

from bwalloc.allocate import make_rule
from bwalloc.allocate.plan.clairvoyant import plan_episode
from bwalloc.bench import tasks
from bwalloc.bench.compare import compare
from bwalloc.bench.summary import document, summarise
from bwalloc.bench.tasks import Setting, batches_of
from bwalloc.cli import main
from bwalloc.observe import measured
from bwalloc.scenario import draw_world, load_template, train_worlds
from bwalloc.sim.play import joined, play

SHORT = {"time.intervals": 36}
TEMPLATE = load_template("random-edge", SHORT)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Plans of these tests stay in a folder of their own."""
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def setting():
    return Setting("random-edge", episodes=3, seed=4, overrides=SHORT)


def played_alone(name, seed):
    scenario = TEMPLATE.scenario("test", seed)
    history = measured(train_worlds(scenario), scenario.timing.interval_s)
    rule = make_rule(name, scenario.network, history, scenario.tuned)
    return play(scenario, rule, [draw_world(scenario, "test", seed)])


def test_every_episode_is_a_batch_of_its_own_network(setting):
    batches = list(batches_of(setting))

    assert [[4], [5], [6]] == [batch.seeds for batch in batches]
    assert [TEMPLATE.scenario("test", seed).digest for seed in (4, 5, 6)] == [
        batch.scenario.digest for batch in batches
    ]
    (together,) = batches_of(Setting("tiny-edge", episodes=3, seed=4, overrides=SHORT))
    assert [4, 5, 6] == together.seeds


def test_an_episode_earns_in_a_comparison_what_it_earns_alone(setting):
    played, spent = tasks.run_allocator(setting, "guarantee")
    alone = [played_alone("guarantee", seed) for seed in setting.seeds]

    assert [float(one.net_usd[0]) for one in alone] == played.net_usd.tolist()
    assert {"p50", "p99"} == spent.keys()
    assert 0 == played.violations


def test_books_of_different_networks_are_joined_by_class(setting):
    parts = [played_alone("max-min", seed) for seed in setting.seeds]
    whole = joined(parts)

    assert set(whole.classes) == {kind for part in parts for kind in part.classes}
    assert (len(whole.classes), 3) == whole.served_gbit.shape
    for column, part in enumerate(parts):
        for row, kind in enumerate(part.classes):
            served = whole.served_gbit[whole.classes.index(kind), column]
            assert part.served_gbit[row, 0] == served
    assert sum(part.served_gbit.sum() for part in parts) == pytest.approx(whole.served_gbit.sum())
    np.testing.assert_array_equal(parts[0].utilisation, whole.utilisation)


def test_a_class_that_a_batch_has_not_is_0_there():
    parts = [
        play(batch.scenario, tasks.rule_of(batch.scenario, "max-min"), batch.worlds)
        for name in ("metro-inference", "tiny-edge")
        for batch in batches_of(Setting(name, episodes=1))
    ]
    whole = joined(parts)

    offered = dict(zip(whole.classes, whole.offered_gbit, strict=True))
    assert 0 == offered["bulk_ingest"][0] < offered["bulk_ingest"][1]
    assert offered["background"][0] > 0 == offered["background"][1]


def test_the_plan_of_an_episode_is_made_and_played_on_its_network(setting):
    plans = [tasks.run_plan(setting, seed) for seed in setting.seeds]
    played = tasks.run_clairvoyant(setting, plans)
    hours = TEMPLATE.usual.timing.counted_h
    scenario = TEMPLATE.scenario("test", 5)
    made = plan_episode(scenario, draw_world(scenario, "test", 5))

    assert made.bound_usd_per_h == plans[1].bound_usd_per_h
    assert scenario.network.tunnels.exists.shape == plans[1].rates_gbps.shape[1:]
    legacy, _ = tasks.run_allocator(setting, "static-peak")
    bounds = np.array([plan.bound_usd_per_h for plan in plans]) * hours
    assert (legacy.net_usd < played.net_usd).all()
    assert (played.net_usd <= bounds).all()


def test_the_document_is_that_of_any_environment():
    result = compare(
        "random-edge", allocators=["max-min", "borrow-ideal"], episodes=2, overrides=SHORT
    )
    whole = json.loads(json.dumps(document("bwalloc compare random-edge", [summarise(result)])))
    (entry,) = whole["results"]

    assert "random-edge" == entry["env"]
    assert ["static-peak", "max-min", "borrow-ideal"] == list(entry["allocators"])
    assert 9 == len(entry["allocators"]["max-min"]["slo_attainment"])
    for one in entry["episode_results"]:
        assert max(one["net_usd_per_h"].values()) <= one["bound"]


def test_the_command_reports_the_network_of_the_first_episode(tmp_path, capsys):
    page, results = tmp_path / "page.html", tmp_path / "results.json"
    (tmp_path / "short.toml").write_text(
        TEMPLATE.path.read_text().replace("intervals = 240", "intervals = 36")
    )
    line = ["compare", str(tmp_path / "short.toml"), "--allocators", "max-min", "--episodes", "2"]
    assert 0 == main([*line, "--jobs", "1", "--json", str(results), "--report", str(page)])

    assert "max-min" in json.loads(results.read_text())["results"][0]["allocators"]
    assert "<svg" in page.read_text()
    assert "violations: 0" in capsys.readouterr().out
