"""Environments that draw a network at every reset."""

import copy
import pickle
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from playing import actions_of, equal

from bwalloc.allocate import make_rule
from bwalloc.gym import RegretInfo
from bwalloc.gym.engine import Engine
from bwalloc.gym.spaces import n_sold, split_action
from bwalloc.observe import measured
from bwalloc.scenario import draw_world, load_template, train_worlds
from bwalloc.scenario.build import sizes_of
from bwalloc.sim import Episodes, Simulator

SHORT = {"time.intervals": 40}
TEMPLATE = load_template("random-edge", SHORT)
ENV_ID = TEMPLATE.env.id


def make(**options):
    return gymnasium.make(ENV_ID, overrides=SHORT, **options).unwrapped


def make_vec(num_envs=3, **options):
    return gymnasium.make_vec(ENV_ID, num_envs=num_envs, overrides=SHORT, **options).unwrapped


def test_every_reset_plays_the_network_of_its_split_and_seed():
    env, seen = make(), set()
    for split, seed in (("train", 0), ("train", 1), ("test", 1), ("ood", 2)):
        env.reset(seed=seed, options={"split": split})
        scenario = TEMPLATE.scenario(split, seed)
        world = draw_world(scenario, split, seed)

        assert scenario.digest == env.engine.scenario.digest
        np.testing.assert_array_equal(world.arrivals_gbit, env.engine.episodes.arrivals[0])
        seen.add(scenario.digest)
    assert 4 == len(seen)


def test_resets_without_a_seed_draw_other_networks():
    env = make()
    env.reset(seed=0)
    digests = set()
    for _ in range(4):
        env.reset()
        digests.add(env.engine.scenario.digest)

    assert 4 == len(digests)


def test_overrides_of_one_episode_change_that_episode():
    env = make()
    env.reset(seed=1, options={"overrides": {"surge.scale": 2.0}})
    scenario = load_template("random-edge", {**SHORT, "surge.scale": 2.0}).scenario("train", 1)
    assert scenario.digest == env.engine.scenario.digest

    env.reset(seed=1)
    assert TEMPLATE.scenario("train", 1).digest == env.engine.scenario.digest


def test_action_zero_is_the_forecast_allocator_on_every_network():
    env = make()
    for seed in range(3):
        env.reset(seed=seed)
        scenario = TEMPLATE.scenario("train", seed)
        history = measured(train_worlds(scenario), scenario.timing.interval_s)
        rule = make_rule("forecast", scenario.network, history, scenario.tuned)
        simulator = Simulator(scenario)
        episodes = Episodes([draw_world(scenario, "train", seed)])
        state = simulator.start(1)
        readings = simulator.first_readings(state, episodes)
        rule.reset(1)
        for _ in range(scenario.timing.intervals):
            rates = rule.decide(readings)
            step = simulator.step(state, rates, episodes)
            state, readings = step.state, step.readings
            env.step(np.zeros(env.action_space.shape, np.float32))

            np.testing.assert_array_equal(rates, env.engine.state.rates_gbps)


def test_masks_mark_the_rows_of_the_network_and_the_rest_is_0():
    env = make()
    for seed in range(4):
        observation, _ = env.reset(seed=seed)
        observation, *_ = env.step(actions_of(env, 1)[0])
        network, sizes = env.engine.scenario.network, env.scenario.sizes
        demands, links = observation["demand_mask"], observation["link_mask"]
        tunnels = observation["tunnel_mask"].reshape(sizes.demands, sizes.tunnels)

        assert [1.0] * network.n_demands == demands[: network.n_demands].tolist()
        assert [1.0] * network.n_links == links[: network.n_links].tolist()
        assert network.n_demands == demands.sum()
        assert network.n_links == links.sum()
        there = np.zeros_like(tunnels)
        there[: network.n_demands, : network.n_tunnels] = network.tunnels.exists
        np.testing.assert_array_equal(there, tunnels)
        for kind, mask in (("demands", demands), ("links", links), ("tunnels", tunnels.ravel())):
            rows = observation[kind].reshape(len(mask), -1)
            assert not rows[mask == 0].any(), kind
        assert observation["demands"].reshape(sizes.demands, -1)[demands == 1].any(1).all()


def test_padding_changes_nothing():
    """The network of an episode, alone and unpadded, plays the same under the same action."""
    env = make()
    env.reset(seed=2)
    scenario, sizes = env.engine.scenario, env.scenario.sizes
    network = scenario.network
    bare = replace(scenario, sizes=sizes_of(network))
    engine = Engine(bare, 1)
    engine.restart(np.array([0]), [draw_world(bare, "train", 2)])
    for action in actions_of(env, 20):
        rows, about = split_action(action[None], sizes)
        used = rows[:, : network.n_demands, : 3 + network.n_tunnels]
        bars = about[:, : n_sold(network)]
        alone = engine.step(np.concatenate([used.reshape(1, -1), bars.reshape(1, -1)], 1))
        observation, reward, *_ = env.step(action)

        assert alone.reward[0] == reward
        seen = engine.observe()
        for kind in {"demands", "links", "spans"} & seen.keys():
            count = seen[kind].shape[1]
            np.testing.assert_array_equal(seen[kind][0], observation[kind][:count])


