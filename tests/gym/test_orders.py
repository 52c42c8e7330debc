"""Orders through the action of an environment."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from ordering import port_file
from playing import actions_of, equal

from bwalloc.allocate import make_rule
from bwalloc.allocate.rule import orders_of
from bwalloc.errors import ScenarioError
from bwalloc.gym.env import CloudEdgeEnv
from bwalloc.gym.imitation import Imitator
from bwalloc.gym.registration import ANY
from bwalloc.gym.vector import CloudEdgeVectorEnv
from bwalloc.observe import measured
from bwalloc.scenario import draw_world, load_scenario, train_worlds
from bwalloc.sim import Episodes, Simulator
from bwalloc.sim.play import play

SHORT = {"time.intervals": 120}
SPANS = 2


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return str(port_file(tmp_path_factory.mktemp("ports"), offers="rejection = 0.1"))


def make(file, **options):
    return CloudEdgeEnv(file, overrides=SHORT, **options)


def rule_of(scenario, name="forecast"):
    history = measured(train_worlds(scenario), scenario.timing.interval_s)
    return make_rule(name, scenario.network, history, scenario.tuned)


@pytest.mark.parametrize("seed", [1, 3])
def test_action_zero_is_forecast_with_the_orders_of_two_bar_bit_for_bit(file, seed):
    env = make(file)
    env.reset(seed=seed)
    scenario, rule = env.scenario, rule_of(env.scenario)
    simulator = Simulator(scenario)
    episodes = Episodes([draw_world(scenario, "train", seed)])
    state = simulator.start(1)
    readings = simulator.first_readings(state, episodes)
    rule.reset(1)
    placed = 0
    for _ in range(scenario.timing.intervals):
        rates = rule.decide(readings)
        orders = orders_of(rule, readings)
        placed += (orders >= 0).sum()
        np.testing.assert_array_equal(orders, env.engine.corrected.orders())
        step = simulator.step(state, rates, episodes, orders)
        state, readings = step.state, step.readings
        *_, truncated, info = env.step(np.zeros(env.action_space.shape, np.float32))

        np.testing.assert_array_equal(state.rates_gbps, env.engine.state.rates_gbps)
        np.testing.assert_array_equal(state.ports, env.engine.state.ports)
        for name, usd in step.terms.items():
            assert usd[0] == info["reward_terms"][name]
    assert truncated
    assert placed > 0


def test_the_action_has_two_numbers_for_each_span_behind_those_of_demands(file):
    env = make(file)
    demands, tunnels = env.scenario.sizes.demands, env.scenario.sizes.tunnels

    assert (demands * (3 + tunnels) + 2 * SPANS,) == env.action_space.shape
    assert SPANS == env.scenario.sizes.spans


def test_higher_bars_order_larger_tiers(file):
    mean_gbps = []
    for way in (-1.0, 0.0, 1.0):
        env = make(file)
        env.reset(seed=1)
        action = np.zeros(env.action_space.shape, np.float32)
        action[-2 * SPANS :] = way
        tiers = []
        for _ in range(SHORT["time.intervals"]):
            env.step(action)
            tiers.append(env.engine.readings.tier_gbps[:, 0])
        mean_gbps.append(np.mean(tiers))

    assert mean_gbps[0] < mean_gbps[1] < mean_gbps[2]
    assert (10.0 == tiers[-1]).all()


def test_gymnasium_finds_nothing_wrong(file):
    env = gymnasium.make(ANY, env=file, overrides={"time.intervals": 40})
    check_env(env.unwrapped, skip_render_check=True)


def test_observations_stay_in_their_space_and_the_bill_is_a_term(file):
    env = make(file)
    env.reset(seed=1)
    billed = 0.0
    for action in actions_of(env, SHORT["time.intervals"]):
        observation, reward, _, _, info = env.step(action)
        assert env.observation_space.contains(observation)
        assert np.isfinite(reward)
        assert 0 == info["violations"]
        billed += info["reward_terms"]["bandwidth"]

    assert billed > 0


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_where_the_original_was(file, clone):
    env = make(file)
    env.reset(seed=0)
    actions = actions_of(env, 60)
    for action in actions[:30]:
        env.step(action)
    other = clone(env)

    for action in actions[30:]:
        equal(env.step(action)[0], other.step(action)[0])


def test_set_state_goes_back_to_the_orders_of_then(file):
    env = make(file)
    env.reset(seed=0)
    actions = actions_of(env, 80)
    for action in actions[:7]:
        env.step(action)
    kept = env.get_state()
    first = [env.step(action)[:2] for action in actions[7:]]
    env.reset()
    env.set_state(kept)
    for (one, reward), action in zip(first, actions[7:], strict=True):
        other, same = env.step(action)[:2]
        equal(one, other)
        assert reward == same


def test_a_batch_plays_what_its_episodes_play_one_by_one(file):
    """Columns that begin anew in the middle forget their orders, and no other column does."""
    short = {"time.intervals": 30}
    envs = CloudEdgeVectorEnv(3, file, overrides=short, autoreset_mode="DISABLED")
    envs.reset(seed=[4, 5, 6])
    singles = [CloudEdgeEnv(file, overrides=short) for _ in range(3)]
    seen = [env.reset(seed=4 + n)[0] for n, env in enumerate(singles)]
    actions = np.random.default_rng(0).uniform(-1, 1, (45, *envs.action_space.shape))
    for number, action in enumerate(actions.astype(np.float32)):
        if number == 17:
            mask = np.array([False, True, False])
            envs.reset(seed=[0, 9, 0], options={"reset_mask": mask})
            singles[1].reset(seed=9)
        if number == 30:
            mask = np.array([True, False, True])
            envs.reset(seed=[7, 0, 8], options={"reset_mask": mask})
            singles[0].reset(seed=7)
            singles[2].reset(seed=8)
        batch, rewards, *_ = envs.step(action)
        for column, env in enumerate(singles):
            seen[column], reward, *_ = env.step(action[column])
            assert rewards[column] == pytest.approx(reward, abs=1e-6)
            for name, rows in seen[column].items():
                np.testing.assert_allclose(rows, batch[name][column], rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ["newsvendor", "static-peak", "two-bar", "best-tier"])
def test_an_imitated_rule_orders_what_the_rule_orders_as_far_as_the_gate_lets_it(file, name):
    env = make(file)
    env.reset(seed=1)
    imitator = Imitator(name)
    imitator.begin(env.scenario, 1)
    for _ in range(SHORT["time.intervals"]):
        action = imitator.action(env.engine)
        assert (np.abs(action) <= 1).all()
        env.step(action)
    own = play(env.scenario, rule_of(env.scenario, name), [draw_world(env.scenario, "train", 1)])

    places = env.engine.corrected.gated.load.places(env.engine.readings.tier_gbps)
    assert places.shape == (SPANS, 1)
    if name == "two-bar":
        assert env.net_usd == pytest.approx(own.net_usd[0], rel=1e-3)
    if name == "static-peak":
        assert (10.0 == env.engine.readings.tier_gbps).all()


def test_drawn_networks_pad_their_spans(tmp_path):
    overrides = {
        "offers.carrier.spans": "edge-*",
        "offers.carrier.tiers_gbps": [1.0, 5.0, 25.0],
        "offers.carrier.usd_per_h_at_1_gbps": 4.0,
        "offers.carrier.first_tier_gbps": 5.0,
        "time.intervals": 40,
        "random.record_episodes": 2,
    }
    try:
        env = CloudEdgeEnv("random-edge", overrides=overrides)
    except ScenarioError as error:
        pytest.fail(str(error))
    sold = set()
    for seed in (0, 1, 2):
        observation, _ = env.reset(seed=seed)
        network = env.engine.scenario.network
        sold.add(len(network.offers.span))
        assert len(network.offers.span) == observation["span_mask"].sum()
        rows = observation["spans"].reshape(env.scenario.sizes.spans, -1)
        assert not rows[len(network.offers.span) :].any()
        assert rows[: len(network.offers.span)].any()
        for action in actions_of(env, 3):
            observation, *_ = env.step(action)
            assert env.observation_space.contains(observation)
    assert len(sold) > 1


def test_where_nothing_is_sold_spaces_are_what_they_were():
    for name, numbers, action in (("tiny-edge", 0, 0), ("metro-inference", 0, 0)):
        env = CloudEdgeEnv(name)
        sizes = load_scenario(name).sizes
        assert "spans" not in env.observation_space.spaces
        assert sizes.spans == numbers == action
        assert (sizes.demands * (3 + sizes.tunnels),) == env.action_space.shape
        assert (4 * sizes.links,) == env.observation_space["links"].shape
