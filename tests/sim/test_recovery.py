"""How long service takes to come back after a failure."""

import numpy as np
import pytest
from builders import failing, outage, random_world, star

from bwalloc.sim.play import joined, play
from bwalloc.sim.recovery import strikes_of


class Follows:
    """Everything on the first tunnel that telemetry shows up, after `late` intervals of looking."""

    def __init__(self, late=0):
        self.late, self.seen = late, []

    def reset(self, batch):
        self.seen = []

    def decide(self, readings):
        self.seen.append(readings.capacity_gbps[2:, 0] > 0)
        is_up = self.seen[max(len(self.seen) - 1 - self.late, 0)]
        tunnel = 0 if is_up[0] else 1
        rates = np.zeros((1, 2, 1), np.float32)
        fits = self.seen[-1][tunnel]
        rates[0, tunnel] = 3.0 * fits
        return rates


def two_ways(*events):
    """One demand of 2 Gbit/s that expires after a second, over either of two links of 4 Gbit/s."""
    scenario = star(n_sites=1, per_site=1, tunnels=2, policed_core=True, intervals=20)
    scenario.network.links.capacity_gbps[:] = [9.0, 9.0, 4.0, 4.0]
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 2.0
    return scenario, failing(scenario, world, *events)


def recovery(rule, *events):
    scenario, world = two_ways(*events)
    return play(scenario, rule, [world]).recovery_s.tolist()


def test_service_is_back_with_the_next_decision():
    """Struck in second 83.0, at 90 a decision sees it: 7 s."""
    assert [7.0] == recovery(Follows(), outage([2], 83.0, 500.0))


def test_a_rule_that_looks_late_takes_longer():
    assert [27.0] == recovery(Follows(late=2), outage([2], 83.0, 500.0))


def test_service_that_never_comes_back_lasts_until_the_end():
    assert [200.0 - 83.0] == recovery(Follows(), outage([2, 3], 83.0, 500.0))


def test_one_good_interval_is_no_recovery():
    """Struck in second 89, 1.8 of 2 Gbit/s pass, three quarters of all in time; 98 % until 90."""
    assert [200.0 - 89.0] == recovery(Follows(), outage([2], 89.0, 500.0, share=0.45))


def test_a_failure_that_strikes_nobody_is_not_counted():
    assert [] == recovery(Follows(), outage([3], 83.0, 500.0))
    assert [] == recovery(Follows(), outage([2], 33.0, 45.0))  # in the warm-up


def test_a_failure_at_the_edge_of_an_interval_costs_a_whole_one():
    assert [10.0] == recovery(Follows(), outage([2], 80.0, 500.0))


def test_a_failure_without_harm_is_over_at_once():
    """Half of 4 Gbit/s still carries the 2 that are offered."""
    assert [0.0] == recovery(Follows(), outage([2], 83.0, 500.0, share=0.51))


def test_announced_works_are_no_failure():
    assert [] == recovery(Follows(), outage([2], 83.0, 500.0, announced_s=0.0))


def test_links_that_fail_together_count_as_one_and_one_after_another_as_two():
    scenario, world = two_ways(outage([2, 3], 83.0, 95.0), outage([2], 123.0, 135.0))
    strikes = strikes_of(scenario, world)

    assert [(8, 83.0, [2, 3]), (12, 123.0, [2])] == [
        (s.interval, s.at_s, s.rows.tolist()) for s in strikes
    ]


def test_failures_of_several_batches_are_put_together():
    scenario, world = two_ways(outage([2], 83.0, 500.0))
    one, two = (play(scenario, Follows(late), [world]) for late in (0, 2))

    assert [7.0, 27.0] == joined([one, two]).recovery_s.tolist()
    steady = play(scenario, Follows(), [two_ways()[1]])
    assert [7.0] == joined([steady, one]).recovery_s.tolist()


def test_without_failures_nothing_is_noted():
    scenario = star(n_sites=1, per_site=1, tunnels=2, intervals=8)
    books = play(scenario, Follows(), [random_world(scenario, 0)])

    assert 0 == books.recovery_s.size
    assert {} == books.tenants
    assert pytest.approx(0.0, abs=1e-3) == books.overrun_gbit[0]
