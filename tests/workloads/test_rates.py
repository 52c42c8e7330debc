"""Measured rates: ServeGen's layout, its missing bins, and how a service follows them."""

from pathlib import Path

import numpy as np
import pytest

from bwalloc.errors import TraceError, UnknownNameError
from bwalloc.workloads import Clock, RequestSpec, read_rates, replay_intensity

DATA = Path(__file__).parents[3] / "shared" / "data" / "workloads" / "servegen_rate_10min.csv.gz"
real = pytest.mark.skipif(not DATA.exists(), reason=f"no rates at {DATA}")
HEAD = "model,t_s,rate_rps,active_clients\n"
SPEC = RequestSpec(("a", "b"), rate_rps=(10.0, 20.0), burst=("chat", "poisson"))


def by_hour(days=14, level=lambda day: 1.0):
    """A rate that is the hour of its day, times a level, in bins of ten minutes."""
    t = np.arange(days * 144) * 600
    return [(s, (1 + s // 3600 % 24) * level(s // 86_400)) for s in t.tolist()]


def written(tmp_path, rows, model="m"):
    path = tmp_path / "rates.csv"
    path.write_text(HEAD + "".join(f"{model},{t},{rate},9\n" for t, rate in rows))
    return path


def test_bins_are_sorted_and_zeros_are_bridged(tmp_path):
    series = read_rates(written(tmp_path, [(1200, 4.0), (0, 2.0), (600, 0.0)]))

    assert [0.0, 600.0, 1200.0] == series.t_s.tolist()
    assert [2.0, 3.0, 4.0] == series.rate_rps.tolist()
    assert (3, 1800.0, "m") == (series.rows, series.duration_s, series.model)


def test_one_of_several_models_is_said(tmp_path):
    path = written(tmp_path, [(0, 1.0), (600, 2.0)])
    path.write_text(path.read_text() + "other,0,5,1\nother,600,6,1\n")

    assert [5.0, 6.0] == read_rates(path, "other").rate_rps.tolist()
    with pytest.raises(TraceError, match=r"holds m, other\. Say which, as PATH#m"):
        read_rates(path)
    with pytest.raises(UnknownNameError, match="other"):
        read_rates(path, "othre")


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([(0, "x"), (600, 1.0)], "line 2, column 'rate_rps': got 'x'"),
        ([(0, -1.0), (600, 1.0)], "got '-1.0', must be a number of 0 or more"),
        ([("nan", 1.0), (600, 1.0)], "column 't_s': got 'nan'"),
        ([(0, 1.0), (0, 2.0)], "at distinct times"),
        ([(0, 1.0), (600, 0.0)], "2 bins or more that are not 0"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path, rows, match):
    with pytest.raises(TraceError, match=match):
        read_rates(written(tmp_path, rows))


def test_columns_may_be_called_otherwise(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("service,at,rps\nm,0,1\nm,60,3\n")

    assert [1.0, 3.0] == read_rates(
        path, columns={"model": "service", "time": "at", "rate": "rps"}
    ).rate_rps.tolist()
    with pytest.raises(TraceError, match="Nearest: 'rate'"):
        read_rates(path, columns={"rates": "rps"})


def played(series, split="train", seed=0, start_h=0.0, spec=SPEC, steps=144):
    clock = Clock(steps, 600.0, start_h)
    return replay_intensity(np.random.default_rng(seed), spec, clock, series, split)


def test_services_keep_their_mean_and_take_the_shape(tmp_path):
    series = read_rates(written(tmp_path, by_hour()))
    day = np.mean([played(series, seed=seed) for seed in range(40)], axis=0)

    assert [10.0, 20.0] == pytest.approx(day.mean(0).tolist(), rel=0.02)
    expected = np.arange(1, 25) / 12.5
    np.testing.assert_allclose(day.reshape(24, 6, 2).mean(1)[2:, 1] / 20, expected[2:], rtol=0.06)


def test_an_episode_plays_its_local_hour(tmp_path):
    series = read_rates(written(tmp_path, by_hour()))
    spec = RequestSpec(("a", "b"), 10.0, ("poisson",) * 2, utc_offset_h=(0.0, 6.0))

    first = played(series, start_h=24 * 3 + 12.4, spec=spec, steps=1)[0]
    assert [13 / 12.5 * 10, 19 / 12.5 * 10] == pytest.approx(first.tolist(), rel=0.02)


def test_splits_play_days_of_their_own(tmp_path):
    series = read_rates(written(tmp_path, by_hour(level=lambda day: 1 + day)))
    per_level = 20 * 13 / series.rate_rps.mean()
    levels = {
        split: {
            round(float(played(series, split, seed, 12.5, steps=1)[0, 1]) / per_level)
            for seed in range(60)
        }
        for split in ("train", "validation", "test")
    }

    assert levels["train"] <= set(range(1, 11))
    assert levels["validation"] <= {10, 11}
    assert levels["test"] <= {12, 13, 14}
    assert 3 == len(levels["test"])


def test_services_start_on_days_of_their_own(tmp_path):
    series = read_rates(written(tmp_path, by_hour(level=lambda day: 1 + day)))
    spec = RequestSpec(tuple("abcdefgh"), 10.0, ("poisson",) * 8)

    assert len(set(played(series, spec=spec, steps=1)[0].round(3).tolist())) > 3


def test_a_trace_of_a_day_is_played_from_any_offset(tmp_path):
    series = read_rates(written(tmp_path, by_hour(days=1)))
    starts = {round(float(played(series, seed=seed, steps=1)[0, 1]), 3) for seed in range(30)}

    assert len(starts) > 15
    assert played(series, "test").max() <= 24 / 12.5 * 20 * 1.01


def test_seconds_are_drawn_and_minutes_are_not(tmp_path):
    series = read_rates(written(tmp_path, [(600 * k, 5.0) for k in range(14 * 144)]))
    clock = Clock(3600, 1.0)
    rate = replay_intensity(np.random.default_rng(0), SPEC, clock, series, "train")

    assert 0.15 == pytest.approx(np.log(rate[:, 0]).std(), rel=0.15)
    np.testing.assert_allclose(rate[:, 1], 20.0, rtol=1e-5)


@real
@pytest.mark.parametrize(
    ("model", "days", "peak"),
    [("m-large", 14, 2.98), ("m-mid", 14, 1.92), ("m-small", 14, 3.30), ("deepseek-r1", 1, 2.66)],
)
def test_the_published_rates_are_read_and_played(model, days, peak):
    series = read_rates(DATA, model)
    factors = series.rate_rps / series.rate_rps.mean()

    assert days * 144 == series.rows
    assert peak == pytest.approx(factors.max(), rel=0.03)
    assert factors.min() > 0
    for split in ("train", "validation", "test", "ood"):
        assert np.isfinite(played(series, split)).all()


@real
def test_the_test_split_of_servegen_holds_its_dip_and_rebound():
    series = read_rates(DATA, "m-large")
    days = [float(played(series, "test", seed).mean(0)[1] / 20) for seed in range(60)]

    assert 0.65 > min(days) > 0.5
    assert 1.4 > max(days) > 1.1
