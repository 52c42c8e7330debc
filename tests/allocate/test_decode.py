"""`decode` against exact weighted water-filling, and its laws."""

from __future__ import annotations

import numpy as np
import pytest
from builders import star
from hypothesis import given, settings
from hypothesis import strategies as st

from bwalloc.allocate import Ask, Decoder


def water_filling(hops, capacity, want, weight):
    """Exact weighted max-min with caps, one path each: raise all levels, freeze at bottlenecks."""
    rate, frozen = np.zeros(len(want)), np.zeros(len(want), bool)
    room = capacity.astype(float).copy()
    crosses = np.zeros((len(want), len(capacity)))
    for row, path in enumerate(hops):
        crosses[row, path[path < len(capacity)]] = 1
    while not frozen.all():
        pull = crosses.T @ (weight * ~frozen)
        with np.errstate(divide="ignore"):
            by_link = np.where(pull > 0, room / np.where(pull > 0, pull, 1), np.inf)
        by_want = np.where(frozen, np.inf, (want - rate) / weight)
        level = min(by_link.min(), by_want.min())
        rate = rate + level * weight * ~frozen
        room = room - level * pull
        full = (room <= 1e-12) & (pull > 0)
        frozen |= (rate >= want - 1e-12) | (crosses[:, full].sum(1) > 0)
    return rate


def one_tunnel_case(seed):
    """A contended star with a single tunnel per demand."""
    rng = np.random.default_rng(seed)
    network = star(n_sites=8, per_site=4, tunnels=1, seed=seed).network
    want = rng.gamma(1.0, 1.5, network.n_demands)
    weight = rng.uniform(0.5, 4.0, network.n_demands)
    return network, want, weight


def decoded(network, want, weight, spare=0.0):
    """Rates of one ask, (demands,)."""
    column = np.asarray(want, np.float32)[:, None]
    split = np.ones((*network.tunnels.exists.shape, 1), np.float32)
    ask = Ask(
        column, np.asarray(weight, np.float32)[:, None], split, column * 0 + np.float32(spare)
    )
    capacity = network.links.capacity_gbps[:, None].astype(np.float32)
    return Decoder(network)(ask, capacity).sum(1)[:, 0].astype(float)


def agreement(rate, exact):
    """Share of the exact throughput, and share of demands with at least 0.9 of their exact rate."""
    return rate.sum() / exact.sum(), np.mean(rate >= 0.9 * exact - 1e-6)


def test_decode_is_close_to_exact_water_filling():
    for seed in range(20):
        network, want, weight = one_tunnel_case(seed)
        exact = water_filling(network.flat_hops, network.links.capacity_gbps, want, weight)
        throughput, fair = agreement(decoded(network, want, weight), exact)
        assert throughput >= 0.97, seed
        assert fair >= 0.95, seed


def test_permuted_weights_fail_the_same_test():
    fair = []
    for seed in range(20):
        network, want, weight = one_tunnel_case(seed)
        exact = water_filling(network.flat_hops, network.links.capacity_gbps, want, weight)
        shuffled = np.random.default_rng(seed).permutation(weight)
        fair.append(agreement(decoded(network, want, shuffled), exact)[1])
    assert np.mean(fair) < 0.95


@pytest.mark.parametrize(
    ("want", "weight"),
    [
        ([9, 9, 9], [1, 1, 1]),
        ([9, 9, 9], [1, 2, 3]),
        ([0.5, 9, 9], [1, 1, 1]),
        ([0.1, 0.2, 9], [1, 2, 1]),
    ],
)
def test_a_single_bottleneck_is_shared_exactly(want, weight):
    network = star(n_sites=1, per_site=3, tunnels=1).network
    network.links.capacity_gbps[:] = [6.0, 60.0]
    exact = water_filling(
        network.flat_hops,
        network.links.capacity_gbps,
        np.array(want, float),
        np.array(weight, float),
    )
    np.testing.assert_allclose(decoded(network, want, weight), exact, rtol=1e-3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), spare=st.floats(0, 5), tunnels=st.integers(1, 3))
