"""The plane of a testbed as parameters of a scenario: the simulator then plays what it plays."""

from dataclasses import replace

import numpy as np
import pytest

from bwalloc.allocate import make_rule
from bwalloc.bench.testbed.effects import enforcement_of, latency_s
from bwalloc.bench.testbed.enforced import EnforcedRule
from bwalloc.bench.testbed.folding import fold
from bwalloc.bench.testbed.spaces import Spaces
from bwalloc.bench.testbed.wiring import Scale, plane_file
from bwalloc.observe import measured
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.sim.play import play

SCENARIO = load_scenario("tiny-edge", {"time.intervals": 60})
SCALE = Scale(5e-4, 10.0)


def plane(tmp_path):
    home = fold(SCENARIO.network)
    names = tuple(f"n{number}" for number in range(int(home.max()) + 1))
    return plane_file(SCENARIO.network, home, Spaces(names, tmp_path), SCALE)


def test_settings_of_the_plane_in_units_of_the_network(tmp_path):
    """5 ms, 3,028 bytes and 8 kbit/s where 1 Gbit/s is 0.5 Mbit/s and 10 s are 1 s."""
    law = enforcement_of(SCENARIO, plane(tmp_path), SCALE)

    assert 0.05 == pytest.approx(law.burst_s)
    assert 3028 * 8 / 1e9 / 5e-4 * 10 == pytest.approx(law.burst_gbit)
    assert 0.016 == pytest.approx(law.least_gbps)


def test_the_least_rate_plays_as_the_table_of_the_plane(tmp_path):
    file = plane(tmp_path)
    law = replace(enforcement_of(SCENARIO, file, SCALE), burst_s=0.0, burst_gbit=0.0)
    world = draw_world(SCENARIO, "test", 0)
    record = measured([draw_world(SCENARIO, "train", 0)], SCENARIO.timing.interval_s)
    rule = make_rule("static", SCENARIO.network, record, SCENARIO.tuned)
    ours = play(replace(SCENARIO, enforcement=law), rule, [world])
    table = play(SCENARIO, EnforcedRule(rule, SCENARIO.network, file), [world])

    assert float(table.net_usd[0]) == pytest.approx(float(ours.net_usd[0]), rel=5e-3)
    assert table.served_gbit.sum() == pytest.approx(ours.served_gbit.sum(), rel=5e-3)


def test_latency_is_in_seconds_of_the_network_and_at_most_an_interval():
    spent_ms = [np.array([[100.0, 1.0, 99.0], [50.0, 0.0, 50.0]]), np.full((2, 3), 1000.0)]

    assert (2.0 + 1.0 + 10.0 + 10.0) / 4 == pytest.approx(latency_s(SCENARIO, spent_ms, SCALE))
