"""Training traffic in an environment file: who sends to whom, how much, worth what."""

from dataclasses import replace

import numpy as np
import pytest
from training_env import TEXT, training_file, training_scenario

from bwalloc.errors import ScenarioError
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.scenario.draw import draw_from

NEW = ("train_sync", "checkpoint", "data_feed", "model_push")


@pytest.fixture
def scenario(tmp_path):
    return training_scenario(tmp_path)


def rows(scenario, prefix):
    names = scenario.network.demands.name
    return [row for row, name in enumerate(names) if name.split("/")[0] == prefix]


def gbit_of(world):
    """Gbit by interval and demand, jobs included."""
    return world.arrivals_gbit.sum(1) + world.jobs_gbit.sum(2)


def test_a_ring_goes_from_each_site_to_the_next(scenario):
    names = [scenario.network.demands.name[row] for row in rows(scenario, "sync-job")]
    (part,) = scenario.workload.train_sync

    assert ["gpu-1>gpu-2", "gpu-2>gpu-3", "gpu-3>gpu-1"] == [name.split("/")[1] for name in names]
    assert [4 / 3 * 70 * 8 * 1.05] * 3 == pytest.approx(part.spec.gbit)


def test_an_exchange_splits_the_same_volume_over_all_pairs(tmp_path):
    text = TEXT.replace('class = "train_sync"', 'class = "train_sync"\ncollective = "all_to_all"')
    scenario = training_scenario(tmp_path, text=text)
    (part,) = scenario.workload.train_sync

    assert 6 == len(rows(scenario, "sync-job"))
    assert [4 / 3 * 70 * 8 * 1.05 / 2] * 6 == pytest.approx(part.spec.gbit)


def test_members_of_a_group_follow_one_clock_whatever_their_section(tmp_path):
    section = 'class = "train_sync"\nfrom = "cloud"\nto = "gpu-1"\n'
    more = f'\n[demands."other-job/x"]\n{section}\n[demands.apart]\n{section}'
    scenario = training_scenario(tmp_path, text=TEXT + more)
    sends = draw_world(scenario, "train", 0).arrivals_gbit.reshape(1200, -1) > 0
    sync, other, apart = (rows(scenario, name)[0] for name in ("sync-job", "other-job", "apart"))

    np.testing.assert_array_equal(sends[:, sync], sends[:, other])
    assert (sends[:, sync] != sends[:, apart]).any()


def test_gpus_wait_for_restores_and_rounds_but_not_for_copies(scenario):
    member = scenario.network.groups.member
    waiting = rows(scenario, "sync-job") + rows(scenario, "restore-job")

    assert waiting == np.flatnonzero(member == 0).tolist()


def test_a_restore_never_expires_and_is_worth_what_waits_for_it(scenario):
    demands, law = scenario.network.demands, scenario.network.law
    save, restore = rows(scenario, "save"), rows(scenario, "restore-job")

    assert {1800.0} == set(demands.deadline_s[save])
    assert {np.inf} == set(demands.deadline_s[restore])
    assert {4.5e-4} == set(law.value_usd_per_gbit[save, 0])
    assert {0.0036} == set(law.value_usd_per_gbit[restore, 0])
    assert {0.0036} == set(law.settle_usd_per_gbit[restore])
    assert "checkpoint" == demands.traffic_class[restore[0]]


def test_varieties_have_economics_of_their_own_in_the_file(tmp_path):
    more = TEXT + '\n[classes."checkpoint/restore"]\nvalue_usd_per_gbit = 0.5\n'
    more += "\n[classes.model_push]\nvalue_usd_per_gbit = 0.25\n"
    scenario = training_scenario(tmp_path, text=more)
    value = scenario.network.law.value_usd_per_gbit[:, 0]

    assert {0.5} == set(value[rows(scenario, "restore-job")])
    assert {4.5e-4} == set(value[rows(scenario, "save")])
    assert {0.25} == set(value[rows(scenario, "release")])
    assert {6.7e-3} == set(value[rows(scenario, "start")])


def test_work_of_a_dear_group_may_be_worth_more(tmp_path):
    """The group costs 0.356 USD a second: twice what the value is said to hold at."""
    money = "value_usd_per_gbit = 0.01\nsettle_usd_per_gbit = 0.02\n"
    classes = f"\n[classes.train_sync]\n{money}value_at_stall_usd_per_s = 0.1778\n"
    scenario = training_scenario(tmp_path, text=TEXT + classes)
    law, sync = scenario.network.law, rows(scenario, "sync-job")

    assert [0.02] * 3 == pytest.approx(law.value_usd_per_gbit[sync, 0], rel=1e-3)
    assert [0.04] * 3 == pytest.approx(law.settle_usd_per_gbit[sync], rel=1e-3)


def test_a_value_that_follows_a_group_stays_as_it_is_said_where_there_is_none(tmp_path):
    classes = "\n[classes.checkpoint]\nvalue_usd_per_gbit = 0.01\nvalue_at_stall_usd_per_s = 1.0\n"
    scenario = training_scenario(tmp_path, text=TEXT + classes)

    assert {0.01} == set(scenario.network.law.value_usd_per_gbit[rows(scenario, "save"), 0])


