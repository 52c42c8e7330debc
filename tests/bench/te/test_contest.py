"""Rivals, scores and training on a dataset whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest
from te_builders import ring_dataset, tiny_dataset

from bwalloc.allocate.policy.neural import Architecture
from bwalloc.bench.te.contest import CONSTANT, LEARNED, run_contest
from bwalloc.bench.te.programme import SplitProgramme
from bwalloc.bench.te.rivals import RIVALS
from bwalloc.bench.te.score import Played, Score, Target, least_mlu, normalised_mlu, score_of
from bwalloc.bench.te.settings import CONSTANTS_ALONE, TrainSettings
from bwalloc.errors import DecisionError

SMALL = TrainSettings(
    architecture=Architecture(hidden=8, rounds=1), looks=2, updates=60, batch=8,
    learning_rate=1e-2, validate_every=10, memory=0.8,
)  # fmt: skip


def mean_of(dataset, decide, least):
    return normalised_mlu(dataset, decide, least).values.mean()


def test_nobody_beats_the_least_mlu():
    dataset = ring_dataset()
    least = least_mlu(dataset)
    for make in RIVALS.values():
        played = normalised_mlu(dataset, make(dataset.network), least)
        assert played.values.min() >= 1 - 1e-5
        assert len(dataset.splits["test"]) == len(played.values) == len(played.wall_ms)


def test_proportional_routes_need_no_prediction():
    dataset = tiny_dataset()
    least = least_mlu(dataset)
    for name in (
        "last-value-lp",
        "last-value-centre",
        "mean-centre",
        "peak-centre",
        "hedged-centre",
    ):
        decide = RIVALS[name](dataset.network)
        assert 1.0 == pytest.approx(mean_of(dataset, decide, least), abs=1e-4)
    assert mean_of(dataset, RIVALS["uniform"](dataset.network), least) > 1.5


def test_hedging_beats_trusting_the_last_matrix():
    dataset = ring_dataset()
    least = least_mlu(dataset)
    hedged, trusting = (
        mean_of(dataset, RIVALS[name](dataset.network), least)
        for name in ("hedged-centre", "last-value-lp")
    )
    assert hedged < trusting - 0.02


def test_hedging_weighs_each_matrix_by_its_own_optimum():
    network, rng = ring_dataset().network, np.random.default_rng(7)
    level = np.geomspace(0.01, 1, 12)[:, None]
    loads = (level * rng.gamma(2.0, 0.3, (12, network.n_demands))).astype(np.float32)[..., None]
    least = np.array([SplitProgramme(network).solve(each.T)[1] for each in loads])
    hedged = network.largest(RIVALS["hedged-centre"](network)(loads), loads)[:, 0] / least
    equal = network.largest(SplitProgramme(network, 12).solve(loads[..., 0])[0], loads)[:, 0]
    assert hedged.mean() < (equal / least).mean() - 0.005


def test_deciders_never_see_what_they_decide_for():
    dataset, seen = tiny_dataset(), []

    def spy(history):
        seen.append(history[:, :, 0])
        return dataset.network.uniform()

    normalised_mlu(dataset, spy, least_mlu(dataset))
    for history, row in zip(seen, dataset.splits["test"], strict=True):
        assert np.array_equal(dataset.load_gbps[row - 12 : row], history)


@pytest.mark.parametrize("wrong", [0.9, np.nan])
def test_splits_that_lose_traffic_are_refused(wrong):
    dataset = tiny_dataset()
    with pytest.raises(DecisionError, match="do not add up to 1"):
        normalised_mlu(dataset, lambda _: dataset.network.uniform() * wrong, least_mlu(dataset))


def test_a_target_needs_both_figures():
    good = Score(1.01, 1.0, 1.05, 1.06, {})
    target = Target(1.017, 1.069)
    assert target.is_met(good)
    assert not target.is_met(Score(1.02, 1.0, 1.05, 1.06, {}))
    assert not target.is_met(Score(1.01, 1.0, 1.07, 1.08, {}))


def test_scores_are_means_and_quantiles():
    score = score_of(Played(np.linspace(1, 2, 101), np.full(101, 3.0), np.full(101, 2.0)))
    assert (1.5, 1.5, 1.95, 1.99) == pytest.approx((score.mean, score.p50, score.p95, score.p99))
    assert {"p50": 3.0, "p99": 3.0, "cpu_p50": 2.0} == score.decide_ms


@pytest.mark.slow
def test_training_learns_and_repeats():
    pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    dataset = ring_dataset()
    contests = [run_contest(dataset, SMALL, seeds=(3,)) for _ in range(2)]
    rows = [{entry.name: entry for entry in contest.entries} for contest in contests]
    assert rows[0]["uniform"].score.mean - 0.1 > rows[0][LEARNED].score.mean
    assert np.array_equal(rows[0][LEARNED].values, rows[1][LEARNED].values)
    assert rows[0][CONSTANT].score.mean < rows[0]["uniform"].score.mean
    assert contests[0].winner.score.mean == min(e.score.mean for e in contests[0].entries)


@pytest.mark.slow
def test_constants_learn_the_share_of_each_route():
    pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    from bwalloc.bench.te.train import train_splits

    dataset = tiny_dataset()
    trained = train_splits(dataset, least_mlu(dataset), CONSTANTS_ALONE)
    splits = trained.policy.decide(dataset.network, dataset.history(np.array([30])))
    np.testing.assert_allclose([0.75, 0.25], splits[0, :, 0], atol=0.01)


@pytest.mark.slow
def test_training_never_sees_the_test_matrices():
    pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    from bwalloc.bench.te.train import train_splits

    dataset = ring_dataset()
    least = least_mlu(dataset)
    other = dataset.load_gbps.copy()
    other[dataset.splits["test"]] *= 7
    altered = replace(dataset, load_gbps=other)
    short = replace(SMALL, updates=10, copies=1)
    one, two = (
        train_splits(each, least_mlu(each), short).policy.weights for each in (dataset, altered)
    )
    assert not np.array_equal(least, least_mlu(altered))
    assert all(np.array_equal(one[name], two[name]) for name in one)
