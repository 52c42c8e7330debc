"""The compact replay memory holds what was put in, once, and within its limit."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from stable_baselines3.common.buffers import DictReplayBuffer

from bwalloc.gym import CompactReplay, make_sb3

TINY = "bwalloc/TinyEdge-v1"
ENVS = 3


def filled(steps, size=30, **options):
    """Both kinds of memory after the same steps; episodes of 40 intervals."""
    env = make_sb3(TINY, ENVS, seed=0, monitor=False, overrides={"time.intervals": 40})
    spaces = (env.observation_space, env.action_space)
    compact = CompactReplay(size, *spaces, device="cpu", n_envs=ENVS, **options)
    usual = DictReplayBuffer(size, *spaces, device="cpu", n_envs=ENVS)
    rng = np.random.default_rng(0)
    observation = env.reset()
    for _ in range(steps):
        actions = rng.uniform(-1, 1, (ENVS, *env.action_space.shape)).astype(np.float32)
        after, rewards, dones, infos = env.step(actions)
        following = {name: rows.copy() for name, rows in after.items()}
        for row in np.flatnonzero(dones):
            for name in following:
                following[name][row] = infos[row]["terminal_observation"][name]
        for memory in (compact, usual):
            memory.add(observation, following, actions, rewards, dones, infos)
        observation = after
    return compact, usual


def samples(memory, rows, columns):
    """Chosen transitions of either kind."""
    if isinstance(memory, CompactReplay):
        return memory._samples(rows, columns, None)
    drawn = np.random.randint
    try:
        np.random.randint = lambda *_, **__: columns
        return memory._get_samples(rows)
    finally:
        np.random.randint = drawn


@pytest.mark.parametrize("steps", [7, 40, 45, 83])
def test_it_gives_back_what_the_memory_of_sb3_does(steps):
    compact, usual = filled(steps, size=30)
    assert (usual.pos, usual.full) == (compact.pos, compact.full)
    valid = [row for row in range(usual.size()) if not (compact.full and row == compact.pos)]
    rows = np.repeat(valid, ENVS)
    columns = np.tile(np.arange(ENVS), len(valid))
    ours, theirs = samples(compact, rows, columns), samples(usual, rows, columns)

    for part in ("observations", "next_observations"):
        for name, values in getattr(theirs, part).items():
            np.testing.assert_allclose(values, getattr(ours, part)[name], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(theirs.actions, ours.actions, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(theirs.rewards, ours.rewards)
    np.testing.assert_array_equal(theirs.dones, ours.dones)


def test_the_row_that_is_overwritten_next_is_never_drawn(monkeypatch):
    compact, _ = filled(37, size=30)
    drawn = []
    monkeypatch.setattr(compact, "_samples", lambda rows, columns, env: drawn.extend(rows))
    compact.sample(2_000)

    assert compact.full
    assert set(range(10)) - {compact.pos} == set(drawn)


def test_what_followed_overwritten_rows_is_forgotten():
    compact, _ = filled(40 + 9, size=30)
    assert ENVS == len(compact.final)
    compact, _ = filled(40 + 10, size=30)
    assert {} == compact.final


def test_a_memory_that_is_too_large_is_made_shorter():
    compact, usual = filled(1, size=30_000, limit_bytes=2**20)

    assert 0.9 * 2**20 < compact.nbytes < 2**20
    assert compact.buffer_size < usual.buffer_size


def test_metro_inference_takes_at_most_2_gib_out_of_the_box():
    env = make_sb3("bwalloc/MetroInference-v1", 1)
    memory = CompactReplay(1_000_000, env.observation_space, env.action_space)

    assert memory.nbytes <= 2 * 1024**3
    assert memory.buffer_size > 500_000


def test_it_is_a_quarter_of_the_memory_of_sb3():
    compact, usual = filled(1, size=3_000)
    theirs = sum(
        a.nbytes for a in [*usual.observations.values(), *usual.next_observations.values()]
    )
    theirs += usual.actions.nbytes + usual.rewards.nbytes + usual.dones.nbytes
    assert compact.nbytes < 0.3 * theirs