def test_a_misspelt_variety_is_refused(tmp_path):
    path = training_file(tmp_path, TEXT + '\n[classes."checkpoint/restor"]\nbudget_ms = 1.0\n')

    with pytest.raises(ScenarioError, match=r"Nearest: 'checkpoint/restore'"):
        load_scenario(path)


def test_a_feed_is_worth_the_gpu_time_that_its_bytes_keep_busy(tmp_path):
    """U-Net on an H100 reads 25.4 Gbit/s; a tenth misses, and no first epoch counts."""
    feed = 'class = "data_feed"\nworkload = "unet3d"\nmiss_share = 0.1\nepoch_s = 0.0'
    text = TEXT.replace('class = "data_feed"', feed + "\ngpu_hour_usd = 5.0")
    scenario = training_scenario(tmp_path, text=text)
    value = scenario.network.law.value_usd_per_gbit[rows(scenario, "feed"), 0]

    assert [5.0 / 3600 / (25.4 * 0.1 * 1.05)] * 3 == pytest.approx(value)
    path = training_file(tmp_path, text + "\n[classes.data_feed]\nvalue_usd_per_gbit = 1.0\n")
    said = load_scenario(path).network.law.value_usd_per_gbit[rows(scenario, "feed"), 0]
    assert {1.0} == set(said)


def test_a_larger_site_has_more_gpus_to_feed_but_the_same_model(scenario):
    (feed,), (sync,) = scenario.workload.data_feed, scenario.workload.train_sync

    assert [8.0, 16.0, 8.0] == feed.spec.gpus.tolist()
    assert 1 == len(set(sync.spec.gbit))


MEANS = {
    "sync-job": "train_sync",
    "restore-job": 'checkpoint"\ndirection = "restore',
    "save": "checkpoint",
    "feed": "data_feed",
    "release": "model_push",
}


@pytest.mark.parametrize("name", MEANS)
def test_mean_gbps_fits_the_volume(tmp_path, name):
    text = TEXT.replace(f"[demands.{name}]", f"[demands.{name}]\nmean_gbps = 3.0")
    text = text.replace("failure_factor = 100.0", "failure_factor = 3000.0")
    text = text.replace("intervals = 120", "intervals = 2880")
    scenario = training_scenario(tmp_path, text=text)
    gbit = sum(gbit_of(draw_world(scenario, "train", seed)).sum(0) for seed in range(6))
    gbps = gbit[rows(scenario, name)] / (6 * 86_400)

    assert 3.0 * 4 == pytest.approx(gbps.sum(), rel=0.2)
    assert 0.8 < gbps[1] / gbps.sum() * 2 < 1.2


def test_work_with_deadlines_comes_as_jobs_and_the_rest_does_not(scenario):
    worlds = [draw_world(scenario, "train", seed) for seed in range(8)]
    arrivals = sum(world.arrivals_gbit.sum((0, 1)) for world in worlds)
    jobs = sum(world.jobs_gbit.sum((0, 2)) for world in worlds)

    for name in ("sync-job", "restore-job", "feed"):
        assert arrivals[rows(scenario, name)].sum() > 0
        assert 0 == jobs[rows(scenario, name)].sum()
    for name in ("save", "release", "start"):
        assert jobs[rows(scenario, name)].sum() > 0
        assert 0 == arrivals[rows(scenario, name)].sum()


