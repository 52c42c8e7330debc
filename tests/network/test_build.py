import pytest

from bwalloc.errors import TopologyError
from bwalloc.network.build import SiteRow, SpanRow, build_topology, rows_of

SITES = [SiteRow("a", "edge"), SiteRow("b", "cloud")]
SPAN = SpanRow("ab", ("a", "b"), (10.0, 4.0), 1.5, usd_per_h=2.0, egress_usd_per_gbit=(0.0, 0.1))


def test_a_span_is_a_link_each_way():
    topology = build_topology("pair", SITES, [SPAN])

    assert ("a>b", "b>a") == topology.links.name
    assert [10.0, 4.0] == topology.links.capacity_gbps.tolist()
    assert [0.0, 0.1] == topology.links.egress_usd_per_gbit.tolist()
    assert [0, 0] == topology.links.span.tolist()
    assert [10.0] == topology.spans.tier_gbps.tolist()


def test_zero_capacity_leaves_a_direction_out():
    one_way = SpanRow("ab", ("a", "b"), (0.0, 4.0))

    assert ("b>a",) == build_topology("one-way", SITES, [one_way]).links.name


def test_rows_come_back():
    topology = build_topology("pair", SITES, [SPAN])
    again = build_topology("pair", *rows_of(topology))

    assert topology.links.name == again.links.name
    assert topology.links.capacity_gbps.tolist() == again.links.capacity_gbps.tolist()
    assert topology.spans.usd_per_h.tolist() == again.spans.usd_per_h.tolist()


@pytest.mark.parametrize(
    ("sites", "spans", "message"),
    [
        ([*SITES, SITES[0]], [SPAN], "site 'a' stands in the topology twice"),
        (SITES, [SPAN, SPAN], "span 'ab' stands in the topology twice"),
        ([SiteRow("a", "egde")], [], "kind 'egde'. Nearest: 'edge'"),
        (SITES, [SpanRow("ac", ("a", "c"), (1.0, 1.0))], "ends at 'c', which is no site"),
        (SITES, [SpanRow("aa", ("a", "a"), (1.0, 1.0))], "begins and ends at 'a'"),
        (SITES, [SpanRow("ab", ("a", "b"), (-1.0, 1.0))], "capacity_gbps"),
        (SITES, [SpanRow("ab", ("a", "b"), (float("nan"), 1.0))], "capacity_gbps"),
        (SITES, [SpanRow("ab", ("a", "b"), (1.0, 1.0), -2.0)], "delay_ms"),
    ],
)
def test_broken_rows_are_named(sites, spans, message):
    with pytest.raises(TopologyError, match=message):
        build_topology("broken", sites, spans)
