"""The policy network as it starts."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")

from builders import star  # noqa: E402

from bwalloc.allocate.policy.neural import Architecture, Graph  # noqa: E402
from bwalloc.learn.network import EVEN, WIDE, PolicyNetwork  # noqa: E402
from bwalloc.observe import TABLES, tables_of  # noqa: E402


def features(network, batch=4):
    generator = torch.Generator().manual_seed(0)
    rows = {
        "demands": network.n_demands,
        "tunnels": network.tunnels.exists.size,
        "links": network.n_links,
        "globals": 1,
    }
    return {
        kind: torch.randn(len(TABLES[kind]), count, batch, generator=generator)
        for kind, count in rows.items()
    }


def test_first_actions_are_close_to_the_base_allocator():
    network = star(n_sites=5).network
    action = PolicyNetwork(Architecture())(features(network), Graph.of(network))
    assert action.shape == (25, 5, 4)
    assert 0 < action.abs().max() < 0.2


def test_it_is_small():
    assert sum(p.numel() for p in PolicyNetwork(Architecture(hidden=64)).parameters()) < 100_000


def test_weights_come_from_the_seed():
    one, same, other = (PolicyNetwork(Architecture(), seed) for seed in (1, 1, 2))
    assert torch.equal(one.weights["demand.in.weight"], same.weights["demand.in.weight"])
    assert not torch.equal(one.weights["demand.in.weight"], other.weights["demand.in.weight"])


def test_weights_go_to_numpy_and_back():
    one, other = PolicyNetwork(Architecture(), 1), PolicyNetwork(Architecture(), 2)
    other.load(one.numpy())
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_no_feature_of_a_demand_drowns_the_others():
    """What a feature may add to a hidden row at first: its largest value times its weights."""
    weight = PolicyNetwork(Architecture(hidden=64, spans=True)).weights["demand.in.weight"]
    for column, feature in enumerate(tables_of(spans=True)["demands"]):
        reach = max(abs(feature.low), abs(feature.high))
        most = weight[:, column].abs().max() * reach
        usual = weight[:, 0].abs().max() * (EVEN if reach > WIDE else reach)

        assert most < 1.1 * usual
