"""torch, onnxruntime and NumPy decide alike, at every size and where telemetry is at its edge."""

import numpy as np
import pytest

from bwalloc.bench.decide_parity import (
    EDGE_CASES,
    GRID,
    answered,
    compare_runtimes,
    networks_of,
    parities,
)
from bwalloc.bench.decide_runtimes import NUMPY, ONNXRUNTIME, Runtimes
from bwalloc.serve import load_bundle

SMALL = [(1, 1), (1, 2), (2, 1), (10, 5), (30, 12)]
LARGE = [(100, 40), (1_000, 100), (10_000, 500)]


@pytest.fixture(scope="module")
def runtimes():
    pytest.importorskip("onnxruntime")
    return Runtimes(load_bundle("metro-inference"))


@pytest.mark.parametrize(("demands", "links"), SMALL)
def test_small_networks_are_decided_alike(runtimes, demands, links):
    found = compare_runtimes(runtimes, networks_of(demands, links, 2))

    assert found.is_right, found
    assert (demands, links, 2, 8, 0) == (
        found.demands, found.links, found.networks, found.decisions, found.beyond,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("demands", "links"), LARGE)
def test_large_networks_are_decided_alike(runtimes, demands, links):
    found = compare_runtimes(runtimes, networks_of(demands, links, 1))

    assert found.is_right, found


@pytest.mark.parametrize("case", EDGE_CASES)
def test_telemetry_at_its_edge_is_decided_alike(runtimes, case):
    load, change = EDGE_CASES[case]
    networks = networks_of(30, 12, 1)
    found = compare_runtimes(runtimes, networks, case=case, load=load, change=change)

    assert found.is_right, found


@pytest.mark.parametrize("case", EDGE_CASES)
def test_one_demand_on_one_link_too(runtimes, case):
    load, change = EDGE_CASES[case]
    found = compare_runtimes(runtimes, networks_of(1, 1, 1), load=load, change=change)

    assert found.is_right, found


def last_rates(runtimes, case):
    load, change = EDGE_CASES[case]
    network = networks_of(30, 12, 1)[0]
    *_, last = answered(runtimes, network, 3, load, change)
    return network, last


def test_with_all_links_down_nobody_gets_anything(runtimes):
    _, last = last_rates(runtimes, "all links down")

    assert {0.0} == {float(rates.max()) for rates in last.values()}


def test_who_has_no_tunnel_gets_nothing_and_others_do(runtimes):
    network, last = last_rates(runtimes, "no tunnel of a demand up")
    crosses = np.isin(network.tunnels.hops, network.tunnels.hops[0]).any(2)

    assert {0.0} == {float(rates[0].max()) for rates in last.values()}
    assert all(rates[~crosses].sum() > 0 for rates in last.values())


def test_torch_is_one_of_them_where_it_is_installed(runtimes):
    pytest.importorskip("torch")

    assert "torch" in compare_runtimes(runtimes, networks_of(1, 1, 1)).from_numpy


class Altered:
    """Runtimes of which one answers otherwise from its third decision on."""

    def __init__(self, inner, change):
        self.bundle, self.inner, self.change, self.calls = inner.bundle, inner, change, 0

    def on(self, network):
        found = self.inner.on(network)
        right = found[ONNXRUNTIME]

        def wrong(given):
            self.calls += 1
            return self.change(right(given)) if self.calls > 2 else right(given)

        return found | {ONNXRUNTIME: wrong}


@pytest.mark.parametrize("change", [lambda rates: rates * 1.001, lambda rates: rates * np.nan])
def test_a_runtime_that_decides_otherwise_is_found(runtimes, change):
    found = compare_runtimes(Altered(runtimes, change), networks_of(10, 5, 1), decisions=4)

    assert not found.is_right
    assert 2 == found.beyond
    assert not found.from_numpy[ONNXRUNTIME] <= 1e-5


def test_difference_is_of_the_widest_link(runtimes):
    network = networks_of(10, 5, 1)[0]
    widest = network.links.capacity_gbps.max()
    shifted = Altered(runtimes, lambda rates: rates + np.float32(widest / 100))
    found = compare_runtimes(shifted, [network], decisions=3)

    assert found.largest == pytest.approx(0.01, rel=1e-2)
    assert NUMPY not in found.from_numpy


def test_the_grid_goes_from_one_demand_on_one_link_to_ten_thousand_on_five_hundred(runtimes):
    sizes = [each[:2] for each in GRID]
    assert ((1, 1), (10_000, 500)) == (sizes[0], sizes[-1])

    cases = [each.case for each in parities(runtimes, [(1, 1, 1)], (2, 1, 1))]
    assert ["usual", *EDGE_CASES] == cases
