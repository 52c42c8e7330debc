"""The value law: which share of the work each piece pays for, and what a whole Gbit is worth."""

from dataclasses import replace

import numpy as np
import pytest
from builders import random_world, star

from bwalloc.allocate import make_rule
from bwalloc.money.law import ValueLaw
from bwalloc.observe import measured
from bwalloc.sim.play import play


def law(value, until):
    nothing = np.zeros(len(value))
    return ValueLaw(np.array(value), np.array(until), nothing, nothing, nothing, 0.0)


@pytest.mark.parametrize(
    ("until", "share"),
    [
        ([np.inf, np.inf, np.inf], [1.0, 0.0, 0.0]),
        ([0.25, 0.75, np.inf], [0.25, 0.5, 0.25]),
        ([0.5, 2.0, np.inf], [0.5, 0.5, 0.0]),
    ],
)
def test_pieces_share_what_arrives(until, share):
    assert share == law([[4.0, 2.0, 1.0]], [until]).piece_share[0].tolist()


def test_a_whole_gbit_is_worth_the_mean_over_its_pieces():
    two = law([[4.0, 2.0], [3.0, 0.0]], [[0.25, np.inf], [np.inf, np.inf]])

    assert [2.5, 3.0] == two.whole_usd_per_gbit.tolist()


@pytest.mark.parametrize("name", ["last-value-lp", "mpc", "stochastic-lp"])
def test_programmes_take_a_piece_that_ends_beyond_all_work(name):
    scenario = star(n_sites=2, intervals=8)
    network = scenario.network
    beyond = np.where(network.law.value_until == 0.5, 2.0, network.law.value_until)
    network = replace(network, law=replace(network.law, value_until=beyond))
    scenario = replace(scenario, network=network)
    worlds = [random_world(scenario, 0)]

    played = play(scenario, make_rule(name, network, measured(worlds, 10.0), {}), worlds)

    assert 0 == played.violations
