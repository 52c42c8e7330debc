"""Constants of allocators: what an environment file may set, and nothing else."""

import pytest

from bwalloc.allocate import CLASSICAL
from bwalloc.allocate.policy.constants import CONSTANTS, check_constants
from bwalloc.bench.tuning import SPACES
from bwalloc.errors import ScenarioError


def test_every_rule_is_known():
    assert set(CLASSICAL) <= set(CONSTANTS)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_what_is_tuned_may_be_set(name):
    assert set(SPACES[name]) <= set(CONSTANTS[name])


def test_constants_of_classes_are_spelt_out():
    check_constants({"mpc": {"alpha": 0.3, "margin.inference": 2.0}}, "mine")


@pytest.mark.parametrize(
    ("tuned", "words"),
    [
        ({"mpcc": {"alpha": 0.3}}, "mine, allocators.mpcc.*Nearest: 'mpc'"),
        ({"mpc": {"alfa": 0.3}}, "mine, allocators.mpc.alfa.*Nearest: 'alpha'"),
        ({"mpc": {"margin": 0.3}}, r"allocators.mpc.margin: is no constant"),
        ({"mpc": {"margin.inferense": 2.0}}, "Nearest: 'margin.inference'"),
        ({"action": {"wait": 2.0}}, "mine, action.wait.*Nearest: 'weight'"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_nearest(tuned, words):
    with pytest.raises(ScenarioError, match=words):
        check_constants(tuned, "mine")


@pytest.mark.parametrize(
    ("tuned", "words"),
    [
        (
            {"forecast": {"quantile": 7.0}},
            r"mine, allocators.forecast.quantile: got 7, must be 0 to 1",
        ),
        ({"guarantee": {"mix": -0.1}}, r"allocators.guarantee.mix: got -0.1"),
        (
            {"forecast": {"margin.inference": 1e9}},
            r"margin.inference: got 1e\+09, must be 0 to 100",
        ),
        ({"forecast": {"value_exponent": float("nan")}}, "value_exponent: got nan"),
        ({"action": {"weight": 90.0}}, "mine, action.weight: got 90, must be 0 to 20"),
    ],
)
def test_a_number_no_allocator_can_work_with_is_refused(tuned, words):
    with pytest.raises(ScenarioError, match=words):
        check_constants(tuned, "mine")


@pytest.mark.parametrize("name", sorted(SPACES))
def test_what_tuning_may_find_is_in_range(name):
    for constant, (low, high, _) in SPACES[name].items():
        spelt = constant.replace("*", "inference")
        check_constants({name: {spelt: low}}, "mine")
        check_constants({name: {spelt: high}}, "mine")