def test_numbers_of_rows_that_pad_are_ignored():
    one, other = make(), make()
    observation, _ = one.reset(seed=3)
    other.reset(seed=3)
    sizes = one.scenario.sizes
    pads = observation["demand_mask"] == 0
    unsold = observation.get("span_mask", np.ones(0)) == 0
    for action in actions_of(one, 10):
        rows, about = (part[0].copy() for part in split_action(action[None], sizes))
        rows[pads], about[unsold] = -rows[pads], -about[unsold]

        equal(one.step(action)[0], other.step(np.append(rows, about))[0])


def test_a_batch_plays_what_its_episodes_play_alone_over_the_end_of_an_episode():
    batch, alone = make_vec(), [make() for _ in range(3)]
    together, _ = batch.reset(seed=5)
    for row, env in enumerate(alone):
        equal(env.reset(seed=5 + row)[0], {name: rows[row] for name, rows in together.items()})
    for actions in actions_of(batch, 45):
        coming = list(batch.coming)
        together, rewards, _, ends, infos = batch.step(actions)
        for row, env in enumerate(alone):
            observation, reward, *_, ended, info = env.step(actions[row])
            if ended:
                observation, _ = env.reset(seed=coming[row])

            equal(observation, {name: rows[row] for name, rows in together.items()})
            assert rewards[row] == reward
            assert ends[row] == ended
            kept = infos["slo"]["kv_transfer"]["attained_gbit"][row]
            assert info["slo"]["kv_transfer"]["attained_gbit"] == kept


def test_columns_that_began_on_one_network_may_go_on_with_their_own():
    batch = make_vec()
    first, _ = batch.reset(seed=[7, 7, 7])
    np.testing.assert_array_equal(first["links"][0], first["links"][2])
    second, _ = batch.reset(seed=[7, 8, 9])

    np.testing.assert_array_equal(first["links"][0], second["links"][0])
    assert 3 == len({lane.engine.scenario.digest for lane in batch.lanes})


@pytest.mark.parametrize("made", [make, make_vec])
def test_states_go_back_to_the_network_they_were_of(made):
    env = made()
    env.reset(seed=0)
    actions = actions_of(env, 8)
    env.step(actions[0])
    kept = pickle.loads(pickle.dumps(env.get_state()))
    first = [env.step(action)[:2] for action in actions[1:]]
    env.reset(seed=9)
    env.set_state(kept)

    for action, (observation, reward) in zip(actions[1:], first, strict=True):
        again, same, *_ = env.step(action)
        equal(observation, again)
        np.testing.assert_array_equal(reward, same)


@pytest.mark.parametrize("made", [make, make_vec])
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_where_the_original_was(made, clone):
    env = made()
    env.reset(seed=0)
    actions = actions_of(env, 45)
    env.step(actions[0])
    other = clone(env)
    for action in actions[1:20]:
        equal(env.step(action)[0], other.step(action)[0])


def test_regret_is_that_of_the_network_that_was_played():
    env = RegretInfo(make(), rival="forecast", bound=False)
    for seed in (0, 1):
        env.reset(seed=seed)
        truncated = False
        while not truncated:
            *_, truncated, info = env.step(np.zeros(env.action_space.shape, np.float32))

        assert info["regret"]["net_usd"] == pytest.approx(info["regret"]["rival_usd"], rel=1e-6)


def test_every_network_is_drawn_as_a_picture():
    pytest.importorskip("matplotlib")
    env = make(render_mode="rgb_array")
    pictures = []
    for seed in (0, 1):
        env.reset(seed=seed)
        env.step(actions_of(env, 1)[0])
        pictures.append(env.render())
    env.close()

    assert pictures[0].shape == pictures[1].shape
    assert np.uint8 == pictures[0].dtype
    assert (pictures[0] != pictures[1]).mean() > 0.005


def test_drawn_networks_are_kept_but_not_without_end():
    env = make()
    for seed in range(70):
        env.catalogue.scenario_of(env.catalogue.choose(seed, None))

    assert 64 == len(env.catalogue.template._kept)


def test_sb3_steps_a_batch_of_networks_over_their_end():
    pytest.importorskip("stable_baselines3")
    from bwalloc.gym import make_sb3

    env = make_sb3(ENV_ID, 2, seed=0, overrides=SHORT)
    env.reset()
    for _ in range(40):
        observation, _, dones, infos = env.step(np.zeros((2, *env.action_space.shape), np.float32))

    assert dones.all()
    for row in range(2):
        last = infos[row]["terminal_observation"]
        assert env.observation_space.contains(last)
        assert not np.array_equal(last["links"], observation["links"][row])
