"""Diversity of tunnels, on networks worked by hand."""

import numpy as np
import pytest

from bwalloc.money import GroupLaw, ValueLaw
from bwalloc.network import Demands, Network
from bwalloc.network.build import SiteRow, SpanRow, build_topology
from bwalloc.network.diversity import diversity_of
from bwalloc.network.routing import route


def diversity(spans, pairs, tunnels=3):
    """That of spans `(a, b, delay)` or `(a, b, delay, risk)` of 10 Gbit/s, and demands `(a, b)`."""
    names = list(dict.fromkeys(end for span in spans for end in span[:2]))
    rows = [
        SpanRow(f"{a}--{b}", (a, b), (10.0, 10.0), delay, risk_group=risk[0] if risk else "")
        for a, b, delay, *risk in spans
    ]
    topology = build_topology("test", [SiteRow(name) for name in names], rows)
    n = len(pairs)
    demands = Demands(
        name=tuple(f"{a}-{b}" for a, b in pairs),
        source=np.array([names.index(a) for a, _ in pairs]),
        target=np.array([names.index(b) for _, b in pairs]),
        traffic_class=("background",) * n,
        tenant=("t",) * n,
        deadline_s=np.ones(n),
        budget_ms=np.ones(n),
        borrow_weight=np.ones(n),
        floor_gbps=np.zeros(n),
        residency=((),) * n,
        encryption=("none",) * n,
    )
    law = ValueLaw(np.ones((n, 1)), np.full((n, 1), np.inf), *(np.zeros(n),) * 3, 0.0)
    groups = GroupLaw((), np.full(n, -1), np.zeros(0), np.zeros(0), np.zeros(0))
    routed = route(topology, demands, tunnels_per_demand=tunnels)
    return diversity_of(Network(topology, demands, routed, law, groups, 10.0))


SQUARE = [("s", "a", 1.0), ("a", "t", 1.0), ("s", "b", 2.0), ("b", "t", 2.0)]


def test_two_ways_around_a_square_survive_any_single_failure():
    found = diversity(SQUARE, [("s", "t")])

    assert [2] == found.disjoint.tolist()
    assert [True] == found.survives.tolist()
    assert 1.0 == found.survivability
    assert [0.5] == found.worst.tolist()


def test_a_span_that_all_tunnels_cross_cuts_the_demand_off():
    found = diversity([*SQUARE, ("t", "u", 1.0)], [("s", "u"), ("s", "t")])

    assert [1, 2] == found.disjoint.tolist()
    assert [False, True] == found.survives.tolist()
    row = found.groups.index("t--u")
    assert [True, False] == found.is_cut_off[:, row].tolist()
    assert 1 == found.is_cut_off.sum()
    assert pytest.approx(1 - 1 / 10) == found.survivability
    assert [0.0, 0.5] == found.worst.tolist()


def test_spans_in_one_duct_fail_together():
    ducts = [(a, b, ms, "duct" if "s" in (a, b) else "") for a, b, ms in SQUARE]
    found = diversity(ducts, [("s", "t")])

    assert [1] == found.disjoint.tolist()
    assert [False] == found.survives.tolist()
    assert ("duct", "a--t", "b--t") == found.groups


def test_a_detour_that_shares_one_span_is_not_disjoint_but_still_helps():
    """s-a-t, s-b-t, and a third over a-b: no three are disjoint, and any one group leaves one."""
    found = diversity([*SQUARE, ("a", "b", 0.1)], [("s", "t")])

    assert [2] == found.disjoint.tolist()
    assert found.survives.all()
    assert 0 < found.worst[0] < 0.5


def test_groups_that_nobody_crosses_do_not_count():
    found = diversity([*SQUARE, ("b", "x", 1.0)], [("s", "t")])

    assert "b--x" not in found.groups


def test_a_demand_with_one_tunnel_depends_on_all_of_it():
    found = diversity(SQUARE, [("s", "t")], tunnels=1)

    assert [1] == found.disjoint.tolist()
    assert found.is_cut_off.all()
    assert 0.0 == found.survivability
