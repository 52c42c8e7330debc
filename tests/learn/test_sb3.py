"""PPO and SAC with the policy network: the same actions, the same weights, and they learn."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
pytest.importorskip("stable_baselines3", reason="it comes with bwalloc[learn]")

import numpy as np  # noqa: E402
from small_runs import BOTH, SMALL  # noqa: E402

from bwalloc.allocate.policy.learned import Learned, Policy  # noqa: E402
from bwalloc.gym import CloudEdgeVectorEnv  # noqa: E402
from bwalloc.gym.spaces import features_of  # noqa: E402
from bwalloc.learn.apg import ApgTrainer  # noqa: E402
from bwalloc.learn.network import PolicyNetwork  # noqa: E402
from bwalloc.learn.recipe import recipe_from  # noqa: E402
from bwalloc.learn.sb3 import Sb3Trainer  # noqa: E402
from bwalloc.learn.sb3_policies import Noise, SacCritic, View  # noqa: E402
from bwalloc.learn.train import make_trainer, train  # noqa: E402
from bwalloc.learn.validation import Validation  # noqa: E402
from bwalloc.scenario import Sizes, draw_world, load_scenario  # noqa: E402
from bwalloc.sim import Episodes, Simulator  # noqa: E402


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("tiny-edge", overrides={"intervals": 40})


def recipe(algorithm, **section):
    network = {"hidden": 8}
    table = {"env": "tiny-edge", "algorithm": algorithm, "network": network}
    return recipe_from({**table, algorithm: {**SMALL[algorithm], **section}}, "test")


def trainer_of(scenario, algorithm, **section):
    return Sb3Trainer(scenario, recipe(algorithm, **section))


def loud(trainer):
    """Weights that answer with actions far from 0."""
    weights = trainer.weights()
    rng = np.random.default_rng(3)
    for name in ("demand.out.weight", "tunnel.out.weight"):
        weights[name] = rng.normal(0, 1, weights[name].shape).astype(np.float32)
    trainer.network.load(weights)
    return weights


@BOTH
def test_it_acts_like_the_numpy_policy_of_equal_weights(scenario, algorithm):
    trainer = trainer_of(scenario, algorithm)
    policy = Policy(trainer.network.architecture, loud(trainer), scenario.tuned)
    rule, simulator = Learned(scenario.network, policy), Simulator(scenario)
    episodes = Episodes([draw_world(scenario, "train", seed) for seed in (5, 6)])
    env = CloudEdgeVectorEnv(2, scenario)
    observation, _ = env.reset(seed=5)
    state = simulator.start(2)
    readings = simulator.first_readings(state, episodes)
    rule.reset(2)
    for _ in range(20):
        rates = rule.decide(readings)
        step = simulator.step(state, rates, episodes)
        state, readings = step.state, step.readings
        actions, _ = trainer.model.policy.predict(observation, deterministic=True)
        assert np.abs(actions).max() > 0.1
        observation, *_ = env.step(actions)

        np.testing.assert_allclose(rates, env.lanes[0].engine.state.rates_gbps, atol=2e-3)


@BOTH
def test_it_begins_next_to_the_base_allocator(scenario, algorithm):
    trainer = trainer_of(scenario, algorithm)
    observation = trainer.model.env.reset()
    actions, _ = trainer.model.policy.predict(observation, deterministic=True)

    assert (4, *trainer.model.action_space.shape) == actions.shape
    assert 0 < np.abs(actions).max() < 0.2


@BOTH
def test_weights_of_an_agent_are_taken_over(scenario, algorithm):
    agent = PolicyNetwork(recipe(algorithm).architecture(scenario), seed=9).numpy()
    trainer = make_trainer(scenario, recipe(algorithm), "cpu", agent)

    assert isinstance(trainer, Sb3Trainer)
    assert all(np.array_equal(agent[name], value) for name, value in trainer.weights().items())


@BOTH
def test_its_weights_fit_the_other_trainer(scenario, algorithm):
    weights = trainer_of(scenario, algorithm).weights()
    table = {"env": "tiny-edge", "network": {"hidden": 8}, "apg": {"batch": 2}}
    other = ApgTrainer(scenario, recipe_from(table, "test"), init=weights)

    assert all(np.array_equal(weights[name], value) for name, value in other.weights().items())


@BOTH
def test_an_update_changes_every_layer_of_policy_and_critic(scenario, algorithm):
    trainer = trainer_of(scenario, algorithm)
    trainer.update(0.0)  # the first of PPO only tells the critic where to begin
    before, kept = trainer.weights(), trainer.tensors()
    money = trainer.update(0.0)
    after = trainer.weights()

    assert all(np.isfinite(value).all() for value in after.values())
    assert not [n for n in before if "weight" in n and np.array_equal(before[n], after[n])]
    critic = [name for name in kept if "critic" in name and "weight" in name]
    assert critic
    assert not [name for name in critic if np.array_equal(kept[name], trainer.tensors()[name])]
    assert 2 * trainer.steps_per_update == trainer.steps
    assert 0 < money < 1


@BOTH
def test_at_first_only_the_critic_learns(scenario, algorithm):
    trainer = trainer_of(scenario, algorithm, critic_first=2)
    before, kept = trainer.weights(), trainer.tensors()
    for _ in range(2):
        trainer.update(0.0)
    critic = [name for name in kept if "critic" in name and "weight" in name]
    assert all(np.array_equal(before[name], value) for name, value in trainer.weights().items())
    assert any(not np.array_equal(kept[name], trainer.tensors()[name]) for name in critic)
    trainer.update(0.0)
    assert not np.array_equal(before["demand.out.weight"], trainer.weights()["demand.out.weight"])


@BOTH
def test_one_seed_trains_one_policy(scenario, algorithm):
    weights = []
    for _ in range(2):
        trainer = trainer_of(scenario, algorithm)
        for _ in range(2):
            trainer.update(0.0)
        weights.append(trainer.weights())

    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


@BOTH
def test_a_checkpoint_brings_back_weights_and_moments_with_fresh_episodes(scenario, algorithm):
    trainer, other = trainer_of(scenario, algorithm), trainer_of(scenario, algorithm)
    played = trainer.model.env.get_attr("choices")[0]
    trainer.update(0.0)
    seeds = {choice.seed for choice in played}
    other.resume(trainer.tensors(), trainer.steps)
    ours, theirs = trainer.tensors(), other.tensors()

    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    other.update(0.5)
    assert trainer.steps + other.steps_per_update == other.steps
    assert seeds.isdisjoint(choice.seed for choice in other.model.env.get_attr("choices")[0])


@BOTH
def test_the_critic_begins_near_the_truth(scenario, algorithm):
    trainer = trainer_of(scenario, algorithm)
    money = trainer.update(0.0) / scenario.reward_scale_usd
    policy = trainer.model.policy
    observation = {k: torch.as_tensor(v) for k, v in trainer.model.env.reset().items()}
    with torch.no_grad():
        if algorithm == "ppo":
            value = policy.predict_values(observation)
        else:
            value = policy.critic(observation, torch.zeros(4, 32))[0]
    expected = money / (1 - getattr(trainer.recipe, algorithm).gamma)

    assert expected == pytest.approx(float(value.mean()), rel=0.3)


@BOTH
def test_the_learning_rate_falls(scenario, algorithm):
    trainer = trainer_of(scenario, algorithm)
    section = getattr(trainer.recipe, algorithm)
    trainer.update(0.0)
    for progress, share in ((0.0, 1.0), (1.0, section.final_share)):
        trainer.update(progress)
        rate = trainer.model.logger.name_to_value["train/learning_rate"]
        assert share * section.learning_rate == pytest.approx(rate)


def test_actions_fit_padded_spaces_and_padding_counts_for_nothing(scenario):
    padded = View(_padded(scenario, demands=10, tunnels=2))
    narrow = View(scenario)
    answer = torch.randn(8, 4, 3)

    assert (3, 10 * 5) == padded.flat(answer).shape
    assert torch.equal(answer, padded.rows(padded.flat(answer))[0])
    assert narrow.moves.sum() == padded.moves.sum()
    mean = padded.flat(answer)
    noisy = mean + (1 - torch.as_tensor(padded.moves)) * 9.0
    noise = Noise(padded, -1.0)
    assert torch.equal(noise.log_prob(mean, mean), noise.log_prob(noisy, mean))


def test_features_are_found_again_in_padded_observations(scenario):
    sizes = Sizes(demands=10, tunnels=2, links=9)
    batch = CloudEdgeVectorEnv(2, scenario)
    batch.reset(seed=0)
    wide = CloudEdgeVectorEnv(2, _padded(scenario, demands=10, tunnels=2, links=9))
    wide.reset(seed=0)
    found = features_of(wide._observation(), scenario.network, sizes)
    plain = features_of(batch._observation(), scenario.network, scenario.sizes)

    for kind, rows in plain.items():
        np.testing.assert_array_equal(rows, found[kind])


def _padded(scenario, **sizes):
    from dataclasses import replace

    return replace(scenario, sizes=replace(scenario.sizes, **sizes))


def test_noise_has_one_scale_per_part(scenario):
    noise = Noise(View(scenario), 0.0)
    with torch.no_grad():
        noise.log_std.copy_(torch.tensor([0.1, -1.0, -2.0, -3.0]))

    by_row = noise().reshape(8, 4)
    torch.testing.assert_close(torch.tensor([0.1, -1.0, -2.0, -3.0]).expand(8, 4), by_row)


def test_log_density_of_sac_is_that_of_the_squashed_draw(scenario):
    trainer = trainer_of(scenario, "sac")
    actor = trainer.model.policy.actor
    observation = {k: torch.as_tensor(v) for k, v in trainer.model.env.reset().items()}
    with torch.no_grad():
        actions, log_prob = actor.action_log_prob(observation)
        normal = torch.distributions.Normal(actor._answer(observation), actor.noise().exp())
        squash = torch.distributions.TanhTransform()
        squashed = torch.distributions.TransformedDistribution(normal, [squash])
        expected = squashed.log_prob(actions).sum(1)

    torch.testing.assert_close(expected, log_prob, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("column", range(4))
def test_every_part_of_an_action_moves_the_critic_of_sac(scenario, column):
    trainer = trainer_of(scenario, "sac")
    critic: SacCritic = trainer.model.policy.critic
    observation = {k: torch.as_tensor(v) for k, v in trainer.model.env.reset().items()}
    actions = torch.zeros(4, 8, 4)
    first = critic(observation, actions.reshape(4, -1))
    actions[:, 2, column] = 1.0
    second = critic(observation, actions.reshape(4, -1))

    assert all((one - two).abs().min() > 0 for one, two in zip(first, second, strict=True))


def test_the_critics_of_sac_differ(scenario):
    trainer = trainer_of(scenario, "sac")
    observation = {k: torch.as_tensor(v) for k, v in trainer.model.env.reset().items()}
    one, two = trainer.model.policy.critic(observation, torch.zeros(4, 32))

    assert not torch.equal(one, two)


@BOTH
def test_a_stopped_run_goes_on(scenario, algorithm, tmp_path):
    table = {
        "env": "tiny-edge", "algorithm": algorithm, "network": {"hidden": 8}, "steps": 64,
        "validation": {"episodes": 1, "every_steps": 1000}, algorithm: SMALL[algorithm],
    }  # fmt: skip
    whole = recipe_from(table, "test")
    train(whole, tmp_path)
    state = (tmp_path / "state.json").read_text()
    told = []
    folder = train(whole, tmp_path, listener=told.append)

    assert '"steps": 64' in state
    assert [] == told
    assert [0, 64] == [point.steps for point in folder.points]
    assert (tmp_path / "best.safetensors").exists()


@pytest.mark.slow
@BOTH
def test_short_training_does_not_diverge(scenario, algorithm):
    section = {"ppo": {"n_envs": 16, "n_steps": 40, "batch_size": 160}, "sac": {"n_envs": 8}}
    trainer = trainer_of(scenario, algorithm, **section[algorithm])
    validation = Validation(scenario, 8, "forecast")
    scores = []
    for update in range(20):
        trainer.update(update / 20)
        if update % 5 == 4:
            policy = Policy(trainer.network.architecture, trainer.weights(), scenario.tuned)
            scores.append(validation(policy).gain_usd_per_h)
    floor = -0.05 * abs(float(validation.rival_usd_per_h.mean()))

    assert min(scores) > floor
