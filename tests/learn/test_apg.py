"""Gradients through the model: the unroll is the simulator, training helps and repeats itself."""

from __future__ import annotations

from itertools import count

import pytest

torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")

import numpy as np  # noqa: E402

from bwalloc.allocate.policy.learned import Learned, Policy  # noqa: E402
from bwalloc.errors import RecipeError  # noqa: E402
from bwalloc.learn.apg import UNSEEN, ApgTrainer  # noqa: E402
from bwalloc.learn.critic import td_lambda  # noqa: E402
from bwalloc.learn.recipe import recipe_from  # noqa: E402
from bwalloc.learn.unroll import Unroll  # noqa: E402
from bwalloc.learn.validation import Validation  # noqa: E402
from bwalloc.scenario import draw_world, load_scenario  # noqa: E402
from bwalloc.sim.play import play  # noqa: E402
from bwalloc.tensors import tensors_from_bytes, tensors_to_bytes  # noqa: E402


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("tiny-edge", overrides={"intervals": 40})


def recipe(**apg):
    table = {"env": "tiny-edge", "network": {"hidden": 8}, "apg": {"batch": 8, **apg}}
    return recipe_from(table, "test")


def test_an_unroll_earns_what_the_simulator_says(scenario):
    trainer = ApgTrainer(scenario, recipe(batch=1))
    policy = Policy(trainer.network.architecture, trainer.weights(), scenario.tuned)
    unroll = Unroll(scenario, 1, cut=40, seeds=count(7))
    money = 0.0
    with torch.no_grad():
        for _ in range(40):
            action = trainer.network(unroll.features(), trainer.grounds.here.graph)
            money += float(unroll.step(action)[0] * unroll_counts(unroll, scenario))
    rule = Learned(scenario.network, policy)
    played = play(scenario, rule, [draw_world(scenario, "train", 7)])
    assert played.net_usd[0] == pytest.approx(money, rel=1e-3)


def unroll_counts(unroll, scenario):
    """Whether the interval just played counts."""
    return float(unroll.interval[0] > scenario.timing.warmup_intervals)


@pytest.mark.parametrize("critic", [False, True])
def test_an_update_changes_what_the_policy_answers(scenario, critic):
    trainer = ApgTrainer(scenario, recipe(critic=critic))
    before, features = trainer.weights(), trainer.unroll.features()
    answered = trainer.network(features, trainer.grounds.here.graph)
    trainer.update(0.0)
    after = trainer.weights()
    assert (answered - trainer.network(features, trainer.grounds.here.graph)).abs().max() > 1e-4
    assert trainer.skipped == 0
    assert all(np.isfinite(value).all() for value in after.values())
    changed = [name for name in before if not np.array_equal(before[name], after[name])]
    assert {"demand.out.weight", "demand.in.weight", "link.0.weight"} <= set(changed)


def test_kept_weights_follow_those_that_learn(scenario):
    trainer = ApgTrainer(scenario, recipe(average=0.75))
    trainer.update(0.0)
    first = trainer.network.numpy()
    assert all(np.array_equal(first[name], value) for name, value in trainer.weights().items())
    trainer.update(0.0)
    second = trainer.network.numpy()
    for name, value in trainer.weights().items():
        np.testing.assert_allclose(0.75 * first[name] + 0.25 * second[name], value, atol=1e-6)


def test_an_unroll_longer_than_an_episode_is_refused(scenario):
    with pytest.raises(RecipeError, match=r"apg\.cut: got 41, an episode of tiny-edge has 40"):
        ApgTrainer(scenario, recipe(cut=41))


def test_one_seed_trains_one_policy(scenario):
    weights = []
    for _ in range(2):
        trainer = ApgTrainer(scenario, recipe())
        for _ in range(3):
            trainer.update(0.0)
        weights.append(trainer.weights())
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_checkpoint_brings_back_weights_moments_and_fresh_episodes(scenario):
    trainer, other = (
        ApgTrainer(scenario, recipe(critic=True)),
        ApgTrainer(scenario, recipe(critic=True)),
    )
    for _ in range(3):
        trainer.update(0.0)
    other.resume(trainer.tensors(), trainer.steps)
    assert len(other.unroll.interval) == 8
    ours, theirs = trainer.tensors(), other.tensors()
    used, after = int(ours.pop(UNSEEN[0])), int(theirs.pop(UNSEEN[0]))
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert other.steps == 3 * 8 * 5
    assert used + 8 + 1 == after  # one is drawn ahead


def test_a_checkpoint_on_disk_trains_on_as_one_in_memory(scenario):
    trainer, *others = (ApgTrainer(scenario, recipe(critic=True)) for _ in range(3))
    for _ in range(2):
        trainer.update(0.0)
    kept = trainer.tensors()
    read = tensors_from_bytes(tensors_to_bytes(kept), "here")
    for other, tensors in zip(others, (kept, read), strict=True):
        other.resume(tensors, trainer.steps)
        other.update(0.5)
    one, same = (other.tensors() for other in others)

    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(
        kept["averaged/weights/module.layers.demand/out/weight"],
        one["averaged/weights/module.layers.demand/out/weight"],
    )


def test_only_intervals_after_the_warm_up_count_wherever_the_cut_falls(scenario):
    trainer = ApgTrainer(scenario, recipe(batch=1, cut=7))
    counted = [bool(money.any()) for _ in range(5) for money in played(trainer)]

    assert 30 * [False] + 5 * [True] == counted


def played(trainer):
    money, _ = trainer._play(orders=True)
    trainer.unroll.detach()
    return money


@pytest.mark.slow
def test_training_from_the_base_allocator_never_falls_far_below_it_and_ends_above():
    """What would have caught nearly every failed recipe (learning.md, section 4)."""
    scenario = load_scenario("metro-inference")
    trainer = ApgTrainer(scenario, recipe_from({"env": scenario.slug}, "test"))
    validation = Validation(scenario, 8, "forecast")
    scores = []
    for update in range(60):
        trainer.update(update / 60)
        if update % 20 == 19:
            policy = Policy(trainer.network.architecture, trainer.weights(), scenario.tuned)
            scores.append(validation(policy))
    floor = -0.03 * abs(float(validation.rival_usd_per_h.mean()))
    assert all(score.gain_usd_per_h > floor for score in scores)
    assert scores[-1].gain_usd_per_h - scores[-1].gain_half_width > 0


def test_td_lambda_is_the_return_for_lambda_1_and_one_step_for_lambda_0():
    rewards = [torch.tensor([1.0]), torch.tensor([2.0])]
    values = [torch.tensor([5.0]), torch.tensor([7.0])]
    last = torch.tensor([10.0])
    whole = td_lambda(rewards, values, last, 0.5, 1.0)
    assert [1 + 0.5 * (2 + 0.5 * 10), 2 + 0.5 * 10] == pytest.approx([float(t) for t in whole])
    step = td_lambda(rewards, values, last, 0.5, 0.0)
    assert [1 + 0.5 * 7, 2 + 0.5 * 10] == pytest.approx([float(t) for t in step])


def test_staggered_episodes_know_what_time_it_is(scenario):
    """Traffic, slots and the clock that a policy sees are of the same interval."""
    unroll = Unroll(scenario, 4, cut=5, seeds=count(7))
    hours = unroll.episodes.start_h + unroll.interval * scenario.timing.interval_s / 3600.0
    seen = unroll.corrected.readings.hour_of_week.numpy()

    np.testing.assert_allclose(seen % 168, hours % 168, atol=1e-3)
    np.testing.assert_array_equal(unroll.state.interval.numpy(), unroll.interval)
    assert len(set(unroll.interval)) > 1
