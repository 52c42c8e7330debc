import pickle

import numpy as np
import pytest

from bwalloc.errors import ScenarioError
from bwalloc.scenario import WorldsAhead, draw_world, load_scenario


@pytest.fixture
def scenario():
    return load_scenario("tiny-edge", overrides={"time.intervals": 40})


@pytest.mark.parametrize("ordered", [[], [3], [3, 4, 5]])
def test_a_world_is_the_same_whether_it_was_ordered_or_not(scenario, ordered):
    worlds = WorldsAhead(scenario)
    for seed in ordered:
        worlds.order("train", seed)

    taken = worlds.take("train", 3)

    expected = draw_world(scenario, "train", 3)
    np.testing.assert_array_equal(expected.arrivals_gbit, taken.arrivals_gbit)
    assert (taken.split, taken.seed) == ("train", 3)


def test_what_is_wrong_with_an_order_is_said_when_it_is_taken(scenario):
    worlds = WorldsAhead(scenario)
    worlds.order("train", -1)

    with pytest.raises(ScenarioError, match="seed: got -1"):
        worlds.take("train", -1)


def test_orders_stay_behind_when_it_is_pickled(scenario):
    worlds = WorldsAhead(scenario)
    worlds.order("train", 0)

    copy = pickle.loads(pickle.dumps(worlds))

    assert copy.orders == {}
    assert copy.take("train", 0).seed == 0