def test_rates_always_fit_every_link(seed, spare, tunnels):
    rng = np.random.default_rng(seed)
    network = star(n_sites=5, per_site=3, tunnels=tunnels, seed=seed).network
    shape = (*network.tunnels.exists.shape, 4)
    ask = Ask(
        rng.gamma(0.5, 5, (shape[0], 4)).astype(np.float32),
        np.exp(rng.normal(0, 2, (shape[0], 4))).astype(np.float32),
        rng.uniform(0, 1, shape).astype(np.float32),
        np.full((shape[0], 4), spare, np.float32),
    )
    capacity = (network.links.capacity_gbps[:, None] * rng.uniform(0, 1, (1, 4))).astype(np.float32)
    decoder = Decoder(network)
    rates = decoder(ask, capacity)
    load = decoder.paths.total(rates.reshape(-1, 4))
    assert np.isfinite(rates).all()
    assert rates.min() >= 0
    assert (load <= capacity * (1 + 1e-6) + 1e-6).all()


def test_spare_capacity_is_handed_out_by_weight():
    network = star(n_sites=1, per_site=2, tunnels=1).network
    network.links.capacity_gbps[:] = [6.0, 60.0]
    np.testing.assert_allclose(decoded(network, [1, 1], [1, 1], spare=1.0), [3, 3], rtol=1e-2)


def test_what_is_left_moves_to_tunnels_with_room():
    """Nothing fits through the first access link, so all goes through the second."""
    network = star(n_sites=1, per_site=1, tunnels=2).network
    network.links.capacity_gbps[:] = [1e-3, 9.0, 30.0, 30.0]
    assert decoded(network, [5.0], [1.0])[0] == pytest.approx(5.0, rel=0.02)


def test_torch_decodes_the_same_rates_with_finite_gradients():
    torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    network, want, weight = one_tunnel_case(1)
    capacity = network.links.capacity_gbps[:, None].astype(np.float32)
    asked = torch.tensor(want[:, None], dtype=torch.float32, requires_grad=True)
    split = torch.ones((*network.tunnels.exists.shape, 1))
    weights = torch.tensor(weight[:, None], dtype=torch.float32)
    rates = Decoder(network)(Ask(asked, weights, split, weights), torch.as_tensor(capacity))
    rates.sum().backward()
    np.testing.assert_allclose(
        rates.detach().numpy().sum(1)[:, 0], decoded_with_spare(network, want, weight), rtol=1e-4
    )
    assert torch.isfinite(asked.grad).all()


def decoded_with_spare(network, want, weight):
    """`decoded`, spare shared by weight."""
    column, weights = (np.asarray(x, np.float32)[:, None] for x in (want, weight))
    split = np.ones((*network.tunnels.exists.shape, 1), np.float32)
    capacity = network.links.capacity_gbps[:, None].astype(np.float32)
    return Decoder(network)(Ask(column, weights, split, weights), capacity).sum(1)[:, 0]


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 5])
def test_the_compiled_twin_decodes_the_same_rates_on_random_asks(batch):
    pytest.importorskip("numba", reason="numba comes with bwalloc[fast]")
    rng = np.random.default_rng(batch)
    network = star(n_sites=6, per_site=4, tunnels=2).network
    shape = (*network.tunnels.exists.shape, batch)
    plain, twin = Decoder(network, compiled=False), Decoder(network, compiled=True)
    for _ in range(1000 // batch):
        ask = Ask(
            rng.gamma(0.5, 4, (shape[0], batch)).astype(np.float32),
            np.exp(rng.normal(0, 1, (shape[0], batch))).astype(np.float32),
            rng.uniform(0, 1, shape).astype(np.float32),
            rng.uniform(0, 1, (shape[0], batch)).astype(np.float32),
        )
        fraction = rng.uniform(0.3, 1, (network.n_links, batch))
        capacity = (network.links.capacity_gbps[:, None] * fraction).astype(np.float32)
        np.testing.assert_allclose(plain(ask, capacity), twin(ask, capacity), rtol=2e-3, atol=2e-3)
