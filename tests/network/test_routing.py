"""Routing laws, on small networks worked by hand and on random ones."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bwalloc.errors import TopologyError
from bwalloc.network import Demands
from bwalloc.network.build import SiteRow, SpanRow, build_topology
from bwalloc.network.routing import route


def demands_of(topology, pairs, residency=(), encryption="none"):
    site = topology.sites.name.index
    n = len(pairs)
    return Demands(
        name=tuple(f"{a}-{b}" for a, b in pairs),
        source=np.array([site(a) for a, _ in pairs]),
        target=np.array([site(b) for _, b in pairs]),
        traffic_class=("background",) * n,
        tenant=("t",) * n,
        deadline_s=np.ones(n),
        budget_ms=np.ones(n),
        borrow_weight=np.ones(n),
        floor_gbps=np.zeros(n),
        residency=(tuple(residency),) * n,
        encryption=(encryption,) * n,
    )


def net(spans, **kinds):
    """A topology from `(a, b, delay)` or `(a, b, delay, risk)`; `kinds` name site kinds."""
    names = dict.fromkeys(end for span in spans for end in span[:2])
    sites = [SiteRow(name, kinds.get(name, "hub"), region=name[0]) for name in names]
    rows = [
        SpanRow(f"{a}--{b}", (a, b), (10.0, 10.0), delay, risk_group=risk[0] if risk else "")
        for a, b, delay, *risk in spans
    ]
    return build_topology("test", sites, rows)


def paths(topology, tunnels, demand=0):
    """Tunnels of a demand as lists of site names."""
    names, links = topology.sites.name, topology.links
    found = []
    for hops, exists in zip(tunnels.hops[demand], tunnels.exists[demand], strict=True):
        rows = [row for row in hops if row < len(links.name)]
        if exists:
            found.append(
                "".join([names[links.source[rows[0]]], *(names[links.target[r]] for r in rows)])
            )
    return found


DIAMOND = [("s", "a", 1.0), ("a", "t", 1.0), ("s", "b", 2.0), ("b", "t", 2.0), ("a", "b", 0.1)]


def test_first_is_shortest_second_is_disjoint_third_reuses_least():
    topology = net(DIAMOND)
    tunnels = route(topology, demands_of(topology, [("s", "t")]), tunnels_per_demand=3)

    assert ["sat", "sbt"] == paths(topology, tunnels)[:2]
    assert paths(topology, tunnels)[2] in ("sabt", "sbat")
    assert [2.0, 4.0] == tunnels.delay_ms[0, :2].tolist()


def test_disjoint_means_shared_risk_and_not_only_links():
    spans = [
        ("s", "a", 1.0, "duct"),
        ("a", "t", 1.0),
        ("s", "b", 2.0, "duct"),
        ("b", "t", 2.0),
        ("s", "c", 9.0),
        ("c", "t", 9.0),
    ]
    topology = net(spans)
    tunnels = route(topology, demands_of(topology, [("s", "t")]), tunnels_per_demand=2)

    assert ["sat", "sct"] == paths(topology, tunnels)


def test_one_path_is_padded_beside_two():
    topology = net([*DIAMOND, ("t", "u", 1.0)])
    tunnels = route(topology, demands_of(topology, [("t", "u"), ("s", "t")]), tunnels_per_demand=2)

    assert [True, False] == tunnels.exists[0].tolist()
    assert len(topology.links.name) == tunnels.hops[0, 1].min()
    assert 0.0 == tunnels.delay_ms[0, 1]


def test_edge_sites_carry_no_transit():
    topology = net([("s", "e", 1.0), ("e", "t", 1.0), ("s", "b", 5.0), ("b", "t", 5.0)], e="edge")
    tunnels = route(topology, demands_of(topology, [("s", "t")]))

    assert ["sbt"] == paths(topology, tunnels)


def test_residency_keeps_paths_inside_its_regions():
    topology = net(DIAMOND)
    tunnels = route(topology, demands_of(topology, [("s", "t")], residency="sbt"))

    assert ["sbt"] == paths(topology, tunnels)


def test_parallel_links_are_two_tunnels():
    sites = [SiteRow("a"), SiteRow("b")]
    spans = [
        SpanRow("one", ("a", "b"), (1.0, 1.0), 2.0),
        SpanRow("two", ("a", "b"), (1.0, 1.0), 1.0),
    ]
    topology = build_topology("parallel", sites, spans)
    tunnels = route(topology, demands_of(topology, [("a", "b")]), tunnels_per_demand=2)

    assert ["a>b#2", "a>b"] == [topology.links.name[row] for row in tunnels.hops[0, :, 0]]


@pytest.mark.parametrize(
    ("residency", "encryption", "why"),
    [((), "none", "no path"), (("s", "a"), "none", "residency"), ((), "macsec", "encryption")],
)
def test_unroutable_demand_says_who_and_why(residency, encryption, why):
    spans = DIAMOND if why != "no path" else [("s", "a", 1.0), ("t", "b", 1.0)]
    topology = net(spans)
    demands = demands_of(topology, [("s", "t")], residency, encryption)

    with pytest.raises(TopologyError, match=rf"'s-t' cannot be routed from 's' to 't': .*{why}"):
        route(topology, demands)


def test_encrypted_links_are_taken_where_asked():
    sites = [SiteRow(name) for name in "sabt"]
    spans = [
        SpanRow(f"{a}{b}", (a, b), (1.0, 1.0), delay, encryption=offered)
        for a, b, delay, offered in [
            ("s", "a", 1.0, "none"),
            ("a", "t", 1.0, "macsec"),
            ("s", "b", 2.0, "ipsec"),
            ("b", "t", 2.0, "ipsec"),
        ]
    ]
    topology = build_topology("mixed", sites, spans)

    def found(encryption):
        demands = demands_of(topology, [("s", "t")], (), encryption)
        return paths(topology, route(topology, demands, tunnels_per_demand=1))

    assert (["sat"], ["sbt"], ["sbt"]) == (found("none"), found("ipsec"), found("any"))


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ("sxt", "there is no site 'x'"),
        ("st", "there is no link from 's' to 't'; 's' reaches a, b"),
        ("sa", "must lead from 's' to 't'"),
        ("sabat", "crosses a site twice"),
    ],
)
def test_impossible_explicit_tunnel_says_why(sites, message):
    topology = net(DIAMOND)
    demands = demands_of(topology, [("s", "t")])

    with pytest.raises(TopologyError, match=message):
        route(topology, demands, explicit={"s-t": [list(sites)]})


def test_explicit_tunnels_stand_as_given():
    topology = net(DIAMOND)
    given_paths = [list("sbat"), list("sat")]
    tunnels = route(topology, demands_of(topology, [("s", "t")]), explicit={"s-t": given_paths})

    assert ["sbat", "sat"] == paths(topology, tunnels)


def test_explicit_tunnels_of_no_demand_name_the_nearest():
    topology = net(DIAMOND)
    with pytest.raises(TopologyError, match=r"'s-u', which is no demand\. Nearest: 's-t'"):
        route(topology, demands_of(topology, [("s", "t")]), explicit={"s-u": []})


@st.composite
def networks(draw):
    n = draw(st.integers(3, 9))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    ring = [(i, (i + 1) % n) for i in range(n)]
    chords = [tuple(rng.choice(n, 2, replace=False)) for _ in range(draw(st.integers(0, 8)))]
    ends = {tuple(sorted((int(a), int(b)))) for a, b in ring + chords}
    return net([(f"n{a}", f"n{b}", float(rng.integers(1, 20))) for a, b in sorted(ends)])


@settings(max_examples=40, deadline=None)
@given(networks())
def test_laws_of_tunnels(topology):
    names, links = topology.sites.name, topology.links
    pairs = [(names[0], names[-1]), (names[1], names[0])]
    tunnels = route(topology, demands_of(topology, pairs), tunnels_per_demand=4)
    for demand, (source, target) in enumerate(pairs):
        seen = set()
        for hops, exists in zip(tunnels.hops[demand], tunnels.exists[demand], strict=True):
            if not exists:
                continue
            rows = [int(row) for row in hops if row < len(links.name)]
            visited = [int(links.source[rows[0]]), *(int(links.target[row]) for row in rows)]
            assert (names[visited[0]], names[visited[-1]]) == (source, target)
            assert all(links.target[a] == links.source[b] for a, b in pairwise(rows))
            assert len(set(visited)) == len(visited)
            seen.add(tuple(rows))
        assert len(seen) == tunnels.exists[demand].sum()
        delays = tunnels.delay_ms[demand][tunnels.exists[demand]]
        assert delays[0] == delays.min()
        # A ring gives every pair two ways; the second tunnel is disjoint wherever it can be.
        first, second = (set(tunnels.hops[demand, k]) - {len(links.name)} for k in (0, 1))
        risks = {links.risk_group[row] for row in first}
        rest = [row for row in range(len(links.name)) if links.risk_group[row] not in risks]
        if reaches(links, rest, names.index(source), names.index(target)):
            assert not risks & {links.risk_group[row] for row in second}


def reaches(links, rows, source, target):
    found = {source}
    for _ in range(len(rows) + 1):
        found |= {int(links.target[row]) for row in rows if int(links.source[row]) in found}
    return target in found
