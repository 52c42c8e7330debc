"""PPO and SAC where capacity is ordered."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
pytest.importorskip("stable_baselines3", reason="it comes with bwalloc[learn]")

import numpy as np  # noqa: E402
from ordering import port_file  # noqa: E402
from small_runs import BOTH, SMALL  # noqa: E402

from bwalloc.allocate.policy.learned import Learned, Policy  # noqa: E402
from bwalloc.gym import CloudEdgeVectorEnv  # noqa: E402
from bwalloc.learn.recipe import recipe_from  # noqa: E402
from bwalloc.learn.sb3 import Sb3Trainer  # noqa: E402
from bwalloc.learn.sb3_policies import View  # noqa: E402
from bwalloc.observe import usual_day  # noqa: E402
from bwalloc.scenario import Sizes, draw_world, load_scenario  # noqa: E402
from bwalloc.sim import Episodes, Simulator  # noqa: E402


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    path = port_file(tmp_path_factory.mktemp("ports"))
    return load_scenario(path, {"time.intervals": 60})


def trainer_of(scenario, algorithm):
    table = {"env": "ports", "algorithm": algorithm, "network": {"hidden": 8}}
    return Sb3Trainer(scenario, recipe_from({**table, algorithm: SMALL[algorithm]}, "test"))


@BOTH
def test_it_orders_like_the_numpy_policy_of_equal_weights(scenario, algorithm):
    trainer = trainer_of(scenario, algorithm)
    weights = trainer.weights()
    rng = np.random.default_rng(5)
    for name in ("demand.out.weight", "tunnel.out.weight", "span.out.weight"):
        weights[name] = rng.normal(0, 1, weights[name].shape).astype(np.float32)
    trainer.network.load(weights)
    policy = Policy(trainer.network.architecture, weights, scenario.tuned)
    rule, simulator = Learned(scenario.network, policy, usual_day(scenario)), Simulator(scenario)
    episodes = Episodes([draw_world(scenario, "train", seed) for seed in (5, 6)])
    env = CloudEdgeVectorEnv(2, scenario)
    observation, _ = env.reset(seed=5)
    state, placed = simulator.start(2), 0
    readings = simulator.first_readings(state, episodes)
    rule.reset(2)
    for _ in range(40):
        rates = rule.decide(readings)
        orders = rule.order(readings)
        placed += (orders >= 0).sum()
        step = simulator.step(state, rates, episodes, orders)
        state, readings = step.state, step.readings
        actions, _ = trainer.model.policy.predict(observation, deterministic=True)
        observation, *_ = env.step(actions)
        np.testing.assert_array_equal(state.ports, env.lanes[0].engine.state.ports)

    assert placed > 0


@BOTH
def test_an_update_moves_the_weights_of_spans(scenario, algorithm):
    trainer = trainer_of(scenario, algorithm)
    before = trainer.weights()
    for _ in range(8):
        trainer.update(0.0)
    after = trainer.weights()

    assert 0 == np.abs(before["span.out.weight"]).max()
    assert np.abs(after["span.out.weight"]).max() > 0
    assert all(np.isfinite(values).all() for values in after.values())


def test_padded_spans_move_nothing_and_answers_come_back(scenario):
    from dataclasses import replace

    network = scenario.network
    sizes = Sizes(network.n_demands + 1, network.n_tunnels, network.n_links, 5)
    view = View(replace(scenario, sizes=sizes))
    answer = torch.randn(network.n_demands, 3 + network.n_tunnels, 2)
    about = torch.randn(2, 2, 2)
    flat = view.flat(answer, about)

    assert (2, (network.n_demands + 1) * 4 + 10) == flat.shape
    assert [1, 1, 1, 1, 0, 0, 0, 0, 0, 0] == view.moves[-10:].tolist()
    for mine, other in zip(view.rows(flat), (answer, about), strict=True):
        torch.testing.assert_close(mine, other)
