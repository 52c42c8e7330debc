"""Limits: what makes none, what a file of them may say, and what breaks them."""

from __future__ import annotations

import math
import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest
from builders import star
from wide import wide

from bwalloc.allocate import make_allocator
from bwalloc.allocate.limits import Limits, Times, violations
from bwalloc.allocate.limits_file import read_limits
from bwalloc.errors import LimitsError
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.sim import Episodes, Simulator, telemetry_of


def written(folder, text):
    path = folder / "limits.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_says_what_the_record_holds(tmp_path):
    text = """
    schema = 1
    source = "Contract 17"
    largest_step_gbps = 2.5
    max_usd_per_h = inf
    max_orders_per_h = 4
    [floors_gbps]
    "demand-1" = 0.5
    [tenant_gbps]
    acme = 7
    """
    expected = Limits(
        floors_gbps={"demand-1": 0.5},
        tenant_gbps={"acme": 7.0},
        largest_step_gbps=2.5,
        max_orders_per_h=4,
    )

    assert expected == read_limits(written(tmp_path, text))
    assert Limits() == read_limits(written(tmp_path, ""))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("largest_step = 1", "limits.toml, largest_step: is no known key.*largest_step_gbps"),
        ("max_usd_per_h = -1", "limits.toml, max_usd_per_h: got -1.*at least 0"),
        ("max_usd_per_h = '3'", "max_usd_per_h: got '3', expected a number"),
        ("max_orders_per_h = true", "max_orders_per_h: got True, expected a number"),
        ("max_usd_per_h = nan", "max_usd_per_h: got nan"),
        ("[floors_gbps]\nx = inf", "floors_gbps.x: got inf, expected a finite number"),
        ("least_change = 1", "least_change: got 1, expected a number below 1"),
        ("capacity_up_to = 0.5", "capacity_up_to: got 0.5, expected a number of at least 1"),
        ("schema = 2", "schema: got 2"),
        ("x = [", "is no TOML"),
    ],
)
def test_what_makes_no_limit_is_named_with_its_file_and_key(tmp_path, text, message):
    with pytest.raises(LimitsError, match=message):
        read_limits(written(tmp_path, text))


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(LimitsError, match=r"nowhere\.toml: cannot be read"):
        read_limits(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_usd_per_h": -1.0}, "max_usd_per_h: got -1"),
        ({"largest_step_gbps": math.nan}, "largest_step_gbps: got nan"),
        ({"floors_gbps": {"a": -1.0}}, "floors_gbps, 'a': got -1"),
        ({"static_gbps": {"a": math.inf}}, "static_gbps, 'a': got inf, must be at most"),
        ({"floors_gbps": {"a": 1e39}}, "floors_gbps, 'a': got 1e"),
        ({"offered_up_to": math.inf}, "at most"),
        ({"least_change": 1.0}, "least_change"),
        ({"decide_within_s": 0.0}, "decide_within_s"),
        ({"offered_up_to": 0.0}, "at least 1"),
        ({"decide_within_s": -0.1}, "decide_within_s"),
    ],
)
def test_a_record_that_makes_no_limit_is_refused(given, message):
    with pytest.raises(LimitsError, match=message):
        Limits(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"floors_gbps": {"demand-99": 1.0}}, "no demand 'demand-99'.*Nearest: 'demand-9'"),
        ({"tenant_gbps": {"tenent-1": 1.0}}, "no tenant 'tenent-1'.*Nearest: 'tenant-1'"),
        (
            {"floors_gbps": {"demand-1": 2.0, "demand-5": 2.0}, "tenant_gbps": {"tenant-1": 3.0}},
            "'tenant-1': 3 is less than the floors of its demands together, 4",
        ),
    ],
)
def test_limits_of_what_is_not_there_or_cannot_be_are_refused(given, message):
    with pytest.raises(LimitsError, match=message):
        Limits(**given).check_names(wide(10, 4))


def test_limits_travel_between_processes_and_into_json():
    limits = Limits(floors_gbps={"demand-1": 1.0})

    assert limits == pickle.loads(pickle.dumps(limits))
    assert {"demand-1": 1.0} == asdict(limits)["floors_gbps"]
    assert {} == asdict(Limits())["tenant_gbps"]


def test_times_that_are_left_open_follow_the_interval():
    assert Times(2.0, 60.0, 15.0, 90.0) == Times.of(Limits(), 30.0)
    assert Times(0.25, 2.5, 0.625, 3.75) == Times.of(Limits(), 1.25)
    assert Times.of(Limits(stale_after_s=7.0), 30.0).stale_after_s == 7.0


def one_link(floors=0.0):
    """Two demands of two tenants on one link of 10 Gbit/s."""
    network = wide(2, 1, tunnels=1, hops=1, floors=floors)
    links = replace(network.links, capacity_gbps=np.array([10.0]))
    return replace(network, topology=replace(network.topology, links=links))


def broken(network, rates, capacity, limits=None):
    table = np.array(rates, float).reshape(-1, 1, 1)
    return int(violations(network, table, np.array([[capacity]]), limits)[0])


def test_floors_count_only_where_they_fit_together():
    network, limits = one_link(floors=4.0), Limits()

    assert 0 == broken(network, [4, 4], 10.0, limits)
    assert 1 == broken(network, [6, 3], 10.0, limits)
    assert 0 == broken(network, [3, 3], 6.0, limits)
    assert 1 == broken(network, [6, 3], 10.0)


def test_the_larger_of_two_floors_holds():
    network = one_link(floors=1.0)

    assert 1 == broken(network, [4, 4], 10.0, Limits(floors_gbps={"demand-0": 5.0}))
    assert 1 == broken(network, [5, 0.5], 10.0, Limits(floors_gbps={"demand-0": 5.0}))


def test_a_tenant_above_its_cap_counts():
    limits = Limits(tenant_gbps={"tenant-0": 3.0})

    assert 0 == broken(one_link(), [3, 7], 10.0, limits)
    assert 1 == broken(one_link(), [4, 6], 10.0, limits)


def test_a_classical_session_keeps_the_limits_it_is_bound_to():
    scenario = load_scenario("tiny-edge")
    network = scenario.network
    name = network.demands.name[0]
    limits = Limits(floors_gbps={name: 2.0}, largest_step_gbps=0.25)
    session = make_allocator("forecast", scenario).bind(network, limits)
    simulator = Simulator(scenario, compiled=False)
    episodes = Episodes([draw_world(scenario, "train", 0)])
    state, before = simulator.start(1), None
    readings = simulator.first_readings(state, episodes)
    for _ in range(8):
        decision = session.decide(telemetry_of(network, readings))
        rates = decision.rates_gbps[:, :, None]
        assert 0 == violations(network, rates, readings.capacity_gbps, limits)[0]
        if before is not None:
            assert np.abs(rates - before).max() <= 0.25 + 1e-6
        step = simulator.step(state, rates.astype(np.float32), episodes)
        state, readings, before = step.state, step.readings, rates


def test_the_star_has_no_floors_and_breaks_none():
    network = star(n_sites=2, per_site=2).network
    rates = np.zeros((*network.tunnels.exists.shape, 3))

    assert [0, 0, 0] == violations(
        network, rates, network.links.capacity_gbps[:, None] * np.ones(3), Limits()
    ).tolist()
