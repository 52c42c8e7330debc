"""Laws of the classes that training jobs make: rounds, checkpoints, restores, data feeds."""

import numpy as np
import pytest

from bwalloc.errors import WorkloadError
from bwalloc.workloads import (
    CheckpointSpec,
    Clock,
    DataFeedSpec,
    RestoreSpec,
    TrainSyncSpec,
    checkpoint,
    data_feed,
    train_sync,
)
from bwalloc.workloads.checkpoint import checkpoint_gbit
from bwalloc.workloads.data_feed import READ_GBPS
from bwalloc.workloads.train_sync import sync_gbit

DAY = Clock(28_800, 3.0)
WEEK = Clock(7 * 2880, 30.0)
NAMES = ("a", "b", "c")
JOB = ("one", "one", "two")


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("parameters", "bytes_each", "sites", "gb"),
    [(10, 2, 2, 20), (70, 2, 2, 140), (70, 1, 2, 70), (405, 0.5, 2, 202.5), (10, 2, 4, 30)],
)
def test_a_ring_sends_its_weights_almost_twice(parameters, bytes_each, sites, gb):
    assert 8 * gb == pytest.approx(sync_gbit(parameters, bytes_each, sites, overhead=1.0))


def test_a_checkpoint_weighs_13_bytes_a_parameter():
    """MLPerf Storage v2.0: 105 GB for 8 B, 912 GB for 70 B, 5.29 TB for 405 B parameters."""
    for billions, gb in ((8, 105), (70, 912), (405, 5290)):
        assert 8 * gb == pytest.approx(checkpoint_gbit(billions, overhead=1.0), rel=0.02)


def test_all_demands_of_a_job_send_in_the_same_step_and_jobs_apart():
    spec = TrainSyncSpec(NAMES, (100.0, 50.0, 100.0), job=JOB)
    gbit = train_sync.draw(rng(), spec, DAY)

    assert np.float32 == gbit.dtype
    np.testing.assert_array_equal(gbit[:, 0], 2 * gbit[:, 1])
    assert {0.0, 100.0} == set(np.unique(gbit[:, 0]))
    assert not (gbit[:, 0] * gbit[:, 2]).any()


def test_rounds_follow_their_length_jitter_and_stragglers():
    """A tenth of rounds takes exp(|N(0, .3)|) longer, 1.28 in the mean: 1,029 s on average."""
    spec = TrainSyncSpec(NAMES, 1.0, round_s=1000.0)
    starts = [np.flatnonzero(column) * 3.0 for column in train_sync.draw(rng(), spec, DAY).T]
    gaps = np.concatenate([np.diff(each) for each in starts])

    assert 1029 == pytest.approx(gaps.mean(), rel=0.03)
    assert 1000 == pytest.approx(np.median(gaps), rel=0.03)
    assert 0.02 < (gaps > 1150).mean() < 0.12
    steady = TrainSyncSpec(NAMES, 1.0, round_s=999.0, jitter_sigma=0.0, straggler_share=0.0)
    column = train_sync.draw(rng(), steady, DAY)[:, 0]
    assert {333} == set(np.diff(np.flatnonzero(column)).tolist())


def test_volumes_do_not_move_the_clock():
    small, large = (TrainSyncSpec(NAMES, gbit, job=JOB) for gbit in (1.0, 1e4))
    drawn = [train_sync.draw(rng(3), spec, DAY) > 0 for spec in (small, large)]

    np.testing.assert_array_equal(*drawn)


def test_another_job_does_not_move_the_clock_of_the_first():
    alone = TrainSyncSpec(("a",), 1.0)
    beside = TrainSyncSpec(("a", "b"), 1.0, round_s=(1000.0, 10.0))

    one, two = (train_sync.draw(rng(3), spec, DAY)[:, 0] for spec in (alone, beside))
    np.testing.assert_array_equal(one, two)


def test_an_episode_starts_at_no_special_time_of_a_round():
    spec = TrainSyncSpec(tuple(map(str, range(400))), 1.0)
    first = train_sync.draw(rng(), spec, DAY).argmax(0) * 3.0

    assert 500 == pytest.approx(first.mean(), rel=0.1)
    assert first.min() < 50
    assert first.max() > 950


def test_plain_data_parallel_training_sends_every_few_seconds():
    spec = TrainSyncSpec(("a",), 1.0, round_s=1.0)

    gbit = train_sync.draw(rng(), spec, DAY)
    assert 86_400 == pytest.approx(gbit.sum(), rel=0.04)
    assert gbit.max() > 1


def test_a_job_that_is_off_sends_nothing():
    spec = TrainSyncSpec(("a",) * 40, 1.0, tuple(map(str, range(40))), active_share=0.25)
    always = TrainSyncSpec(("a",) * 40, 1.0, tuple(map(str, range(40))))

    counts = [train_sync.draw(rng(), each, DAY).sum(0) for each in (spec, always)]
    assert 0.25 == pytest.approx(counts[0].sum() / counts[1].sum(), abs=0.15)
    assert (counts[0] == 0).any()


