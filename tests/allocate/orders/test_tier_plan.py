"""The dynamic programme of tiers is exact, and the simulator bills its paths as it does."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordering import ports, steady_world

from bwalloc.allocate.orders.tier_plan import NO_ORDER, TierPlanner
from bwalloc.scenario import draw_world
from bwalloc.sim import Episodes, Simulator

TERMS = {
    "time.intervals": 7,
    "offers.carrier.tiers_gbps": [2, 5, 10],
    "offers.carrier.min_billed_s": 180,
    "offers.carrier.billed_every_s": 120,
    "offers.carrier.order_every_s": 60,
    "offers.carrier.delay_median_s": 60,
    "offers.carrier.delay_sigma": 1.0,
    "offers.carrier.rejection": 0.2,
}


def simulated(scenario, worlds, orders):
    """Tier in each interval and counted bill of the first span, columns side by side."""
    simulator, episodes = Simulator(scenario), Episodes(worlds)
    state = simulator.start(len(worlds))
    rates = np.zeros((*scenario.network.tunnels.exists.shape, len(worlds)), np.float32)
    tiers, bill = [], 0.0
    for interval in range(scenario.timing.intervals):
        tiers.append(state.ports[0, 0].copy())
        asked = np.stack([orders[interval], np.full(len(worlds), NO_ORDER)])
        step = simulator.step(state, rates, episodes, asked)
        state = step.state
        bill = bill + step.ports.bill_usd[0] * (interval >= scenario.timing.warmup_intervals)
    return np.array(tiers), bill


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), warmup=st.integers(0, 3))
def test_no_sequence_of_orders_is_better(tmp_path_factory, seed, warmup):
    """All 3 ** 6 sequences of one of two tiers or nothing before each interval, simulated."""
    folder = tmp_path_factory.mktemp("ports")
    scenario = ports(folder, {**TERMS, "time.warmup_intervals": warmup})
    world = draw_world(scenario, "train", seed)
    rng = np.random.default_rng(seed)
    worth = rng.gamma(0.5, 0.6, 7)
    share = scenario.network.offers.share[0]
    path = TierPlanner(scenario, world).best(0, worth[:, None] * share)
    for tiers in ([0, 1], [1, 2], [0, 2]):
        every = np.array(list(product([NO_ORDER, *tiers], repeat=6))).T
        every = np.concatenate([every, np.full((1, every.shape[1]), NO_ORDER)])
        active, bill = simulated(scenario, [world] * every.shape[1], every)
        earned = (worth[:, None] * scenario.network.offers.share[0, active]).sum(0)
        assert (earned - bill).max() <= path.usd + 1e-9
    found, billed = simulated(scenario, [world], path.orders[:, None])
    assert found[:, 0].tolist() == path.tiers.tolist()
    assert pytest.approx(path.bill_usd, abs=1e-9) == billed[0]
    earned = (worth * scenario.network.offers.share[0, path.tiers]).sum()
    assert pytest.approx(path.usd, abs=1e-9) == earned - billed[0]


def test_long_paths_are_billed_as_the_simulator_bills_them(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 600, "time.warmup_intervals": 30})
    world = draw_world(scenario, "train", 3)
    hours = np.arange(600) / 60
    worth = 0.12 * (1 + np.sin(hours)) * np.random.default_rng(0).gamma(1.0, 1.0, 600)
    share = scenario.network.offers.share[0]
    path = TierPlanner(scenario, world).best(0, worth[:, None] * share)
    tiers, bill = simulated(scenario, [world], path.orders[:, None])

    assert 4 <= (path.orders >= 0).sum()
    assert path.tiers.tolist() == tiers[:, 0].tolist()
    assert pytest.approx(path.bill_usd) == bill[0]


def test_a_menu_may_be_longer_than_a_byte_counts(tmp_path):
    """With 200 tiers the best is the last but one: the places in the menu must not wrap."""
    tiers = [float(tier) for tier in range(1, 201)]
    scenario = ports(tmp_path, {"offers.carrier.tiers_gbps": tiers, "time.intervals": 30})
    worth = np.zeros((30, 200))
    worth[:, 198] = 1e6

    path = TierPlanner(scenario, steady_world(scenario, 1.0)).best(0, worth)

    assert 198 == path.orders[0] == path.tiers[-1]
