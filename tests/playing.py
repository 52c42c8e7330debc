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


class RandomRule:
    """Rates drawn anew every interval, scaled to what telemetry allows."""

    def __init__(self, network, seed):
        self.network, self.rng = network, np.random.default_rng(seed)

    def reset(self, batch):
        """Nothing to forget."""

    def decide(self, readings):
        """Random rates, the whole divided by its worst overload."""
        hops = self.network.flat_hops
        shape = (*self.network.tunnels.exists.shape, readings.offered_gbps.shape[1])
        rates = self.rng.gamma(0.3, 1.0, shape) * self.network.tunnels.exists[:, :, None]
        blocked = np.append(readings.capacity_gbps <= 0, [[False] * shape[2]], 0)[hops].any(1)
        rates = np.where(blocked.reshape(shape), 0.0, rates)
        load = np.zeros((self.network.n_links + 1, shape[2]))
        np.add.at(load, hops.ravel(), np.repeat(rates.reshape(len(hops), -1), hops.shape[1], 0))
        over = load[:-1] / np.maximum(readings.capacity_gbps, 1e-9)
        worst = np.where(readings.capacity_gbps > 0, over, 0.0).max(0)
        return (rates / np.maximum(worst, 1e-9) * (1 - 1e-6)).astype(np.float32)
