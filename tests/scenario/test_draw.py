import itertools

import numpy as np
import pytest

from bwalloc.errors import ScenarioError, UnknownNameError
from bwalloc.scenario import SPLITS, draw_world, load_scenario, train_worlds

TINY = load_scenario("tiny-edge", {"intervals": 40})
METRO = load_scenario("metro-inference", {"intervals": 60})


@pytest.mark.parametrize("scenario", [TINY, METRO], ids=lambda each: each.slug)
@pytest.mark.parametrize("split", SPLITS)
def test_same_seed_same_world(scenario, split):
    first, again = (draw_world(scenario, split, 7) for _ in range(2))

    assert first.start_h == again.start_h
    assert np.array_equal(first.arrivals_gbit, again.arrivals_gbit)
    assert np.array_equal(first.capacity_gbps, again.capacity_gbps)
    assert (first.jobs_gbit is None) == (scenario is METRO)
    if first.jobs_gbit is not None:
        assert np.array_equal(first.jobs_gbit, again.jobs_gbit)


@pytest.mark.parametrize("scenario", [TINY, METRO], ids=lambda each: each.slug)
def test_arrivals_are_finite_and_fit_the_scenario(scenario):
    timing = scenario.timing
    world = draw_world(scenario, "train", 0)

    shape = (timing.intervals, timing.substeps, scenario.network.n_demands)
    assert shape == world.arrivals_gbit.shape
    assert np.float32 == world.arrivals_gbit.dtype
    assert (timing.intervals, scenario.network.n_links) == world.capacity_gbps.shape
    assert np.isfinite(world.arrivals_gbit).all()
    assert (world.arrivals_gbit >= 0).all()


def test_splits_and_seeds_never_overlap():
    worlds = [draw_world(TINY, split, seed) for split in SPLITS for seed in (0, 1, 2, 10**9)]

    for one, other in itertools.combinations(worlds, 2):
        assert one.start_h != other.start_h
        assert not np.array_equal(one.arrivals_gbit, other.arrivals_gbit)


def test_start_hours_cover_the_week():
    hours = [draw_world(TINY, "train", seed).start_h for seed in range(60)]

    assert (0 <= np.array(hours)).all()
    assert (np.array(hours) < 168).all()
    assert 7 == len({int(hour // 24) for hour in hours})


def test_surge_override_changes_only_what_surges():
    overrides = {"intervals": 60, "surge.per_day": 40.0}
    plain = load_scenario("metro-inference", overrides)
    high = load_scenario("metro-inference", {**overrides, "surge.scale": 2.0})
    one, other = draw_world(plain, "test", 3), draw_world(high, "test", 3)

    differs = (one.arrivals_gbit != other.arrivals_gbit).any(axis=(0, 1))
    for name in ("video_uplink", "background"):
        assert not differs[plain.network.demands.rows_of(name)].any()
    kv = plain.network.demands.rows_of("kv_transfer")
    assert differs[kv].any()
    assert other.arrivals_gbit[..., kv].sum() > one.arrivals_gbit[..., kv].sum()
    assert one.start_h == other.start_h


def test_no_surge_means_no_change():
    base = {"intervals": 60, "surge.per_day": 0.0}
    one, other = (
        draw_world(load_scenario("tiny-edge", {**base, "surge.scale": scale}), "test", 3)
        for scale in (1.0, 2.0)
    )

    assert np.array_equal(one.arrivals_gbit, other.arrivals_gbit)


def test_capacity_override_leaves_the_traffic():
    wide = load_scenario("tiny-edge", {"intervals": 40, "network.capacity_factor": 2.0})
    one, other = draw_world(TINY, "test", 3), draw_world(wide, "test", 3)

    assert np.array_equal(one.arrivals_gbit, other.arrivals_gbit)
    assert np.array_equal(2 * one.capacity_gbps, other.capacity_gbps)


def test_ood_applies_its_shifts_in_turn():
    nominal = TINY.network.links.capacity_gbps
    ratios = [
        float((draw_world(TINY, "ood", seed).capacity_gbps[0] / nominal).mean())
        for seed in range(len(TINY.workload.shifts))
    ]
    names = [shift.name for shift in TINY.workload.shifts]

    assert pytest.approx(0.7) == ratios[names.index("capacity")]
    assert 1.0 == ratios[names.index("surges")]
    without = draw_world(TINY, "ood", names.index("no-bulk"))
    assert 0.0 == without.jobs_gbit.sum()


def test_ood_without_shifts_is_a_clear_error(tmp_path):
    from bwalloc.scenario import find

    path = tmp_path / "mine.toml"
    path.write_text(find("tiny-edge").read_text().split("[[ood]]")[0])
    with pytest.raises(ScenarioError, match=r"mine: has no \[\[ood\]\] shift"):
        draw_world(load_scenario(path), "ood", 0)


@pytest.mark.parametrize("seed", [-1, 0.5])
def test_senseless_seed(seed):
    with pytest.raises(ScenarioError, match="seed: got"):
        draw_world(TINY, "train", seed)


def test_unknown_split():
    with pytest.raises(UnknownNameError, match="Nearest: 'validation'"):
        draw_world(TINY, "validaton", 0)


def test_jobs_expire_no_later_than_due_where_the_grid_allows():
    world = draw_world(load_scenario("tiny-edge"), "train", 1)

    assert world.jobs_gbit is not None
    assert world.jobs_gbit.shape[2] == TINY.slots.count
    assert world.jobs_gbit.sum() > 0
    bulk = TINY.network.demands.rows_of("bulk_ingest")
    others = np.setdiff1d(np.arange(TINY.network.n_demands), bulk)
    assert 0 == world.jobs_gbit[:, others].sum()
    assert 0 == world.arrivals_gbit[..., bulk].sum()


def test_train_worlds_start_at_every_hour_of_the_day():
    hours = {int(world.start_h % 24) for world in train_worlds(TINY)}

    assert set(range(24)) == hours


def test_mean_loads_of_metro():
    scenario = load_scenario("metro-inference", {"surge.per_day": 0.0})
    worlds = [draw_world(scenario, "train", seed) for seed in range(24)]
    gbps = np.mean([world.arrivals_gbit.mean(axis=(0, 1)) for world in worlds], axis=0)
    names = scenario.network.demands.name

    def total(prefix):
        return sum(gbps[row] for row, name in enumerate(names) if name.startswith(prefix))

    assert 36 == pytest.approx(total("kv_transfer-up"), rel=0.15)
    assert 36 == pytest.approx(total("kv_transfer-down"), rel=0.15)
    assert 14.4 == pytest.approx(total("background-up"), rel=0.1)
    assert 7.2 * 1.2 == pytest.approx(total("video"), rel=0.05)
    assert 12 * 0.0026 == pytest.approx(total("inference"), rel=0.15)
