import numpy as np
import pytest

from bwalloc.errors import BwallocError, ScenarioError, TraceError, UnknownNameError
from bwalloc.scenario import draw_world, load_scenario, trace_statistics, with_trace

METRO = load_scenario("metro-inference", {"intervals": 40})


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 3000, 15_000))
    rows = [f"{t:.3f},{rng.integers(100, 2000)},{rng.integers(10, 400)}" for t in times]
    file = tmp_path / "trace.csv"
    file.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]))
    return file


def changed(one, other):
    demands = METRO.network.demands
    differs = (one.arrivals_gbit != other.arrivals_gbit).any(axis=(0, 1))
    return {name for name in demands.classes if differs[demands.rows_of(name)].any()}


def test_inference_trace_drives_kv_transfer_too(path):
    traced = with_trace(METRO, "inference", path)

    worlds = draw_world(METRO, "test", 0), draw_world(traced, "test", 0)
    assert {"inference", "kv_transfer"} == changed(*worlds)
    assert METRO.digest != traced.digest
    assert METRO.workload.traces.inference is None


def test_kv_trace_leaves_inference(path):
    traced = with_trace(METRO, "kv_transfer", path)

    assert {"kv_transfer"} == changed(draw_world(METRO, "test", 0), draw_world(traced, "test", 0))


def test_same_seed_same_replay_and_other_seed_another(path):
    traced = with_trace(METRO, "inference", path)
    one, again, other = (draw_world(traced, "test", seed) for seed in (0, 0, 1))

    assert set() == changed(one, again)
    assert changed(one, other)


def test_statistics_of_the_input(path):
    traced = with_trace(METRO, "inference", path)
    statistics = trace_statistics(traced)

    assert {} == trace_statistics(METRO)
    assert {"inference", "kv_transfer"} == set(statistics)
    assert 15_000 == statistics["inference"]["rows"]
    played = draw_world(traced, "test", 0).arrivals_gbit
    kv = METRO.network.demands.rows_of("kv_transfer")
    mean_gbps = played[..., kv].sum() / (40 * 10)
    assert mean_gbps == pytest.approx(statistics["kv_transfer"]["mean_gbps"], rel=0.2)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("inferenc", UnknownNameError, "Nearest: 'inference'"),
        ("video_uplink", ScenarioError, "inference, kv_transfer, background and requests can"),
        ("bulk_ingest", ScenarioError, "cannot follow a trace"),
    ],
)
def test_untraceable_classes(path, name, kind, message):
    with pytest.raises(kind, match=message):
        with_trace(METRO, name, path)


@pytest.fixture
def matrices(tmp_path):
    wave = 1.0 + 0.5 * np.sin(2 * np.pi * np.arange(140) / 14)
    tm = wave[:, None, None] * np.ones((4, 4))
    np.savez(tmp_path / "tm.npz", tm=tm)
    return tmp_path / "tm.npz"


@pytest.fixture
def rates(tmp_path):
    rows = [f"{m},{600 * k},{1 + k // 144}" for m in ("one", "two") for k in range(14 * 144)]
    (tmp_path / "rates.csv").write_text("\n".join(["model,t_s,rate_rps", *rows]))
    return tmp_path / "rates.csv"


def test_matrices_drive_background_and_nothing_else(matrices):
    traced = with_trace(METRO, "background", f"{matrices}#300")
    worlds = draw_world(METRO, "test", 0), draw_world(traced, "test", 0)

    assert {"background"} == changed(*worlds)
    rows = METRO.network.demands.rows_of("background")
    gbps = np.mean(
        [draw_world(traced, "train", seed).arrivals_gbit[..., rows] for seed in range(60)],
        (0, 1, 2),
    )
    mean = np.zeros(METRO.network.n_demands)
    for part in METRO.workload.background:
        mean[part.rows] = part.spec.mean_gbps
    assert mean[rows].tolist() == pytest.approx(gbps.tolist(), rel=0.15)


