"""Laws of the learned splits: shares, order, units, and one answer on NumPy and torch."""

from dataclasses import replace

import numpy as np
import pytest
from te_builders import ring, ring_dataset, tiny_dataset

from bwalloc.allocate.policy.neural import Architecture, layer_shapes
from bwalloc.bench.te.features import INPUTS
from bwalloc.bench.te.policy import CONSTANTS, SplitPolicy
from bwalloc.bench.te.settings import NETWORK

ARCHITECTURE = Architecture(hidden=8, rounds=1)


def weights_of(seed=0, scale=0.4):
    rng, weights = np.random.default_rng(seed), {}
    for name, (rows, columns) in layer_shapes(ARCHITECTURE, INPUTS).items():
        weights[f"{name}.weight"] = rng.normal(0, scale, (rows, columns)).astype(np.float32)
        weights[f"{name}.bias"] = rng.normal(0, 0.2, rows).astype(np.float32)
    return weights


def decided(dataset, policy, targets=(20, 21, 40)):
    return policy.decide(dataset.network, dataset.history(np.array(targets)))


def test_shares_add_up_to_one_on_tunnels_that_exist():
    dataset = tiny_dataset()
    splits = decided(dataset, SplitPolicy(ARCHITECTURE, weights_of(scale=2.0)))
    np.testing.assert_allclose(1.0, splits.sum(1), atol=1e-6)
    assert (splits >= 0).all()
    assert not splits[~dataset.network.exists].any()


def test_without_looks_and_constants_every_tunnel_gets_the_same():
    dataset = tiny_dataset()
    splits = decided(dataset, SplitPolicy(ARCHITECTURE, {}, looks=0))
    np.testing.assert_allclose(np.repeat(dataset.network.uniform(), 3, 2), splits)


def test_constants_are_where_the_looks_start():
    dataset = ring_dataset()
    logits = np.random.default_rng(0).normal(0, 1, dataset.network.exists.shape)
    constants = {CONSTANTS: logits.astype(np.float32)}
    splits = decided(dataset, SplitPolicy(ARCHITECTURE, constants, looks=0))
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(np.repeat(expected[..., None], 3, 2), splits, atol=1e-5)


def test_the_unit_of_load_does_not_matter():
    dataset = ring_dataset()
    policy, history = SplitPolicy(ARCHITECTURE, weights_of()), dataset.history(np.array([30]))
    network = replace(dataset.network, capacity_gbps=dataset.network.capacity_gbps * 1000)
    expected = policy.decide(dataset.network, history)
    np.testing.assert_allclose(expected, policy.decide(network, history * 1000), atol=1e-4)


def test_the_level_of_load_does_not_matter():
    dataset = ring_dataset()
    policy, history = SplitPolicy(ARCHITECTURE, weights_of()), dataset.history(np.array([30]))
    expected = policy.decide(dataset.network, history)
    np.testing.assert_allclose(expected, policy.decide(dataset.network, history * 5), atol=1e-4)


def test_permuting_demands_permutes_the_splits():
    dataset = ring_dataset()
    network, order = dataset.network, np.random.default_rng(4).permutation(12)
    turned = replace(
        network, pairs=network.pairs[order], hops=network.hops[order], exists=network.exists[order]
    )
    policy, history = SplitPolicy(ARCHITECTURE, weights_of()), dataset.history(np.array([30, 31]))
    expected = policy.decide(network, history)[order]
    np.testing.assert_allclose(expected, policy.decide(turned, history[:, order]), atol=1e-4)


def test_a_batch_is_decided_as_its_columns_alone():
    dataset, policy = ring_dataset(), SplitPolicy(ARCHITECTURE, weights_of())
    together = decided(dataset, policy)
    for column, target in enumerate((20, 21, 40)):
        alone = decided(dataset, policy, (target,))
        np.testing.assert_allclose(together[..., column], alone[..., 0], atol=1e-4)


def test_the_past_matters():
    dataset, policy = ring_dataset(), SplitPolicy(ARCHITECTURE, weights_of())
    splits = decided(dataset, policy)
    assert np.abs(splits[..., 0] - splits[..., 2]).max() > 1e-3


def test_numpy_and_torch_decide_alike():
    torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    dataset, weights = ring_dataset(), weights_of()
    tensors = {name: torch.as_tensor(value) for name, value in weights.items()}
    history = torch.as_tensor(dataset.history(np.array([20, 21, 40])).copy())
    found = SplitPolicy(ARCHITECTURE, tensors).decide(ring(), history)
    expected = decided(dataset, SplitPolicy(ARCHITECTURE, weights))
    np.testing.assert_allclose(expected, found.numpy(), atol=1e-4)


def test_silence_is_decided_too():
    network = ring()
    splits = SplitPolicy(ARCHITECTURE, weights_of()).decide(
        network, np.zeros((12, network.n_demands, 1), np.float32)
    )
    assert np.isfinite(splits).all()


def test_under_100_000_parameters():
    shapes = layer_shapes(NETWORK, INPUTS).values()
    assert sum(rows * (columns + 1) for rows, columns in shapes) < 100_000
