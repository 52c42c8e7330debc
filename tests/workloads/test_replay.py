from pathlib import Path

import numpy as np
import pytest

from bwalloc.errors import TraceError, UnknownNameError
from bwalloc.workloads import (
    SEGMENTS,
    Clock,
    InferenceSpec,
    KvTransferSpec,
    RequestTrace,
    inference,
    inference_arrivals,
    input_statistics,
    kv_transfer,
    kv_transfer_arrivals,
    read_request_trace,
    replay_requests,
)

DATA = Path(__file__).parents[3] / "shared" / "data" / "workloads"
CLOCK = Clock(200)


def trace_of(t_s, context, generated):
    columns = (np.asarray(each, float) for each in (t_s, context, generated))
    return RequestTrace(*columns, "0" * 64, len(t_s))


@pytest.fixture
def trace():
    """One request a second for 1,000 s; the prompt tells the second, so the segment shows."""
    t_s = np.arange(1001.0)
    return trace_of(t_s, t_s, np.full(1001, 7.0))


def play(trace, split="train", seed=0, clock=CLOCK, scale=(1.0, 1.0, 1.0), **more):
    return replay_requests(trace, split, np.random.default_rng(seed), clock, scale, **more)


@pytest.mark.parametrize(("split", "low", "high"), [(k, *v) for k, v in SEGMENTS.items()])
def test_a_split_plays_its_own_seconds_only(trace, split, low, high):
    seconds = play(trace, split, clock=Clock(3000)).context_tokens
    assert seconds.min() >= low * 1000 - 1e-3
    assert seconds.max() < high * 1000
    assert round((high - low) * 1000) == len(np.unique(seconds))  # wraps: every second is heard


def test_columns_start_apart_and_go_on_in_order(trace):
    played = play(trace)
    starts = played.context_tokens[0]
    assert 3 == len(np.unique(starts))
    assert ((np.diff(played.context_tokens, axis=0) % 700) == 1).all()
    assert all(part.dtype == np.float32 and part.shape == (200, 3) for part in played)
    assert (played.requests == 1).all()
    assert (played.generated_tokens == 7).all()


def test_the_same_seed_plays_the_same_and_another_one_does_not(trace):
    for one, two in zip(play(trace), play(trace), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (play(trace).context_tokens != play(trace, seed=1).context_tokens).any()


def test_scale_multiplies_and_a_coarser_clock_adds_up(trace):
    fine = play(trace)
    scaled = play(trace, scale=(2.0, 0.0, 0.5))
    np.testing.assert_allclose(scaled.context_tokens, fine.context_tokens * [2.0, 0.0, 0.5])
    coarse = play(trace, clock=Clock(20, 10.0))
    sums = fine.context_tokens.reshape(20, 10, 3).sum(axis=1)
    np.testing.assert_allclose(coarse.context_tokens, sums)


def test_short_prompts_can_be_left_out_without_moving_the_others(trace):
    every, long = play(trace), play(trace, least_context_tokens=350.0)
    kept = every.context_tokens >= 350.0
    np.testing.assert_array_equal(long.context_tokens, every.context_tokens * kept)
    np.testing.assert_array_equal(long.requests, kept)


def test_bytes_follow_the_laws_of_the_classes(trace):
    names = ("a", "b", "c")
    played = play(trace)
    text = InferenceSpec(names, ("up", "down", "down"), scale=(1.0, 2.0, 3.0))
    expected = inference.wire_gbit(text, *played) * [1.0, 2.0, 3.0]
    np.testing.assert_allclose(inference_arrivals(text, played), expected, rtol=1e-6)
    caches = KvTransferSpec(names, scale=(1.0, 2.0, 3.0))
    expected = kv_transfer.wire_gbit(caches, played.context_tokens) * [1.0, 2.0, 3.0]
    np.testing.assert_allclose(kv_transfer_arrivals(caches, played), expected, rtol=1e-6)
    assert played.take(np.array([2, 2])).requests.shape == (200, 2)


def test_statistics_of_a_regular_trace(trace):
    spec = KvTransferSpec(("a",), scale=1.0, bytes_per_token=1e9 / 8, overhead=1.0)
    said = input_statistics(trace, spec)
    assert {"sha256", "rows", "mean_gbps", "idc_10s"} == set(said)
    assert (1001, 0.0) == (said["rows"], said["idc_10s"])
    assert said["mean_gbps"] == pytest.approx(trace.context_tokens.sum() / 1000.0)
    long = KvTransferSpec(
        ("a",), scale=1.0, bytes_per_token=1e9 / 8, overhead=1.0, threshold_tokens=1000.0
    )
    assert input_statistics(trace, long)["mean_gbps"] == pytest.approx(1.0)


@pytest.mark.skipif(not DATA.exists(), reason=f"no traces at {DATA}")
def test_the_code_trace_is_far_burstier_than_the_conversation_trace():
    spec = KvTransferSpec(("a",), scale=1.0, bytes_per_token=327_680.0, overhead=1.0)
    code, conv = (
        input_statistics(read_request_trace(DATA / f"azure_llm_2023_{kind}.csv.gz"), spec)
        for kind in ("code", "conv")
    )
    assert code["idc_10s"] > 5 * conv["idc_10s"]
    assert code["idc_10s"] == pytest.approx(71.9, rel=0.05)
    assert conv["idc_10s"] == pytest.approx(3.87, rel=0.05)
    assert code["mean_gbps"] == pytest.approx(13.8, rel=0.02)
    assert conv["mean_gbps"] == pytest.approx(16.7, rel=0.02)


def test_what_cannot_be_played_is_refused(trace):
    with pytest.raises(UnknownNameError, match="'train'"):
        play(trace, "trains")
    gap = trace_of([0.0, 1.0, 100.0], [1, 1, 1], [1, 1, 1])
    with pytest.raises(TraceError, match="holds no request from 70% to 80% of its time"):
        play(gap, "validation")
    with pytest.raises(TraceError, match="no request"):
        play(trace_of([0.0], [1], [1]))
    with pytest.raises(TraceError, match="20 s or more"):
        input_statistics(trace_of([0.0, 15.0], [1, 1], [1, 1]), InferenceSpec(("a",)))
