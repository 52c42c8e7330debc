"""The recipes for rl_zoo3 are what Stable-Baselines3 takes, and train."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest

sb3 = pytest.importorskip("stable_baselines3")
yaml = pytest.importorskip("yaml")

from bwalloc.gym import make_sb3  # noqa: E402

FOLDER = Path(__file__).parents[2] / "benchmarks" / "rl_zoo3"
ALGORITHMS = ("ppo", "sac")
NOT_OF_THE_CONSTRUCTOR = ("n_envs", "n_timesteps", "policy")
SHORT = {"time.intervals": 40}


def recipes(algorithm):
    return yaml.safe_load((FOLDER / f"{algorithm}.yml").read_text(encoding="utf-8"))


CASES = [(algorithm, key) for algorithm in ALGORITHMS for key in recipes(algorithm)]


def arguments(recipe):
    """What rl_zoo3 makes of a recipe: falling schedules, and Python in quotes."""
    given = {key: value for key, value in recipe.items() if key not in NOT_OF_THE_CONSTRUCTOR}
    for key, value in given.items():
        if isinstance(value, str) and value.startswith("lin_"):
            start = float(value.removeprefix("lin_"))
            given[key] = lambda left, start=start: left * start
    given["policy_kwargs"] = eval(given["policy_kwargs"], {"__builtins__": {}, "dict": dict})
    return given


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_environment_named_is_registered(algorithm):
    named = set(recipes(algorithm)) - {"default"}

    assert named <= set(gymnasium.registry)
    assert "default" in recipes(algorithm)


@pytest.mark.parametrize(("algorithm", "key"), CASES)
def test_a_recipe_trains(algorithm, key):
    recipe = recipes(algorithm)[key]
    env_id = "bwalloc/TinyEdge-v1" if key == "default" else key
    n_envs = 2
    env = make_sb3(env_id, n_envs, seed=0, overrides=SHORT)
    less = {
        "ppo": {"n_steps": 20, "batch_size": 20},
        "sac": {"learning_starts": 20, "batch_size": 32, "buffer_size": 200, "gradient_steps": 1},
    }[algorithm]
    given = arguments(recipe)
    assert set(less) <= set(given)
    model = getattr(sb3, algorithm.upper())(recipe["policy"], env, seed=0, **{**given, **less})
    model.learn(2 * n_envs * 20)
    actions, _ = model.predict(env.reset(), deterministic=True)

    assert np.isfinite(actions).all()
    assert model._n_updates > 0


@pytest.mark.parametrize("key", recipes("ppo"))
def test_batches_of_ppo_divide_its_rollouts(key):
    recipe = recipes("ppo")[key]
    assert 0 == recipe["n_envs"] * recipe["n_steps"] % recipe["batch_size"]


@pytest.mark.parametrize("key", sorted(set(recipes("sac")) - {"default"}))
def test_the_replay_memory_of_sac_takes_at_most_2_gib(key):
    env = gymnasium.make(key)
    numbers = gymnasium.spaces.flatdim(env.observation_space)
    row = 4 * (2 * numbers + env.action_space.shape[0] + 3)

    assert recipes("sac")[key]["buffer_size"] * row <= 2 * 1024**3
