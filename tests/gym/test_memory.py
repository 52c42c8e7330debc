"""What an environment gives away is the caller's: nothing is shared, nothing can be spoilt."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from bwalloc.gym.registration import ANY

IDS = sorted(key for key in gymnasium.registry if key.startswith("bwalloc/") and key != ANY)
SHORT = {"time.intervals": 40}


def pair(env_id, kind):
    """Two equal environments, single or a batch."""
    if kind == "single":
        return [gymnasium.make(env_id, overrides=SHORT).unwrapped for _ in range(2)]
    options = {"autoreset_mode": "SAME_STEP", "overrides": SHORT}
    return [gymnasium.make_vec(env_id, 3, **options).unwrapped for _ in range(2)]


def arrays_in(value):
    """All arrays of a nested result."""
    if isinstance(value, np.ndarray):
        yield value
        if value.dtype == object:
            yield from (part for each in value for part in arrays_in(each))
    elif isinstance(value, dict):
        yield from (part for each in value.values() for part in arrays_in(each))
    elif isinstance(value, list | tuple):
        yield from (part for each in value for part in arrays_in(each))


KINDS = pytest.mark.parametrize("kind", ["single", "batch"])


@KINDS
@pytest.mark.parametrize("env_id", IDS)
def test_no_two_steps_share_memory(env_id, kind):
    env, _ = pair(env_id, kind)
    rng = np.random.default_rng(0)
    kept = [env.reset(seed=0)[0]]
    ended = False
    while not ended:
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        observation, _, _, truncated, info = env.step(action)
        kept = [*kept[-3:], observation]
        ended = np.any(truncated)
    if kind == "batch":
        kept.append(info["final_obs"])
    for place, one in enumerate(kept):
        for other in kept[place + 1 :]:
            for first in arrays_in(one):
                for second in arrays_in(other):
                    assert not np.shares_memory(first, second)


@KINDS
@pytest.mark.parametrize("env_id", IDS)
def test_what_is_done_to_results_changes_no_later_step(env_id, kind):
    env, twin = pair(env_id, kind)
    rng = np.random.default_rng(0)
    for each in arrays_in(env.reset(seed=0)):
        each.fill(7)
    twin.reset(seed=0)
    for _ in range(50 if kind == "batch" else 40):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        result, expected = env.step(action), twin.step(action.copy())
        np.testing.assert_array_equal(expected[1], result[1])
        for name, rows in expected[0].items():
            np.testing.assert_array_equal(rows, result[0][name], err_msg=name)
        for each in arrays_in(result):
            if each.dtype != object:
                each.fill(7)
        action.fill(-1)


@KINDS
@pytest.mark.parametrize("env_id", IDS)
def test_one_instance_seeded_twice_plays_the_same(env_id, kind):
    env, _ = pair(env_id, kind)
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (60, *env.action_space.shape)).astype(np.float32)
    seen = []
    for steps in (60, 13, 60):  # the second time it is reset amid an episode
        rewards = []
        observation, _ = env.reset(seed=11)
        parts = list(arrays_in(observation))
        for action in actions[:steps]:
            observation, reward, _, truncated, _ = env.step(action)
            rewards.append(reward)
            parts += arrays_in(observation)
            if kind == "single" and truncated:
                env.reset()
        seen.append((rewards, parts))

    np.testing.assert_array_equal(seen[0][0], seen[2][0])
    assert all(np.array_equal(a, b) for a, b in zip(seen[0][1], seen[2][1], strict=True))