def test_a_copy_expires_at_the_latest_when_the_next_checkpoint_is_taken(scenario):
    """Copies of 900 s lie on a grid of 75 s: the slot says how many of its marks are left."""
    world, row = draw_world(scenario, "train", 0), rows(scenario, "save")[0]
    interval, slot = np.nonzero(world.jobs_gbit[:, row])
    end_s = ((interval * 10) // 25 + slot + 1) * 75
    left = end_s - interval * 30

    assert len(interval) >= 3
    assert (left <= 900 * 1.05).all()
    assert (left > 900 * 0.95 - 75).all()


def test_a_cold_start_follows_the_surge_of_its_own_site(scenario):
    quiet = training_scenario_with(scenario, surges_per_day=0.0)
    busy = sum(draw_world(scenario, "train", seed).jobs_gbit.sum((0, 2)) for seed in range(8))
    calm = sum(draw_world(quiet, "train", seed).jobs_gbit.sum((0, 2)) for seed in range(8))
    start = rows(scenario, "start")

    assert busy[start].sum() > 1.5 * calm[start].sum()
    np.testing.assert_array_equal(busy[rows(scenario, "save")], calm[rows(scenario, "save")])


def training_scenario_with(scenario, **requests):
    changed = replace(scenario.workload.requests, **requests)
    return replace(scenario, workload=replace(scenario.workload, requests=changed))


def test_a_cold_start_needs_a_service(tmp_path):
    text = TEXT.replace('sites = "gpu-*"', 'sites = "gpu-1"')
    with pytest.raises(ScenarioError, match=r"demands.start: site 'gpu-2' has no service"):
        load_scenario(training_file(tmp_path, text))


def test_cold_starts_have_no_mean(tmp_path):
    text = TEXT.replace('event = "cold_start"', 'event = "cold_start"\nmean_gbps = 1.0')
    with pytest.raises(ScenarioError, match=r"demands.start.*model_gb instead of mean_gbps"):
        load_scenario(training_file(tmp_path, text))


def test_demands_of_a_job_with_different_clocks_are_refused(tmp_path):
    more = (
        '\n[demands."more-job/x"]\nclass = "train_sync"\nfrom = "cloud"\nto = "gpu-1"\nstep_s = 5'
    )
    with pytest.raises(ScenarioError, match=r"round_s: got 500, 1000 .* job 'job'"):
        load_scenario(training_file(tmp_path, TEXT + more))


@pytest.mark.parametrize("absent", NEW)
def test_a_shift_takes_a_new_class_away(tmp_path, absent):
    text = TEXT + f'\n[[ood]]\nname = "without"\nabsent_class = "{absent}"\n'
    scenario = training_scenario(tmp_path, text=text)
    gbit = gbit_of(draw_world(scenario, "ood", 0)).sum(0)

    mine = scenario.network.demands.rows_of(absent)
    assert 0 == gbit[mine].sum()
    assert gbit.sum() > 0


def test_same_seed_same_world(scenario):
    one, again, other = (draw_world(scenario, "test", seed) for seed in (3, 3, 4))

    np.testing.assert_array_equal(one.arrivals_gbit, again.arrivals_gbit)
    np.testing.assert_array_equal(one.jobs_gbit, again.jobs_gbit)
    assert (one.arrivals_gbit != other.arrivals_gbit).any()


def test_new_classes_leave_the_draws_of_the_others_as_they_are(tmp_path):
    from bwalloc.scenario import find

    plain = find("tiny-edge").read_text()
    more = plain + '\n[demands.sync]\nclass = "train_sync"\nfrom = "edge-1"\nto = "cloud"\n'
    more += "step_s = 1.0\n"
    more += '\n[demands.save]\nclass = "checkpoint"\nfrom = "edge-1"\nto = "cloud"\n'
    worlds = []
    for name, text in (("plain", plain), ("more", more)):
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        scenario = load_scenario(path, {"intervals": 40})
        sequence = np.random.SeedSequence(5)
        worlds.append(draw_from(scenario, sequence, split="train", seed=0))
    count = worlds[0].arrivals_gbit.shape[2]

    np.testing.assert_array_equal(worlds[0].arrivals_gbit, worlds[1].arrivals_gbit[..., :count])
    np.testing.assert_array_equal(worlds[0].jobs_gbit, worlds[1].jobs_gbit[:, :count])
    assert worlds[1].arrivals_gbit[..., count:].sum() > 0


DRAWN = """
[demands.sync]
class = "train_sync"
from = "edge-*"
to = "edge-*"
mean_gbps = 1.0
steps_per_round = 10

[demands.restore]
class = "checkpoint"
direction = "restore"
from = "cloud-*"
to = "edge-*"
mean_gbps = 0.2
failure_factor = 1e5

[demands.save]
class = "checkpoint"
from = "edge-*"
to = "cloud-*"
mean_gbps = 1.0

[demands.feed]
class = "data_feed"
from = "cloud-*"
to = "edge-*"
mean_gbps = 1.0

[demands.push]
class = "model_push"
from = "cloud-*"
to = "edge-*"
mean_gbps = 0.2
releases_per_day = 48.0

[demands.start]
class = "model_push"
event = "cold_start"
from = "cloud-*"
to = "edge-*"

[groups.other]
members = "sync/*"
gpus = 64
gpu_hour_usd = 2.5
"""


def test_drawn_networks_may_have_every_class(tmp_path):
    from bwalloc.scenario import find, load_template

    path = tmp_path / "drawn.toml"
    path.write_text(find("random-edge").read_text() + DRAWN)
    template = load_template(path, {"random.sizes.demands": 200, "intervals": 40})
    for seed in range(3):
        scenario = template.scenario("train", seed)
        world = draw_world(scenario, "train", seed)
        network = scenario.network
        rows = [row for row, name in enumerate(network.demands.name) if name.startswith("sync/")]
        sends = world.arrivals_gbit.reshape(400, -1)[:, rows] > 0

        assert set(NEW) <= set(network.demands.classes)
        assert (sends == sends[:, :1]).all()
        assert sends.any()
        (group,) = set(network.groups.member[rows].tolist())
        assert "other" == network.groups.name[group]


def test_a_prototype_without_a_mean_is_refused_where_networks_are_drawn(tmp_path):
    from bwalloc.scenario import find, load_template

    path = tmp_path / "drawn.toml"
    text = DRAWN.replace(
        '"train_sync"\nfrom = "edge-*"\nto = "edge-*"\nmean_gbps = 1.0',
        '"train_sync"\nfrom = "edge-*"\nto = "edge-*"',
    )
    path.write_text(find("random-edge").read_text() + text)
    with pytest.raises(ScenarioError, match=r"demands.sync.mean_gbps: is missing"):
        load_template(path)
