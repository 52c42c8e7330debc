"""What tests of environments have in common: actions to play, observations to compare."""

import numpy as np


def actions_of(env, count, seed=0):
    """Random actions in [-1, 1], one for each of `count` steps."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (count, *env.action_space.shape)).astype(np.float32)


def equal(first, second):
    """Both observations hold the same numbers to the last bit."""
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
