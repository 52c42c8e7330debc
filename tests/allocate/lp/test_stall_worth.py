"""Rules that solve LPs hurry the work that stalls GPUs."""

from dataclasses import replace

import numpy as np
import pytest
from builders import star

from bwalloc.allocate.lp.stall_worth import HURRY, stall_worth
from bwalloc.allocate.lp.value_lp import ValueLp
from bwalloc.money import GroupLaw


def group(network, rows):
    """`network` whose demands `rows` stall 100 GPUs at 3.6 USD an hour: 0.1 USD a second."""
    member = np.where(np.isin(np.arange(network.n_demands), rows), 0, -1)
    law = GroupLaw(("job",), member, np.array([100.0]), np.array([3.6]), np.array([0.0]))
    return replace(network, groups=law)


def test_a_gbit_costs_the_time_that_its_tunnels_take():
    network = group(star(n_sites=1, per_site=2, tunnels=2).network, [0])
    network.links.capacity_gbps[:] = [5.0, 8.0, 20.0, 3.0]
    worth = stall_worth(network)
    assert worth.usd_per_gbit == pytest.approx([0.1 / (5.0 + 3.0), 0.0])
    assert worth.hurry.tolist() == [HURRY, 1.0]


def test_a_backlog_of_a_group_comes_before_work_of_equal_value_and_in_a_hurry():
    """20 Gbit in 10 s would need 2 Gbit/s; the GPUs wait, so all 6 of the link go to them."""
    network = star(n_sites=1, per_site=2, tunnels=1).network
    network.links.capacity_gbps[:] = [50.0, 6.0]
    network.law.value_usd_per_gbit[:] = [[1e-3, 0.0, 0.0]]
    network.law.value_until[:] = np.inf
    load, backlog = np.array([[0.0, 10.0]]), np.array([20.0, 0.0])
    alike = ValueLp(network, 1).solve(load, backlog, network.links.capacity_gbps)
    stalled = ValueLp(group(network, [0]), 1).solve(load, backlog, network.links.capacity_gbps)
    assert alike[0, 0] <= 2.0 + 1e-6
    assert stalled.ravel() == pytest.approx([6.0, 0.0], abs=1e-6)
