"""What `info` counts."""

import numpy as np
import pytest

from bwalloc.gym.engine import Engine
from bwalloc.gym.info import columns_of
from bwalloc.scenario import draw_world, load_scenario


@pytest.fixture(scope="module")
def played():
    scenario = load_scenario("tiny-edge", {"time.intervals": 40})
    engine = Engine(scenario, 2)
    engine.restart(np.arange(2), [draw_world(scenario, "train", seed) for seed in range(2)])
    sizes = scenario.sizes
    outcome = engine.step(np.zeros((2, sizes.demands * (3 + sizes.tunnels)), np.float32))
    return engine, outcome, columns_of(engine, outcome)


def test_slo_counts_the_work_of_every_class(played):
    engine, outcome, info = played
    classes = np.array(engine.scenario.network.demands.traffic_class)
    ended = outcome.flows.served_gbit + outcome.flows.expired_gbit

    assert set(classes) == set(info["slo"])
    for name, counted in info["slo"].items():
        rows = classes == name
        attained = outcome.flows.attained_gbit[rows].sum(0)
        assert ended[rows].sum(0) == pytest.approx(counted["ended_gbit"], rel=1e-5)
        assert attained == pytest.approx(counted["attained_gbit"], rel=1e-5)


def test_some_work_ended(played):
    assert all((counted["ended_gbit"] >= 0).all() for counted in played[2]["slo"].values())
    assert 0 < sum(counted["ended_gbit"].sum() for counted in played[2]["slo"].values())
