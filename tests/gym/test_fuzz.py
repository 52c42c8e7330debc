"""Any actions, for thousands of steps: what comes back is finite, and errors leave no trace."""

from __future__ import annotations

import itertools

import gymnasium
import numpy as np
import pytest
from playing import equal

from bwalloc.errors import ActionError
from bwalloc.gym.registration import ANY
from bwalloc.scenario import SPLITS

IDS = sorted(key for key in gymnasium.registry if key.startswith("bwalloc/") and key != ANY)
BATCH = 4
EVERY = 25
"""Good actions between two bad ones."""


def actions(how, shape, count, rng):
    """`count` actions of one kind, each float32 `shape`."""
    uniform = rng.uniform(-1, 1, (count, *shape)).astype(np.float32)
    kinds = {
        "random": lambda: uniform,
        "constant": lambda: np.broadcast_to(uniform[0], uniform.shape),
        "zero": lambda: uniform * 0,
        "low": lambda: uniform * 0 - 1,
        "high": lambda: uniform * 0 + 1,
        "corners": lambda: np.sign(uniform),
        "flipping": lambda: np.sign(uniform[:1]) * (-1) ** np.arange(count).reshape(-1, 1),
        "spikes": lambda: np.where(rng.random(uniform.shape) < 0.02, np.sign(uniform), 0),
        "beyond": lambda: uniform * np.float32(3e38),
        "smallest": lambda: uniform * np.float32(1e-40),
    }
    return kinds[how]().astype(np.float32).reshape(count, *shape)


HOWS = (
    "random", "constant", "zero", "low", "high", "corners", "flipping", "spikes", "beyond",
    "smallest",
)  # fmt: skip


def spoilt(good, rng):
    """Bad actions of every kind."""
    for value in (np.nan, np.inf, -np.inf):
        one = good.copy()
        one.flat[rng.integers(one.size)] = value
        yield one
        yield np.full_like(good, value)
    yield from (good[..., :-1], good[None], good[..., :0], np.float32(0.5), np.append(good, 0))
    yield from ("full speed", None, {"rate": 1.0}, [good.tolist(), [1.0]], object())
    yield from (good.astype(complex), np.full(good.shape, "1.0"), np.full(good.shape, None))


def episodes(env, limit, rng):
    """(seed, options, actions) of episodes of every kind and split, until `limit` steps."""
    whole = env.scenario.timing.intervals
    kinds = zip(itertools.cycle(HOWS), itertools.cycle(SPLITS), strict=False)
    for seed, played in enumerate(range(0, limit, whole)):
        how, split = next(kinds)
        count = min(whole, limit - played)
        yield seed, {"split": split}, actions(how, env.action_space.shape, count, rng)


def checked(reward, info):
    assert np.isfinite(reward).all()
    assert not np.any(info["violations"])
    for usd in info["reward_terms"].values():
        assert np.isfinite(usd).all()
        assert np.min(usd) >= 0


def play_alone(env_id, steps):
    """One environment hears bad actions too, its twin does not: both play the same."""
    rng = np.random.default_rng(0)
    env, twin = (gymnasium.make(env_id).unwrapped for _ in range(2))
    for seed, options, chosen in episodes(env, steps, rng):
        first, _ = env.reset(seed=seed, options=options)
        equal(first, twin.reset(seed=seed, options=options)[0])
        for number, action in enumerate(chosen):
            if number % EVERY == 0:
                for bad in spoilt(action, rng):
                    with pytest.raises(ActionError, match=r"^Action.*expected"):
                        env.step(bad)
            observation, reward, terminated, truncated, info = env.step(action)
            other, same, *_ = twin.step(action)

            equal(other, observation)
            assert same == reward
            assert env.observation_space.contains(observation)
            assert not terminated
            assert truncated == (number + 1 == env.scenario.timing.intervals)
            checked(reward, info)


def play_together(env_id, steps):
    """As `play_alone`, for the native batch."""
    rng = np.random.default_rng(1)
    env, twin = (gymnasium.make_vec(env_id, BATCH).unwrapped for _ in range(2))
    for seed, options, chosen in episodes(env, steps // BATCH, rng):
        first, _ = env.reset(seed=seed, options=options)
        equal(first, twin.reset(seed=seed, options=options)[0])
        for number, action in enumerate(chosen):
            if number % EVERY == 0:
                for bad in spoilt(action, rng):
                    with pytest.raises(ActionError, match=r"^Action.*expected"):
                        env.step(bad)
            observation, reward, *_, info = env.step(action)
            other, same, *_ = twin.step(action)

            equal(other, observation)
            np.testing.assert_array_equal(same, reward)
            assert env.observation_space.contains(observation)
            checked(reward, info)


@pytest.mark.parametrize("kind", [np.float64, np.float16, np.int64, bool, list])
def test_finite_numbers_of_any_type_and_size_are_taken(kind):
    env, twin = (gymnasium.make("bwalloc/TinyEdge-v1").unwrapped for _ in range(2))
    env.reset(seed=0)
    twin.reset(seed=0)
    ones = np.ones(env.action_space.shape, np.float32)
    given = ones.astype(kind) if kind is not list else ones.tolist()
    if kind is np.float64:
        given = given * 1e300

    equal(twin.step(ones)[0], env.step(given)[0])


@pytest.mark.parametrize("env_id", IDS)
def test_any_actions_for_500_steps(env_id):
    play_alone(env_id, 340)
    play_together(env_id, 160)


@pytest.mark.slow
@pytest.mark.parametrize("env_id", IDS)
def test_any_actions_for_10_000_steps(env_id):
    play_alone(env_id, 7_200)
    play_together(env_id, 2_800)
