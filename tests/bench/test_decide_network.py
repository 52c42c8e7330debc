"""Networks of any size, with telemetry a supervisor believes."""

from itertools import islice, pairwise

import numpy as np
import pytest

from bwalloc.arrays import Incidence
from bwalloc.bench.decide_network import TUNNELS, sized_network
from bwalloc.bench.decide_telemetry import records, simulated, with_links_down
from bwalloc.scenario import load_scenario
from bwalloc.serve import ReplayClock, load_bundle

SIZES = [(1, 1), (1, 2), (2, 1), (10, 5), (7, 8), (100, 40), (300, 61)]


@pytest.mark.parametrize(("demands", "links"), SIZES)
def test_sizes_are_exact(demands, links):
    network = sized_network(demands, links)

    assert (demands, links) == (network.n_demands, network.n_links)


@pytest.mark.parametrize(("demands", "links"), SIZES)
def test_every_tunnel_leads_from_end_to_end(demands, links):
    network = sized_network(demands, links)
    source, target = network.links.source, network.links.target
    for row, column in np.argwhere(network.tunnels.exists):
        path = [link for link in network.tunnels.hops[row, column] if link < links]
        ends = network.demands.source[row], network.demands.target[row]
        assert ends == (source[path[0]], target[path[-1]])
        assert list(target[path[:-1]]) == list(source[path[1:]])


def test_large_ones_have_three_tunnels_of_a_few_hops():
    network = sized_network(1_000, 100)
    hops = (network.tunnels.hops < network.n_links).sum(2)[network.tunnels.exists]

    assert TUNNELS == network.tunnels.exists.sum(1).mean()
    assert 3 <= hops.mean() <= 4
    assert 2 <= hops.min()


def test_the_same_seed_gives_the_same_network():
    one, same, other = (sized_network(60, 30, seed=seed) for seed in (4, 4, 5))

    np.testing.assert_array_equal(one.tunnels.hops, same.tunnels.hops)
    np.testing.assert_array_equal(one.links.capacity_gbps, same.links.capacity_gbps)
    assert one.demands.tenant == same.demands.tenant
    assert not np.array_equal(one.links.capacity_gbps, other.links.capacity_gbps)


def test_a_quarter_of_the_links_cannot_carry_what_is_offered():
    network = sized_network(1_000, 100)
    first = Incidence(network.tunnels.hops[:, 0], network.n_links)
    offered = [record.demands.offered_gbps for record in records(network, 20)]
    used = first.total(np.mean(offered, 0)[:, None])[:, 0] / network.links.capacity_gbps

    assert 0.2 <= (used > 1).mean() <= 0.4


def test_loads_move_from_one_interval_to_the_next_and_are_the_same_every_time():
    network = sized_network(40, 20)
    one, two = records(network, 2)
    again = next(records(network, 1))

    np.testing.assert_array_equal(one.demands.offered_gbps, again.demands.offered_gbps)
    ratio = two.demands.offered_gbps / one.demands.offered_gbps
    assert np.all(ratio != 1)
    assert 0.7 <= np.median(ratio) <= 1.4


def believed(network, telemetry):
    supervisor = load_bundle("metro-inference").bind(network, runtime="numpy", clock=ReplayClock())
    with supervisor:
        return [(found.source, found.reasons) for found in map(supervisor.decide, telemetry)]


@pytest.mark.parametrize(("demands", "links"), [(1, 1), (10, 5), (100, 40)])
def test_a_supervisor_finds_nothing_to_mend(demands, links):
    network = sized_network(demands, links)

    assert {("policy", ())} == set(believed(network, records(network, 8)))


def test_nor_in_simulated_episodes_which_follow_one_another():
    scenario = load_scenario("tiny-edge", {"time.intervals": 31})
    telemetry = list(islice(simulated(scenario, 40), 50))

    assert 40 == len(telemetry)
    assert {("policy", ())} == set(believed(scenario.network, telemetry))
    ends = [record.interval_end for record in telemetry]
    steps = {(late - early).total_seconds() for early, late in pairwise(ends)}
    assert {scenario.network.interval_s} == steps


def test_links_that_are_down_add_up():
    network = sized_network(10, 5)
    record = next(records(network, 1))
    first = with_links_down(record, np.array([True, False, False, False, False]))
    both = with_links_down(first, np.array([False, True, False, False, False]))

    assert (False, True, True, True, True) == first.links.is_up
    assert (False, False, True, True, True) == both.links.is_up
