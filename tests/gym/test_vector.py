import copy

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from playing import actions_of

from bwalloc.errors import ActionError, BwallocError, UnknownNameError

IDS = sorted(key for key in gymnasium.registry if key.startswith("bwalloc/"))
SHORT = {"time.intervals": 40}


def make(env_id="bwalloc/TinyEdge-v1", num_envs=3, **options):
    return gymnasium.make_vec(env_id, num_envs=num_envs, overrides=SHORT, **options)


def close(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_allclose(first[name], second[name], rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("env_id", IDS)
def test_a_batch_plays_what_its_episodes_play_alone(env_id):
    batch = make(env_id)
    alone = [gymnasium.make(env_id, overrides=SHORT) for _ in range(3)]
    together, _ = batch.reset(seed=5)
    for row, env in enumerate(alone):
        close(env.reset(seed=5 + row)[0], {name: rows[row] for name, rows in together.items()})
    for actions in actions_of(batch, 39):
        together, rewards, *_, infos = batch.step(actions)
        for row, env in enumerate(alone):
            observation, reward, *_, info = env.step(actions[row])

            close(observation, {name: rows[row] for name, rows in together.items()})
            assert reward == pytest.approx(rewards[row], rel=1e-4, abs=1e-6)
            delivered = infos["reward_terms"]["delivered"][row]
            assert info["reward_terms"]["delivered"] == pytest.approx(delivered, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("env_id", IDS)
def test_same_step_autoreset_gives_the_last_observation_and_the_first_of_the_next(env_id):
    batch = make(env_id)
    batch.reset(seed=0)
    assert AutoresetMode.SAME_STEP is batch.metadata["autoreset_mode"]
    for number, actions in enumerate(actions_of(batch, 41)):
        observation, _, terminated, truncated, info = batch.step(actions)
        assert not terminated.any()
        assert (number == 39) == truncated.all()
        assert batch.observation_space.contains(observation)
        if number == 39:
            assert info["_final_obs"].all()
            assert batch.single_observation_space.contains(info["final_obs"][1])
            assert (info["final_info"]["interval"] == 40).all()
            alone = gymnasium.make(env_id, overrides=SHORT)
            first, _ = alone.reset(seed=batch.unwrapped.choices[2].seed)
            close(first, {name: rows[2] for name, rows in observation.items()})
    assert (info["interval"] == 1).all()


def test_episodes_that_end_at_different_times_do_not_disturb_each_other():
    batch = make(autoreset_mode="DISABLED")
    batch.reset(seed=0)
    actions = actions_of(batch, 30)
    for action in actions[:10]:
        batch.step(action)
    mask = np.array([False, True, False])
    batch.reset(seed=[0, 9, 0], options={"reset_mask": mask})
    alone = gymnasium.make("bwalloc/TinyEdge-v1", overrides=SHORT)
    alone.reset(seed=9)
    for action in actions[10:]:
        together, *_ = batch.step(action)
        observation, *_ = alone.step(action[1])
        close(observation, {name: rows[1] for name, rows in together.items()})


def test_a_finished_episode_without_autoreset_must_be_reset():
    batch = make(autoreset_mode=AutoresetMode.DISABLED)
    batch.reset(seed=0)
    for actions in actions_of(batch, 40):
        *_, truncated, _ = batch.step(actions)
    assert truncated.all()
    with pytest.raises(BwallocError, match="Episode 0 is over"):
        batch.step(actions)


def test_seeds_decide_the_episodes_after_the_first_too():
    seen = []
    for _ in range(2):
        batch = make()
        batch.reset(seed=3)
        seen.append([batch.step(actions)[1] for actions in actions_of(batch, 60)])

    np.testing.assert_array_equal(seen[0], seen[1])


@pytest.mark.parametrize("num_envs", [1, 3])
def test_overrides_of_a_reset_hold_until_its_episodes_end(num_envs):
    batch = make(num_envs=num_envs).unwrapped
    batch.reset(seed=0)
    options = {"overrides": {"surge.scale": 2.0}}
    batch.reset(seed=0, options=options)
    alone = gymnasium.make("bwalloc/TinyEdge-v1", overrides=SHORT).unwrapped
    alone.reset(seed=0, options=options)
    digests = []
    for actions in actions_of(batch, 41):
        digests.append(batch.lanes[0].engine.scenario.digest)
        batch.step(actions)

    assert 40 * [alone.engine.scenario.digest] + [batch.scenario.digest] == digests


def test_overrides_for_a_part_of_a_batch_are_refused():
    batch = make()
    batch.reset(seed=0)
    options = {"overrides": {"surge.scale": 2.0}, "reset_mask": np.array([True, False, False])}

    with pytest.raises(BwallocError, match="share one network; begin all of them"):
        batch.reset(seed=0, options=options)
    batch.unwrapped.set_state(batch.unwrapped.get_state())
    assert 3 == len(batch.step(actions_of(batch, 1)[0])[1])


@pytest.mark.parametrize("seed", [-1, [0, 1, -1], [0, 1, 2.5], [0, 1], [0, 1, 2, 3]])
def test_seeds_that_make_no_sense_are_refused(seed):
    with pytest.raises(BwallocError, match="seed: got"):
        make().reset(seed=seed)


def test_set_state_goes_back():
    batch = make().unwrapped
    batch.reset(seed=0)
    actions = actions_of(batch, 50)
    for action in actions[:5]:
        batch.step(action)
    kept = batch.get_state()
    first = [batch.step(action)[1] for action in actions[5:]]
    batch.set_state(kept)

    np.testing.assert_array_equal(first, [batch.step(action)[1] for action in actions[5:]])


def test_a_copy_goes_on_where_the_original_was():
    batch = make()
    batch.reset(seed=0)
    actions = actions_of(batch, 45)
    for action in actions[:3]:
        batch.step(action)
    other = copy.deepcopy(batch)
    for action in actions[3:]:
        np.testing.assert_array_equal(batch.step(action)[1], other.step(action)[1])


def test_a_bad_action_is_refused_and_changes_nothing():
    batch, same = make(), make()
    batch.reset(seed=0)
    same.reset(seed=0)
    good = np.zeros(batch.action_space.shape, np.float32)
    bad = good.copy()
    bad[1, 8] = np.nan
    with pytest.raises(ActionError, match=r"Action\[1, 8\]: got nan"):
        batch.step(bad)

    np.testing.assert_array_equal(batch.step(good)[1], same.step(good)[1])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_envs": 0}, BwallocError, "num_envs: got 0"),
        ({"autoreset_mode": "NEXT_STEP"}, UnknownNameError, "No autoreset mode called 'NEXT_STEP'"),
        ({"split": "tset"}, UnknownNameError, "Nearest: 'test'"),
        ({"render_mode": "rgb_array"}, BwallocError, "only single environments draw"),
    ],
)
def test_wrong_options_are_named(options, error, message):
    from bwalloc.gym import CloudEdgeVectorEnv

    with pytest.raises(error, match=message):
        CloudEdgeVectorEnv(**{"num_envs": 2, "env": "tiny-edge", **options})


def test_step_before_reset_is_refused():
    batch = make().unwrapped
    with pytest.raises(BwallocError, match=r"call reset\(\)"):
        batch.step(np.zeros(batch.action_space.shape))
