"""Laws of the policy network: order and padding mean nothing, first actions are small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders import star

from bwalloc.allocate.policy.neural import Architecture, Graph, act, embed, layer_shapes
from bwalloc.arrays import Incidence
from bwalloc.network import Tunnels
from bwalloc.observe import TABLES

ARCHITECTURE = Architecture(hidden=8)


def weights_of(architecture=ARCHITECTURE, seed=0):
    rng, weights = np.random.default_rng(seed), {}
    for name, (rows, columns) in layer_shapes(architecture).items():
        weights[f"{name}.weight"] = rng.normal(0, 0.4, (rows, columns)).astype(np.float32)
        weights[f"{name}.bias"] = rng.normal(0, 0.2, rows).astype(np.float32)
    return weights


def features_of(network, batch=2, seed=1):
    rng = np.random.default_rng(seed)
    rows = {
        "demands": network.n_demands,
        "tunnels": network.tunnels.exists.size,
        "links": network.n_links,
        "globals": 1,
    }
    return {
        kind: rng.normal(0, 1, (len(TABLES[kind]), count, batch)).astype(np.float32)
        for kind, count in rows.items()
    }


def answer(weights, features, graph, architecture=ARCHITECTURE):
    return act(weights, embed(weights, features, graph, architecture), graph)


def test_permuting_demands_permutes_the_answer():
    network, weights = star(n_sites=4).network, weights_of()
    features, order = features_of(network), np.random.default_rng(3).permutation(20)
    turned = replace(
        network,
        tunnels=Tunnels(
            network.tunnels.hops[order],
            network.tunnels.exists[order],
            network.tunnels.delay_ms[order],
            network.tunnels.egress_usd_per_gbit[order],
        ),
    )
    flat = (order[:, None] * network.n_tunnels + np.arange(network.n_tunnels)).ravel()
    moved = {
        **features,
        "demands": features["demands"][:, order],
        "tunnels": features["tunnels"][:, flat],
    }
    expected = answer(weights, features, Graph.of(network))[order]
    np.testing.assert_allclose(expected, answer(weights, moved, Graph.of(turned)), atol=1e-5)


def test_rows_that_pad_change_nothing():
    network, weights, features = star(n_sites=3).network, weights_of(), features_of(star(3).network)
    extra, hops = 4, network.tunnels.hops
    padding = np.full((extra, *hops.shape[1:]), network.n_links)
    exists = np.concatenate([network.tunnels.exists, np.zeros((extra, 2), bool)])
    crosses = Incidence(np.concatenate([hops, padding]).reshape(-1, hops.shape[2]), network.n_links)
    wide = {
        kind: np.concatenate([rows, np.zeros((len(rows), more, 2), np.float32)], 1)
        for (kind, rows), more in zip(features.items(), (extra, 2 * extra, 0, 0), strict=True)
    }
    padded = answer(weights, wide, Graph(crosses, exists.astype(np.float32)))
    expected = answer(weights, features, Graph.of(network))
    np.testing.assert_allclose(expected, padded[: network.n_demands], atol=1e-5)


def test_each_column_of_a_batch_is_answered_alone():
    network, weights = star(n_sites=3).network, weights_of()
    features, graph = features_of(network, batch=3), Graph.of(network)
    together = answer(weights, features, graph)
    for column in range(3):
        one = {kind: rows[..., column : column + 1] for kind, rows in features.items()}
        np.testing.assert_allclose(
            together[..., column], answer(weights, one, graph)[..., 0], atol=1e-5
        )


@pytest.mark.parametrize("batch", [1, 3])
def test_everything_stays_float32(batch):
    network = star(n_sites=3).network
    graph = Graph.of(network)
    embedding = embed(weights_of(), features_of(network, batch), graph, ARCHITECTURE)

    for rows in (embedding.demands, embedding.tunnels, embedding.links):
        assert rows.dtype == np.float32
    assert act(weights_of(), embedding, graph).dtype == np.float32


def test_messages_carry_what_rivals_want():
    network = star(n_sites=3).network
    features, graph = features_of(network), Graph.of(network)
    other = {kind: rows.copy() for kind, rows in features.items()}
    other["demands"][:, 0] += 1.0
    for rounds, changes in ((2, True), (0, False)):
        architecture = Architecture(hidden=8, rounds=rounds)
        known = weights_of(architecture)
        difference = answer(known, features, graph, architecture) - answer(
            known, other, graph, architecture
        )
        assert changes == bool(np.abs(difference[1:]).max() > 1e-6)


def test_without_history_only_the_last_interval_is_seen():
    network, weights = star(n_sites=2).network, weights_of()
    features, graph = features_of(network), Graph.of(network)
    other = {kind: rows.copy() for kind, rows in features.items()}
    names = [feature.name for feature in TABLES["demands"]]
    other["demands"][names.index("deviation")] += 1.0
    blind = Architecture(hidden=8, history=False)
    assert np.array_equal(
        answer(weights, features, graph, blind), answer(weights, other, graph, blind)
    )
    assert not np.array_equal(answer(weights, features, graph), answer(weights, other, graph))


def test_numpy_and_torch_answer_alike():
    torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    network, weights = star(n_sites=4).network, weights_of()
    features, graph = features_of(network), Graph.of(network)
    tensors = answer(
        {name: torch.as_tensor(value) for name, value in weights.items()},
        {kind: torch.as_tensor(rows) for kind, rows in features.items()},
        graph,
    )
    np.testing.assert_allclose(answer(weights, features, graph), tensors.numpy(), atol=1e-5)
