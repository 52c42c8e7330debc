"""Floors, residency and encryption hold in every decision of every allocator on national-mixed."""

import numpy as np
import pytest

from bwalloc.allocate import CLASSICAL
from bwalloc.bench.tasks import Setting, batches_of, rule_of
from bwalloc.network.privacy import private_tunnels
from bwalloc.sim.play import play

SHORT = {
    "time.intervals": 16,
    "time.warmup_intervals": 2,
    "failures.accelerate": 30.0,
}
(BATCH,) = batches_of(Setting("national-mixed", "train", 2, overrides=SHORT))
NETWORK = BATCH.scenario.network


class Watched:
    """A rule whose decisions are kept with the capacities that they answered."""

    def __init__(self, rule):
        self.rule, self.seen = rule, []

    def reset(self, batch):
        self.rule.reset(batch)

    def decide(self, readings):
        rates = self.rule.decide(readings)
        self.seen.append((rates, np.array(readings.capacity_gbps)))
        return rates

    def __getattr__(self, name):
        return getattr(self.rule, name)


def loads(rates):
    """Load of each link, (links, B)."""
    flat = rates.reshape(-1, rates.shape[2]).astype(float)
    total = np.zeros((NETWORK.n_links + 1, rates.shape[2]))
    for hop in range(NETWORK.flat_hops.shape[1]):
        np.add.at(total, NETWORK.flat_hops[:, hop], flat)
    return total[:-1]


def reachable(capacity):
    """Whether a demand has a tunnel whose links are all up, (demands, B)."""
    up = np.concatenate([capacity > 0, np.ones_like(capacity[:1], bool)])
    return (up[NETWORK.tunnels.hops].all(2) & NETWORK.tunnels.exists[:, :, None]).any(1)


def fits(capacity):
    """Whether floors obviously fit: half of every link would hold them on any of its tunnels."""
    worst = np.zeros(NETWORK.n_links + 1)
    for demand, floor in enumerate(NETWORK.demands.floor_gbps):
        worst[np.unique(NETWORK.tunnels.hops[demand])] += floor
    return (worst[:-1, None] <= np.where(capacity > 0, capacity, np.inf) / 2).all(0)


@pytest.mark.parametrize("name", CLASSICAL)
def test_no_decision_breaks_a_promise(name):
    watched = Watched(rule_of(BATCH.scenario, name))
    played = play(BATCH.scenario, watched, BATCH.worlds)
    legal, floor = private_tunnels(NETWORK), NETWORK.demands.floor_gbps[:, None]
    kept = 0
    for rates, capacity in watched.seen:
        assert not rates[~legal].any()
        assert (loads(rates) <= capacity * (1 + 1e-5) + 1e-6).all()
        promised = fits(capacity) & reachable(capacity) & (floor > 0)
        assert (rates.sum(1) >= floor * (1 - 1e-4))[promised].all()
        kept += promised.sum()

    assert 0 == played.violations
    assert kept > 0


def test_there_is_something_to_break():
    """Links fail in these episodes, floors are promised, and some tunnels are forbidden."""
    changes = sum((np.diff(world.capacity_gbps, axis=0) != 0).any() for world in BATCH.worlds)

    assert changes
    assert (NETWORK.demands.floor_gbps > 0).sum() > 30
    assert sum(bool(each) for each in NETWORK.demands.residency) > 30
