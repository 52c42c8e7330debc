import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from playing import actions_of, equal

import bwalloc
from bwalloc.allocate import make_rule
from bwalloc.errors import ActionError, BwallocError, ScenarioError, UnknownNameError
from bwalloc.gym.registration import ANY
from bwalloc.observe import measured
from bwalloc.scenario import draw_world, load_scenario, train_worlds
from bwalloc.sim import Episodes, Simulator

IDS = sorted(key for key in gymnasium.registry if key.startswith("bwalloc/") and key != ANY)
SHORT = {"time.intervals": 40}


def make(env_id="bwalloc/TinyEdge-v1", **options):
    return gymnasium.make(env_id, overrides=SHORT, **options)


def test_every_environment_of_the_catalogue_is_registered():
    ids = {load_scenario(slug).id for slug in bwalloc.list_scenarios()}

    assert ids == set(IDS)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("env_id", [*IDS, ANY])
def test_gymnasium_finds_nothing_wrong(env_id):
    check_env(make(env_id).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("env_id", IDS)
def test_same_seed_twice_on_one_instance_is_the_same_episode(env_id):
    env = make(env_id)
    played = []
    for _ in range(2):
        observation, _ = env.reset(seed=7)
        steps = [env.step(action)[:2] for action in actions_of(env, 5)]
        played.append([observation, *steps])

    equal(played[0][0], played[1][0])
    for (one, reward), (other, same) in zip(played[0][1:], played[1][1:], strict=True):
        equal(one, other)
        assert reward == same


@pytest.mark.parametrize("env_id", ["bwalloc/TinyEdge-v1", "bwalloc/MetroInference-v1"])
def test_action_zero_is_the_forecast_allocator_decision_by_decision(env_id):
    env = make(env_id).unwrapped
    env.reset(seed=3)
    scenario, world = env.scenario, draw_world(env.scenario, "train", 3)
    history = measured(train_worlds(scenario), scenario.timing.interval_s)
    rule = make_rule("forecast", scenario.network, history, scenario.tuned)
    simulator, episodes = Simulator(scenario), Episodes([world])
    state = simulator.start(1)
    readings = simulator.first_readings(state, episodes)
    rule.reset(1)
    for _ in range(scenario.timing.intervals):
        rates = rule.decide(readings)
        step = simulator.step(state, rates, episodes)
        state, readings = step.state, step.readings
        *_, truncated, info = env.step(np.zeros(env.action_space.shape, np.float32))

        np.testing.assert_array_equal(rates, env.engine.state.rates_gbps)
        for name, usd in step.terms.items():
            assert usd[0] == info["reward_terms"][name]
    assert truncated


def test_an_episode_ends_after_its_intervals_and_then_wants_a_reset():
    env = make()
    env.reset(seed=0)
    ends = [env.step(action)[2:4] for action in actions_of(env, 40)]

    assert [(False, False)] * 39 + [(False, True)] == ends
    with pytest.raises(BwallocError, match=r"call reset\(\)"):
        env.unwrapped.step(np.zeros(env.action_space.shape))


def test_reward_is_the_terms_over_the_scale():
    env = make()
    env.reset(seed=0)
    _, reward, _, _, info = env.step(env.action_space.sample())
    terms = info["reward_terms"]
    net = terms.pop("delivered") - sum(terms.values())

    assert net / env.unwrapped.scenario.reward_scale_usd == pytest.approx(reward)
    assert all(usd >= 0 for usd in terms.values())


def test_observations_share_no_memory_with_the_next():
    env = make()
    before, _ = env.reset(seed=0)
    kept = copy.deepcopy(before)
    after, *_ = env.step(env.action_space.sample())

    equal(kept, before)
    for name in before:
        assert not np.shares_memory(before[name], after[name])


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("how", ["random", "low", "high"])
def test_observations_and_rewards_stay_in_their_spaces(env_id, how):
    env = make(env_id)
    env.reset(seed=1)
    for action in actions_of(env, 60):
        used = {"low": action * 0 - 1, "high": action * 0 + 1}.get(how, action)
        observation, reward, _, truncated, info = env.step(used)

        assert env.observation_space.contains(observation)
        assert np.isfinite(reward)
        assert 0 == info["violations"]
        if truncated:
            env.reset()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: np.full_like(a, np.nan), r"Action\[0\]: got nan"),
        (lambda a: np.where(np.arange(a.size) == 6, np.inf, a), r"Action\[6\]: got inf"),
        (lambda a: a[:-1], r"got shape .* expected"),
        (lambda a: a[None], r"got shape"),
        (lambda a: "full speed", r"got str"),
    ],
)
def test_a_bad_action_is_refused_and_changes_nothing(spoil, message):
    env, same = make().unwrapped, make().unwrapped
    env.reset(seed=0)
    same.reset(seed=0)
    good = np.zeros(env.action_space.shape, np.float32)
    with pytest.raises(ActionError, match=message):
        env.step(spoil(good))

    equal(env.step(good)[0], same.step(good)[0])


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_where_the_original_was(clone):
    env = make()
    env.reset(seed=0)
    actions = actions_of(env, 6)
    for action in actions[:3]:
        env.step(action)
    other = clone(env)

    for action in actions[3:]:
        equal(env.step(action)[0], other.step(action)[0])


