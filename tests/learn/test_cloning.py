"""Cloning: what is learned is what the teacher did, and runs of it start others."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")

import numpy as np  # noqa: E402
from ordering import port_file  # noqa: E402

from bwalloc.allocate.policy.corrected import CorrectedForecast  # noqa: E402
from bwalloc.allocate.policy.learned import Policy  # noqa: E402
from bwalloc.cli import main  # noqa: E402
from bwalloc.errors import RecipeError  # noqa: E402
from bwalloc.gym import recording  # noqa: E402
from bwalloc.gym.imitation import Imitator  # noqa: E402
from bwalloc.gym.recording import Setting, record  # noqa: E402
from bwalloc.learn.apg import first_seed  # noqa: E402
from bwalloc.learn.cloning import HELD, SHOWN, CloningTrainer  # noqa: E402
from bwalloc.learn.cloning_dataset import recorded  # noqa: E402
from bwalloc.learn.cloning_orders import RecordedOrders, about_orders  # noqa: E402
from bwalloc.learn.cloning_pairs import HARDLY, WANT, counted  # noqa: E402
from bwalloc.learn.cloning_teacher import taught  # noqa: E402
from bwalloc.learn.recipe import recipe_from  # noqa: E402
from bwalloc.learn.run import policy_of_run  # noqa: E402
from bwalloc.learn.train import make_trainer, train  # noqa: E402
from bwalloc.observe import usual_day  # noqa: E402
from bwalloc.observe.feature import SPAN_FEATURES  # noqa: E402
from bwalloc.scenario import draw_world, load_scenario, load_template  # noqa: E402
from bwalloc.sim import Episodes, Simulator  # noqa: E402
from bwalloc.sim.play import play  # noqa: E402

SHORT = {"time.intervals": 40}
FIRST = first_seed(0)
can_record = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in recording.NEEDED),
    reason="Minari, h5py or Pillow is not installed",
)


@pytest.fixture(autouse=True)
def plans_of_our_own(tmp_path, monkeypatch):
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("tiny-edge", overrides=SHORT)


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    path = port_file(tmp_path_factory.mktemp("ports"))
    return load_scenario(path, {"time.intervals": 60})


def recipe(env="tiny-edge", **bc):
    section = {"teacher": "guarantee", "episodes": 8, "batch_size": 16, **bc}
    network = {"hidden": 8}
    table = {"env": env, "algorithm": "bc", "network": network, "bc": section}
    return recipe_from(table, "test")


def pairs_of(scenario, name, episodes=2, spans=False):
    return next(taught(scenario, name, range(FIRST, FIRST + episodes), spans=spans))


def pairs_in(trainer):
    return sum(len(lesson.pairs) for lesson in trainer.lessons)


def money_of(scenario, name, episodes):
    worlds = [draw_world(scenario, "train", seed) for seed in range(FIRST, FIRST + episodes)]
    rule = Imitator(name).rule(scenario)
    counted_intervals = scenario.timing.intervals - scenario.timing.warmup_intervals
    return play(scenario, rule, worlds).net_usd.mean() / counted_intervals


def test_the_base_allocator_does_nothing_and_earns_what_it_earns(scenario):
    pairs = pairs_of(scenario, "forecast")

    assert not pairs.action.any()
    assert 2 * 40 == len(pairs)
    assert money_of(scenario, "forecast", 2) == pytest.approx(pairs.mean_usd, rel=1e-5)


def test_the_clairvoyant_teaches_what_earns_more(scenario):
    pairs = pairs_of(scenario, "clairvoyant")

    assert pairs.mean_usd > 1.01 * money_of(scenario, "forecast", 2)
    assert np.abs(pairs.action).max() > 0.5


def test_what_is_learned_nears_what_is_taught(scenario):
    trainer = CloningTrainer(scenario, recipe(learning_rate=1e-2))
    trainer.update(0.0)
    first = trainer.loss
    for update in range(200):
        trainer.update(update / 200)

    assert trainer.loss < 0.25 * first
    assert 201 * 16 == trainer.steps
    assert 8 * 40 == pairs_in(trainer)


def test_numbers_that_change_nothing_are_not_learned():
    demands, tunnels = 6, 3
    exists = np.ones((demands, tunnels), bool)
    exists[0], exists[1, 1:] = False, False
    network = SimpleNamespace(tunnels=SimpleNamespace(exists=exists))
    features = {"demands": np.zeros((WANT + 1, demands, 2), np.float32)}
    features["demands"][WANT, 2, 0] = HARDLY - 0.05
    action = np.zeros((demands, 3 + tunnels, 2), np.float32)
    action[3, 3:, 1] = -1.0
    counts = counted(network, features, action)

    assert not counts[0].any()
    assert [[3, 3], [0, 6], [6, 3]] == counts[1:4].sum(1).tolist()
    assert counts[4:].all()


def begun(ports):
    corrected = CorrectedForecast(
        ports.network, ports.tuned, compiled=None, usual=usual_day(ports), spans=True
    )
    simulator, episodes = Simulator(ports), Episodes([draw_world(ports, "train", 5)])
    state = simulator.start(1)
    corrected.start(simulator.first_readings(state, episodes))
    return corrected, simulator, episodes, state


def test_all_actions_that_are_right_about_a_span_order_what_is_wanted(tmp_path):
    ports = load_scenario(port_file(tmp_path, delay=60.0))
    corrected, simulator, episodes, state = begun(ports)
    rng, seen = np.random.default_rng(1), {"kept": 0, "ordered": 0}
    for interval in range(240):
        wanted = rng.integers(-1, 4, (2, 1))
        held = corrected.gated.load.places(corrected.readings.tier_gbps)
        lowest, highest, decides = about_orders(corrected.gated, corrected.outlook, wanted)
        inside = lowest + (0.02 + 0.98 * rng.random(lowest.shape)) * (highest - lowest)
        is_reached = (np.abs(np.where(decides, highest, 0)) < 1).all(1)
        expected = np.where(wanted == held, -1, wanted)
        is_shut = ~decides[:, 0] & (wanted < held)
        expected = np.where(decides.any(1) & ~is_shut, expected, -1)
        orders = corrected.orders(inside)
        np.testing.assert_array_equal(expected[is_reached], orders[is_reached], str(interval))
        seen["kept"] += (is_reached & decides.any(1) & (orders < 0)).sum()
        seen["ordered"] += (is_reached & (orders >= 0)).sum()
        step = simulator.step(state, corrected.rates_gbps(no_action(ports)), episodes, orders)
        state = step.state
        corrected.push(step.readings)

    assert min(seen.values()) >= 3, seen


def no_action(scenario):
    demands, tunnels = scenario.network.tunnels.exists.shape
    return np.zeros((demands, 3 + tunnels, 1), np.float32)


def test_a_tier_that_is_hidden_is_not_seen_before_or_after(ports):
    names = [feature.name for feature in SPAN_FEATURES]
    hidden = [names.index(name) for name in HELD]
    trainer = CloningTrainer(
        ports, recipe("ports", teacher="two-bar", episodes=2, hide_orders=True)
    )
    for _ in range(3):
        trainer.update(0.0)
    weight = trainer.weights()["span.in.weight"]

    assert len(HELD) == (SHOWN == 0).sum()
    assert not weight[:, hidden].any()
    assert trainer.lessons[0].pairs.decides.any()
    assert weight[:, names.index("up")].any()


def test_where_it_is_shown_it_is_learned_from(ports):
    trainer = CloningTrainer(ports, recipe("ports", teacher="two-bar", episodes=2))
    before = trainer.weights()
    trainer.update(0.0)  # the last layer begins at 0, so that nothing passes behind it at first
    trainer.update(0.0)
    after = trainer.weights()
    moved = np.abs(after["span.in.weight"] - before["span.in.weight"]).max(0)

    assert (moved[: len(SHOWN)] > 0).sum() > (SHOWN > 0).sum()


def test_orders_are_learned_only_when_they_are_considered(ports):
    pairs = pairs_of(ports, "two-bar", spans=True)
    when = np.arange(len(pairs)) // 2 % 5

    assert [0] == np.unique(when[pairs.decides.any((1, 2))]).tolist()
    assert (pairs.lowest <= pairs.highest).all()
    assert (pairs.decides.sum(2) <= 1).all()


def test_a_run_that_goes_on_learns_what_it_would_have_learned(scenario):
    whole, stopped, resumed = (CloningTrainer(scenario, recipe()) for _ in range(3))
    for _ in range(3):
        whole.update(0.1)
        stopped.update(0.1)
    whole.update(0.2)
    resumed.resume(stopped.tensors(), stopped.steps)
    resumed.update(0.2)
    weights = whole.weights()

    assert whole.steps == resumed.steps
    assert all(np.array_equal(weights[name], value) for name, value in resumed.weights().items())


def test_networks_that_are_drawn_are_taught_one_by_one():
    template = load_template("random-edge", overrides=SHORT)
    given = recipe("random-edge", teacher="max-min", episodes=2)
    trainer = make_trainer(
        template.usual, given, "cpu", None, lambda number: template.scenario("train", number)
    )
    for _ in range(4):
        trainer.update(0.0)
    demands = [lesson.pairs.action.shape[1] for lesson in trainer.lessons]

    assert [template.scenario("train", FIRST + n).network.n_demands for n in (0, 1)] == demands
    assert demands[0] != demands[1]
    assert np.isfinite(trainer.loss)


def test_a_teacher_that_does_not_exist_is_named(tmp_path, capsys):
    (tmp_path / "r.toml").write_text(RECIPE.replace("max-min", "max-mim"))
    line = ["train", "tiny-edge", "--recipe", str(tmp_path / "r.toml")]

    assert 2 == main([*line, "--out", str(tmp_path / "run")])
    assert "No teacher called 'max-mim'. Nearest: 'max-min'." in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def recorded_at(folder, allocator="guarantee", overrides=SHORT, env="tiny-edge"):
    setting = Setting(env, allocator, 2, "train", FIRST, overrides)
    return str(record(setting, folder).path.parent)


@can_record
def test_a_recorded_teacher_says_what_a_playing_one_says(scenario, tmp_path):
    read = recorded(scenario, recorded_at(tmp_path), 2)
    played = pairs_of(scenario, "guarantee")
    order = np.argsort(np.arange(len(played)) % 2, kind="stable")  # episodes lie side by side

    np.testing.assert_allclose(played.action[order], read.action, atol=2e-3)
    assert (played.counts[order] != read.counts).mean() < 0.01
    for kind, rows in read.features.items():
        np.testing.assert_allclose(played.features[kind][order], rows, atol=5e-3)
    assert played.mean_usd == pytest.approx(read.mean_usd, rel=1e-4)


@can_record
def test_a_dataset_is_found_by_id_and_trained_on(scenario, tmp_path, monkeypatch):
    recorded_at(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    given = recipe(dataset="tiny-edge/guarantee-train-v0", episodes=1)
    trainer = CloningTrainer(scenario, given)
    trainer.update(0.0)

    assert 40 == pairs_in(trainer)


@can_record
@pytest.mark.parametrize("name", ["two-bar", "newsvendor", "autoscale"])
def test_a_dataset_with_orders_says_what_a_playing_teacher_says(tmp_path, name):
    path = port_file(tmp_path)
    ports = load_scenario(path, {"time.intervals": 120})
    setting = Setting(str(path), name, 1, "train", FIRST, {"time.intervals": 120})
    read = recorded(ports, str(record(setting, tmp_path / "data").path), 1)
    played = pairs_of(ports, name, episodes=1, spans=True)
    inside = played.decides & (np.abs(played.highest) < 1)  # else the tier was out of reach

    assert inside.sum() > 10
    np.testing.assert_array_equal(played.decides, read.decides)
    for end in ("lowest", "highest"):
        np.testing.assert_allclose(
            getattr(played, end)[inside], getattr(read, end)[inside], atol=2e-3
        )


def test_any_action_that_is_recorded_teaches_what_it_orders(tmp_path):
    ports = load_scenario(port_file(tmp_path, delay=60.0))
    corrected, simulator, episodes, state = begun(ports)
    rng, features, actions, ordered, known = np.random.default_rng(2), [], [], [], []
    for _ in range(240):
        features.append(corrected.features(state.rates_gbps)["spans"])
        actions.append(rng.uniform(-1, 1, (2, 2, 1)).astype(np.float32))
        known.append(corrected.outlook)
        ordered.append(corrected.orders(actions[-1]))
        step = simulator.step(state, corrected.rates_gbps(no_action(ports)), episodes, ordered[-1])
        state = step.state
        corrected.push(step.readings)
    reader = RecordedOrders(ports.network, ports.tuned)
    read = reader(np.concatenate(features, 2), np.concatenate(actions, 2))
    for at, (outlook, orders) in enumerate(zip(known, ordered, strict=True)):
        expected = about_orders(corrected.gated, outlook, orders)
        now = [part[:, :, at : at + 1] for part in read]

        np.testing.assert_array_equal(expected.decides, now[2], str(at))
        for end, found in zip(expected[:2], now[:2], strict=True):
            np.testing.assert_allclose(
                end[expected.decides], found[now[2]], atol=1e-4, err_msg=str(at)
            )
    assert 4 < read.decides[:, 0].sum()
    assert 4 < read.decides[:, 1].sum()
    assert 4 < (np.concatenate(ordered, 1) >= 0).sum()


def test_where_the_load_is_not_known_the_number_itself_is_learned(ports):
    features = np.zeros((len(SPAN_FEATURES), 2, 1), np.float32)
    names = [feature.name for feature in SPAN_FEATURES]
    features[names.index("tier")], features[names.index("load")] = 0.2, [[-5.0], [0.0]]
    action = np.full((2, 2, 1), 0.25, np.float32)
    read = RecordedOrders(ports.network, ports.tuned)(features, action)

    assert read.decides.any(1).all()
    np.testing.assert_array_equal(0.25, read.lowest[0])
    np.testing.assert_array_equal(0.25, read.highest[0])
    assert (read.lowest[1] < read.highest[1]).all()


@can_record
@pytest.mark.parametrize(
    ("env", "overrides", "said"),
    [
        ("metro-inference", SHORT, "recorded on metro-inference, not on tiny-edge"),
        ("tiny-edge", {**SHORT, "surge.per_day": 100.0}, "looks other now"),
        ("tiny-edge", {**SHORT, "demands.bulk_ingest-up.from": "edge-1"}, "holds other features"),
    ],
)
def test_a_dataset_of_something_else_is_refused(scenario, tmp_path, env, overrides, said):
    path = recorded_at(tmp_path, "forecast", overrides, env)
    with pytest.raises(RecipeError, match=said):
        recorded(scenario, path, 2)


@pytest.mark.parametrize("name", ["nowhere/nothing-v0", "{here}"])
def test_a_dataset_that_is_none_is_named(scenario, tmp_path, name):
    pytest.importorskip("minari")
    with pytest.raises(RecipeError, match=r"bc\.dataset .* cannot be opened"):
        recorded(scenario, name.format(here=tmp_path), 1)


RECIPE = """
schema = 1
env = "tiny-edge"
algorithm = "bc"
steps = 1024
[network]
hidden = 8
[validation]
episodes = 1
every_steps = 512
[bc]
teacher = "max-min"
episodes = 1
"""


def test_the_loss_is_among_the_curves_of_a_run(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (tmp_path / "r.toml").write_text(RECIPE)
    line = ["train", "tiny-edge", "--recipe", str(tmp_path / "r.toml"), "--steps", "256"]
    assert 0 == main([*line, "--out", str(tmp_path / "run")])
    found = events.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    loss = found.Scalars("train/loss")

    assert {"train/usd_per_h", "validation/gain_usd_per_h"} < set(found.Tags()["scalars"])
    assert {64, 128, 192, 256} == {point.step for point in loss}
    assert all(point.value > 0 for point in loss)


def test_a_run_is_validated_kept_gone_on_with_and_starts_another(tmp_path, capsys):
    (tmp_path / "r.toml").write_text(RECIPE)
    out = tmp_path / "run"
    line = ["train", "tiny-edge", "--algo", "bc", "--recipe", str(tmp_path / "r.toml")]
    assert 0 == main([*line, "--out", str(out)])
    assert "best policy" in capsys.readouterr().out
    policy, kept = policy_of_run(out, {})
    assert ("bc", "max-min") == (kept.algorithm, kept.bc.teacher)
    heard = []
    train(kept, out, listener=heard.append)  # nothing is left to do
    assert [] == [tell for tell in heard if tell.point]
    table = {"env": "tiny-edge", "network": {"hidden": 8}, "apg": {"batch": 2}}
    other = make_trainer(
        load_scenario("tiny-edge"), recipe_from(table, "test"), "cpu", policy.weights
    )

    assert isinstance(policy, Policy)
    assert all(np.array_equal(policy.weights[n], value) for n, value in other.weights().items())