def test_all_background_plays_the_same_moment(matrices):
    traced = with_trace(METRO, "background", f"{matrices}#300")
    arrivals = draw_world(traced, "test", 0).arrivals_gbit.reshape(400, -1)
    own = arrivals[:, METRO.network.demands.rows_of("background")]

    np.testing.assert_allclose(own / own[0], (own / own[0])[:, :1].repeat(12, 1), rtol=1e-4)
    assert np.ptp(own[:, 0]) > 0


def test_rates_drive_all_that_follows_requests(rates):
    traced = with_trace(METRO, "requests", f"{rates}#two")

    assert {"inference", "kv_transfer"} == changed(
        draw_world(METRO, "test", 0), draw_world(traced, "test", 0)
    )
    kv = METRO.network.demands.rows_of("kv_transfer")
    gbit = {
        split: np.mean(
            [draw_world(traced, split, seed).arrivals_gbit[..., kv].sum() for seed in range(30)]
        )
        for split in ("train", "test")
    }
    assert 13 / 5 == pytest.approx(gbit["test"] / gbit["train"], rel=0.2)


def test_what_is_said_after_the_path_counts(matrices, rates):
    digests = {
        with_trace(METRO, kind, f"{path}#{said}").digest
        for kind, path, said in (
            ("background", matrices, 300),
            ("background", matrices, 900),
            ("requests", rates, "one"),
            ("requests", rates, "two"),
        )
    }

    assert 4 == len(digests - {METRO.digest})
    with pytest.raises(TraceError, match="PATH#300"):
        with_trace(METRO, "background", matrices)
    with pytest.raises(ScenarioError, match="got 'often' after the #"):
        with_trace(METRO, "background", f"{matrices}#often")
    with pytest.raises(TraceError, match="holds one, two"):
        with_trace(METRO, "requests", rates)


def test_a_path_may_have_a_hash_in_it(tmp_path, matrices):
    odd = tmp_path / "week#7.npz"
    with np.load(matrices) as archive:
        np.savez(odd, tm=archive["tm"], step_s=300.0)

    assert with_trace(METRO, "background", odd).workload.traces.background is not None


def test_statistics_of_rates_and_matrices(matrices, rates):
    traced = with_trace(
        with_trace(METRO, "background", f"{matrices}#300"), "requests", f"{rates}#one"
    )
    statistics = trace_statistics(traced)

    assert {"sha256", "rows"} == statistics["requests"].keys()
    assert 14 * 144 == statistics["requests"]["rows"]
    assert 140 == statistics["background"]["rows"]
    total = sum(np.sum(part.spec.mean_gbps) for part in METRO.workload.background)
    assert float(total) == pytest.approx(statistics["background"]["mean_gbps"], rel=1e-5)


def test_rates_need_a_service(tmp_path, rates):
    mine = tmp_path / "mine.toml"
    from bwalloc.scenario import find

    text = find("tiny-edge").read_text()
    for name in ("inference-down", "kv_transfer-up"):
        first = text.index(f"[demands.{name}]")
        text = text[:first] + text[text.index("\n[", first + 1) + 1 :]
    first = text.index("[services]")
    mine.write_text(text[:first] + text[text.index("\n[", first + 1) + 1 :])
    with pytest.raises(ScenarioError, match="mine: has no service"):
        with_trace(load_scenario(mine), "requests", f"{rates}#one")


def test_class_that_the_scenario_has_not(tmp_path, path):
    from bwalloc.scenario import find

    text = find("tiny-edge").read_text()
    first, last = text.index("[demands.kv"), text.index("[demands.video")
    mine = tmp_path / "mine.toml"
    mine.write_text(text[:first] + text[last:])
    with pytest.raises(ScenarioError, match="mine: has no demand of class 'kv_transfer'"):
        with_trace(load_scenario(mine), "kv_transfer", path)


def test_absent_file():
    with pytest.raises(TraceError, match="nowhere"):
        with_trace(METRO, "inference", "nowhere.csv")
    assert issubclass(TraceError, BwallocError)