def test_set_state_goes_back():
    env = make().unwrapped
    env.reset(seed=0)
    actions = actions_of(env, 8)
    env.step(actions[0])
    kept = env.get_state()
    first = [env.step(action)[:2] for action in actions[1:]]
    env.reset()
    env.set_state(kept)
    second = [env.step(action)[:2] for action in actions[1:]]

    for (one, reward), (other, same) in zip(first, second, strict=True):
        equal(one, other)
        assert reward == same
    with pytest.raises(BwallocError, match="'engine' is missing"):
        env.set_state({"choice": None, "net_usd": 0.0, "generator": {}})


def test_a_state_from_before_the_first_reset_wants_a_reset():
    env = make().unwrapped
    kept = env.get_state()
    env.reset(seed=0)
    env.set_state(kept)

    with pytest.raises(BwallocError, match=r"call reset\(\)"):
        env.step(np.zeros(env.action_space.shape))
    env.reset(seed=0)
    env.step(np.zeros(env.action_space.shape))


def test_options_choose_split_start_and_overrides():
    env = make().unwrapped
    _, info = env.reset(seed=4, options={"split": "test", "start": 12.0})
    np.testing.assert_array_equal(
        draw_world(env.scenario, "test", 4, start_h=12.0).arrivals_gbit,
        env.engine.episodes.arrivals[0],
    )
    assert {"seed": 4, "split": "test"} == info

    env.reset(seed=4, options={"overrides": {"surge.scale": 2.0}})
    assert env.engine.scenario.digest != env.scenario.digest
    env.reset(seed=4)
    assert env.engine.scenario is env.scenario


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"spilt": "test"}, UnknownNameError, "No reset option called 'spilt'. Nearest: 'split'"),
        ({"split": "tets"}, UnknownNameError, "No split called 'tets'. Nearest: 'test'"),
        ({"start": 200.0}, ScenarioError, "start: got 200.0"),
        ({"overrides": {"surge.scael": 2}}, ScenarioError, "scale"),
        ({"overrides": {"tunnels.per_demand": 2, "demands.kv_transfer-up.from": "edge-1"}},
         ScenarioError, "changes the size of the spaces"),
    ],
)  # fmt: skip
def test_wrong_options_are_named(options, error, message):
    with pytest.raises(error, match=message):
        make().unwrapped.reset(seed=0, options=options)


def test_step_before_reset_is_refused():
    env = make().unwrapped
    with pytest.raises(BwallocError, match=r"call reset\(\)"):
        env.step(np.zeros(env.action_space.shape))


def test_wrappers_of_gymnasium_work():
    env = gymnasium.wrappers.FlattenObservation(make())
    env = gymnasium.wrappers.NormalizeObservation(gymnasium.wrappers.NormalizeReward(env))
    observation, _ = env.reset(seed=0)
    after, *_ = env.step(env.action_space.sample())

    assert env.observation_space.shape == observation.shape == after.shape