def test_demands_of_a_job_share_their_clock():
    with pytest.raises(WorkloadError, match=r"round_s: got 10, 20 .* job 'one'"):
        TrainSyncSpec(NAMES, 1.0, job=JOB, round_s=(10.0, 20.0, 30.0))
    with pytest.raises(WorkloadError, match=r"gpu_mttf_h: got 1, 2"):
        RestoreSpec(NAMES, 1.0, job=JOB, gpu_mttf_h=(1.0, 2.0, 2.0))


def test_copies_are_due_at_the_next_checkpoint_and_only_some_are_made():
    spec = CheckpointSpec(NAMES, (10.0, 20.0, 30.0), job=JOB, remote_every=4)
    jobs = checkpoint.draw(rng(), spec, WEEK)
    first = jobs.demand == 0

    np.testing.assert_array_equal(jobs.step[first], jobs.step[jobs.demand == 1])
    assert {10.0} == set(jobs.gbit[first])
    gaps = np.diff(jobs.step[first]) * 30.0
    assert 4 * 1800 * 0.95 < gaps.min() <= gaps.max() < 4 * 1800 * 1.05
    assert (jobs.due_s >= 1800 * 0.95).all()
    assert (jobs.due_s <= 1800 * 1.05).all()
    total = np.bincount(jobs.demand, jobs.gbit, 3) / WEEK.duration_s
    assert checkpoint.mean_gbps(spec) == pytest.approx(total, rel=0.05)


def test_preemptions_make_copies_besides():
    spec = CheckpointSpec(NAMES, 1.0, job=JOB, preemptions_per_day=24.0)
    total = np.bincount(checkpoint.draw(rng(), spec, WEEK).demand, minlength=3) / WEEK.duration_s

    assert checkpoint.mean_gbps(spec) == pytest.approx(total, rel=0.15)


def test_one_site_of_a_job_restores_after_a_failure():
    """512 GPUs of 50,000 h fail once in 98 h; 100 times as often, 172 times a week."""
    spec = RestoreSpec(NAMES, 7644.0, job=("one",) * 3, failure_factor=100.0)
    gbit = checkpoint.draw_restores(rng(), spec, WEEK)

    events = gbit.sum() / 7644.0
    assert 172 == pytest.approx(events, rel=0.2)
    assert (gbit.sum(0) / gbit.sum() > 0.2).all()
    assert 1 == pytest.approx((gbit > 0).sum(1)[gbit.any(1)].mean(), abs=0.05)


@pytest.mark.parametrize(
    ("record_bytes", "batch", "compute_s", "workload", "gpu"),
    [
        (146_600_628, 7, 0.323, "unet3d", "h100"),
        (146_600_628, 7, 0.636, "unet3d", "a100"),
        (114_660, 400, 0.224, "resnet50", "h100"),
        (114_660, 400, 0.435, "resnet50", "a100"),
        (2_828_486, 1, 0.0035, "cosmoflow", "h100"),
        (2_828_486, 1, 0.00551, "cosmoflow", "a100"),
    ],
)
def test_gpus_read_what_mlperf_storage_says(record_bytes, batch, compute_s, workload, gpu):
    gbps = batch * record_bytes * 8e-9 / compute_s
    assert gbps == pytest.approx(READ_GBPS[workload][gpu], rel=0.01)


def test_feeds_have_the_mean_of_their_spec():
    names = tuple(map(str, range(200)))
    spec = DataFeedSpec(names, gpus=8.0, mean_run_s=20_000.0)

    gbps = data_feed.draw(rng(), spec, DAY).mean() / 3.0
    assert gbps == pytest.approx(data_feed.mean_gbps(spec).mean(), rel=0.06)


def test_the_first_epoch_is_read_whole_and_later_ones_from_the_cache():
    spec = DataFeedSpec(("a",) * 50, 8.0, 1.64, epoch_s=1800.0, mean_run_s=10_000.0, cv=0.0)
    rates = data_feed.draw(rng(), spec, DAY) / np.float32(3.0 * 8 * 1.64 * 1.05)

    assert {0.0, 0.25, 1.0} == set(np.unique(rates.round(3)).tolist())
    whole = 0
    for column in rates.round(3).T:
        for start in np.flatnonzero((column[1:] > 0) & (column[:-1] == 0)) + 1:
            run = column[start : start + 610]
            run = run[: np.argmin(run > 0) or None]
            assert (run[:600] == 1.0).all()
            assert (run[600:] == 0.25).all()
            whole += len(run) == 610
    assert whole > 20


def test_a_job_that_always_runs_has_its_first_epoch_behind_it():
    spec = DataFeedSpec(("a",), active_share=1.0, cv=0.0)
    rates = data_feed.draw(rng(), spec, DAY) / np.float32(3.0 * 8 * 1.64 * 1.05)

    np.testing.assert_allclose(rates, 0.25, rtol=1e-5)
    assert 8 * 1.64 * 1.05 * 0.25 == pytest.approx(data_feed.mean_gbps(spec)[0])
