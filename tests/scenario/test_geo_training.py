"""geo-training: jobs on Abilene whose rounds contend, and where foresight pays."""

import gymnasium
import numpy as np
import pytest

import bwalloc  # noqa: F401  registers the ids
from bwalloc.allocate import make_rule
from bwalloc.allocate.plan.clairvoyant import ClairvoyantRule, plan_episode
from bwalloc.bench.tasks import history_of
from bwalloc.network.diversity import diversity_of
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.scenario.catalogue import find
from bwalloc.sim.play import play

WAVE_GBPS = 9.92
JOBS = {"frontier": 4, "south": 3, "east": 3, "middle": 4, "wide": 3, "west": 3}


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("geo-training")


def rows(scenario, prefix):
    names = scenario.network.demands.name
    return [row for row, name in enumerate(names) if name.startswith(prefix)]


def test_the_network_is_abilene_without_its_second_node_in_atlanta(scenario):
    network = scenario.network

    assert 11 == len(network.sites.name)
    assert 28 == network.n_links
    assert {2.48, WAVE_GBPS} == set(network.links.capacity_gbps.round(2))
    assert 2 == (network.links.capacity_gbps < WAVE_GBPS).sum()
    assert network.n_demands <= 60


def test_each_demand_keeps_a_tunnel_whichever_link_fails(scenario):
    assert diversity_of(scenario.network).survives.all()


def test_rounds_and_restores_stop_the_gpus_and_copies_do_not(scenario):
    groups = scenario.network.groups
    for index, (name, sites) in enumerate(JOBS.items()):
        mine = np.flatnonzero(groups.member == index).tolist()
        assert name == groups.name[index]
        assert sites == len(rows(scenario, f"{name}-sync/"))
        assert sorted(rows(scenario, f"{name}-")) == mine
    assert set(groups.member[rows(scenario, "save-")]) == {-1}


def test_work_is_worth_more_the_more_gpus_wait_for_it(scenario):
    groups, law = scenario.network.groups, scenario.network.law
    first = [rows(scenario, f"{name}-sync/")[0] for name in JOBS]

    assert law.value_usd_per_gbit[first, 0] == pytest.approx(groups.usd_per_s / 10.0, rel=0.02)


def test_a_round_takes_seconds_of_a_free_link_and_leaves_it_free_for_most_of_the_time(scenario):
    (part,) = scenario.workload.train_sync
    alone_s = part.spec.gbit / WAVE_GBPS

    assert (alone_s < scenario.timing.interval_s / 2).all()
    assert (10 * alone_s < part.spec.round_s).all()
    assert (part.spec.round_s > 5 * scenario.timing.interval_s).all()


def test_foresight_pays(scenario):
    """Neither tuned rule within 0.15 regret of the plan, in two short episodes."""
    short = load_scenario("geo-training", {"time.intervals": 100})
    worlds = [draw_world(short, "test", seed) for seed in range(2)]
    plans = [plan_episode(short, world) for world in worlds]
    bound = np.mean([plan.bound_usd_per_h for plan in plans])

    def earned(rule):
        played = play(short, rule, worlds)
        assert 0 == played.violations
        return float(played.net_usd.mean()) / short.timing.counted_h

    plan = earned(ClairvoyantRule(plans, short.network))
    by_rule = {
        name: earned(make_rule(name, short.network, history_of(scenario), scenario.tuned))
        for name in ("static-peak", "strict-priority", "constant")
    }
    legacy = bound - by_rule.pop("static-peak")
    assert plan <= bound
    for name, usd_per_h in by_rule.items():
        assert 0.15 < (plan - usd_per_h) / legacy, name


def test_out_of_distribution_links_fail_more_often_or_a_class_is_missing(scenario):
    shifts = [shift.name for shift in scenario.workload.shifts]
    failing, silent = shifts.index("failures"), shifts.index("no-feeds")
    feeds = scenario.network.demands.rows_of("data_feed")

    down = [(draw_world(scenario, "ood", failing + 4 * k).capacity_gbps == 0) for k in range(4)]
    usual = [(draw_world(scenario, "test", k).capacity_gbps == 0) for k in range(4)]
    assert np.mean(down) > 3 * np.mean(usual)
    assert 0 == draw_world(scenario, "ood", silent).arrivals_gbit[:, :, feeds].sum()


def test_gymnasium_makes_it():
    env = gymnasium.make("bwalloc/GeoTraining-v1", overrides={"time.intervals": 40})
    observation, _ = env.reset(seed=0)
    stepped, reward, *_ = env.step(env.action_space.sample() * 0)

    assert env.observation_space.contains(observation)
    assert env.observation_space.contains(stepped)
    assert np.isfinite(reward)


def test_every_group_of_numbers_names_its_source():
    text = find("geo-training").read_text()
    tables = [part for part in text.split("\n[") if part.startswith(("demands.", "classes."))]

    assert all("source = " in part for part in tables)
