"""What holds for every class: equal seeds, float32, the mean that the spec says."""

import numpy as np
import pytest

from bwalloc.errors import WorkloadError
from bwalloc.workloads import (
    BackgroundSpec,
    BulkIngestSpec,
    Clock,
    InferenceSpec,
    KvTransferSpec,
    VideoUplinkSpec,
    background,
    bulk_ingest,
    inference,
    kv_transfer,
    scale_for_gbps,
    video_uplink,
)

N = 40
NAMES = tuple(f"d{i}" for i in range(N))
CLOCK = Clock(3600)
STEADY = np.full((3600, N), 5.53, np.float32)
BULK = BulkIngestSpec(
    NAMES, jobs_per_day=200.0, hourly_cv=0.0, size_scale=0.01, season=("flat",) * N
)
DRAWS = {
    "inference": lambda rng: inference.draw(rng, InferenceSpec(NAMES), CLOCK, STEADY),
    "kv_transfer": lambda rng: kv_transfer.draw(
        rng, KvTransferSpec(NAMES, scale_for_gbps(3.0, 5.53)), CLOCK, STEADY
    ),
    "video_uplink": lambda rng: video_uplink.draw(rng, VideoUplinkSpec(NAMES), CLOCK),
    "background": lambda rng: background.draw(rng, BackgroundSpec(NAMES, 2.0), CLOCK),
    "bulk_ingest": lambda rng: bulk_ingest.draw(rng, BULK, CLOCK).arrivals_gbit(3600, N),
}
# Mean Gbit/s. Video: 150 cameras of 4 Mbit/s, a fifth of the time doubled (capped at 8).
MEANS = {
    "inference": 5.53 * 211 * 250 * 8e-9 * 1.05,
    "kv_transfer": 3.0,
    "video_uplink": 0.15 * 4.0 * 1.2 * 1.05,
    "background": 2.0,
}


@pytest.mark.parametrize("name", DRAWS)
def test_equal_seeds_draw_equal_arrivals(name):
    one, two, other = (DRAWS[name](np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()
    assert np.float32 == one.dtype
    assert (3600, N) == one.shape
    assert one.min() >= 0


@pytest.mark.parametrize("name", MEANS)
def test_the_mean_is_that_of_the_spec(name):
    arrivals = DRAWS[name](np.random.default_rng(0))
    assert arrivals.mean() == pytest.approx(MEANS[name], rel=0.08)


def test_prompts_go_up_and_answers_down():
    spec = InferenceSpec(("up", "down"), ("up", "down"))
    one = np.ones((1, 2), np.float32)
    gbit = inference.wire_gbit(spec, one, 1155 * one, 211 * one)[0]
    expected = np.array([600 + 4 * 1155, 250 * 211]) * 8e-9 * 1.05
    np.testing.assert_allclose(gbit, expected, rtol=1e-5)


def test_a_threshold_keeps_the_share_of_long_prompts():
    spec = KvTransferSpec(NAMES, 1.0, 12_000.0, token_cv=1.3, threshold_tokens=19_400.0)
    gbit = kv_transfer.draw(np.random.default_rng(0), spec, CLOCK, STEADY)
    sizes = np.random.default_rng(1).gamma(1.3**-2, 12_000.0 * 1.3**2, 400_000)
    tokens_per_s = 5.53 * np.where(sizes > 19_400.0, sizes, 0.0).mean()
    assert gbit.mean() == pytest.approx(tokens_per_s * 70_272 * 8e-9 * 1.05, rel=0.05)


def test_transfers_have_sizes_within_the_cap_and_deadlines_within_the_slack():
    jobs = bulk_ingest.draw(np.random.default_rng(0), BULK, Clock(86_400 // 60, 60.0))
    largest = BULK.cap_gb * 0.01 * 8 * BULK.overhead
    assert 0 < jobs.gbit.min() <= jobs.gbit.max() <= largest * 1.001
    slack = jobs.due_s / (jobs.gbit / 10.0)
    assert BULK.slack_low * 0.999 <= slack.min() < slack.max() <= BULK.slack_high * 1.001
    wanted = float(bulk_ingest.mean_gbps(BULK).sum())
    assert jobs.gbit.sum() / 86_400 == pytest.approx(wanted, rel=0.15)
    with pytest.raises(WorkloadError, match="slack_high"):
        BulkIngestSpec(("a",), slack_high=1.0)


def test_background_wanders_as_much_as_it_says():
    spec = BackgroundSpec(NAMES, 1.0)
    days = background.draw(np.random.default_rng(0), spec, Clock(24 * 60, 3600.0))
    assert days.std() / days.mean() == pytest.approx(0.22, rel=0.15)


def test_cameras_see_fewer_events_at_night():
    """A fifth of the day and a twentieth of the night: the rate doubles in events."""
    spec = VideoUplinkSpec(
        NAMES, event_duty_night=0.05, cv=0.0, utc_offset_h=(0.0,) * 20 + (12.0,) * 20
    )
    gbit = video_uplink.draw(np.random.default_rng(0), spec, Clock(4 * 3600, 1.0, 23.0))
    happens = gbit > gbit.min() * 1.5

    assert happens[:, :20].mean() == pytest.approx(0.05, abs=0.02)
    assert happens[:, 20:].mean() == pytest.approx(0.2, abs=0.03)


def test_a_night_like_the_day_leaves_the_draw_as_it_is():
    spec = VideoUplinkSpec(NAMES)
    night = VideoUplinkSpec(NAMES, event_duty_night=0.05)
    noon = Clock(3600, 1.0, 12.0)
    drawn = [video_uplink.draw(np.random.default_rng(1), each, noon) for each in (spec, night)]

    np.testing.assert_array_equal(*drawn)
