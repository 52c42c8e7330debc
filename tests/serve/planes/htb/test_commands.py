"""The lines that are written for `tc`."""

import numpy as np
import pytest
from planes import file_for
from wide import wide

from bwalloc.scenario import load_scenario
from bwalloc.serve.planes.htb.commands import removal, rules, setup
from bwalloc.serve.planes.htb.layout import build_layout
from bwalloc.serve.planes.htb.table import Tables
from bwalloc.serve.planes.plane_file import Match


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny-edge").network


def lines_of(network, link, **options):
    file = file_for(network, [link], **options)
    layout = build_layout(network, file)
    table = Tables(layout, file.scale.rate, 0.01).of(np.ones((network.n_demands, 1)))
    return setup(layout, layout.ports[0], table)


def test_a_port_is_made_from_nothing_in_this_order(tiny):
    lines = lines_of(tiny, "edge-1>hub", scale={"rate": 1e-3})

    assert [
        "qdisc add dev p0 root handle b000: htb default 2",
        "class add dev p0 parent b000: classid b000:1 htb rate 12000000bit ceil 12000000bit "
        "burst 7500b cburst 7500b quantum 1514",
        "class add dev p0 parent b000:1 classid b000:2 htb rate 12000bit ceil 12000000bit "
        "burst 3028b cburst 7500b quantum 1514 prio 7",
        "class add dev p0 parent b000:1 classid b000:10 htb rate 1000000bit ceil 12000000bit "
        "burst 3028b cburst 7500b quantum 5047",
    ] == lines[:4]
    assert "qdisc add dev p0 parent b000:2 pfifo limit 200" in lines
    assert (
        "filter add dev p0 parent b000: protocol ip pref 1 u32 match ip dsfield 0x08 0xfc "
        "flowid b000:10"
    ) in lines
    kinds = [line.partition(" ")[0] for line in lines[1:]]
    assert ["class", "qdisc", "filter"] == list(dict.fromkeys(kinds))


def test_every_class_has_a_queue_of_its_own_that_ends():
    network = wide(3, 1, tunnels=1, hops=1)
    lines = lines_of(network, "link-0", queue_packets=50)

    assert 4 == sum(line.endswith("pfifo limit 50") for line in lines)


def test_a_connection_stands_between_its_classes_and_the_link(tiny):
    lines = lines_of(tiny, "hub>cloud", places={"mode": "connection"})
    parents = [line.split("parent ")[1].split(" htb")[0] for line in lines if " htb rate" in line]

    assert [
        "b000: classid b000:1",
        "b000:1 classid b000:8000",
        "b000:1 classid b000:8001",
        "b000:1 classid b000:2",
        "b000:8000 classid b000:10",
        "b000:8001 classid b000:11",
    ] == parents[:6]
    assert 7 == sum("pfifo" in line for line in lines)


@pytest.mark.parametrize(
    ("gbps", "burst"), [(0.001, 3028), (1.0, 625_000), (10.0, 6_250_000), (1e6, 2**30)]
)
def test_burst_grows_with_the_rate(gbps, burst):
    network = wide(1, 1, tunnels=1, hops=1)
    file = file_for(network, places={"capacity_gbps": 2e6})
    layout = build_layout(network, file)
    table = Tables(layout, 1.0, 0.01).of(np.array([[gbps]]))
    (line,) = [one for one in setup(layout, layout.ports[0], table) if "classid b000:10 " in one]

    assert f" burst {burst}b " in line


def test_turns_in_borrowing_follow_the_weight_and_are_longer_than_packets(tiny):
    lines = lines_of(tiny, "edge-1>hub")
    turns = [int(line.split("quantum ")[1].split()[0]) for line in lines if " quantum " in line]
    weights = tiny.demands.borrow_weight[[2, 4, 6]]

    assert 65536 == min(turns[2:])
    expected = 65536 * np.minimum(weights / weights.min(), 32)
    assert [*expected] == pytest.approx(turns[2:], abs=1)


def said(network, **match):
    file = file_for(network)
    given = Match.model_validate({"demand": network.demands.name[0], **match})
    layout = build_layout(network, file.model_copy(update={"matches": (given,)}))
    return list(rules(layout.ports[0], layout.ports[0].leaves[0]))


@pytest.mark.parametrize(
    ("match", "texts"),
    [
        (
            {"to": "10.1.0.0/16", "dscp": 46},
            ["protocol ip pref 1 u32 match ip dst 10.1.0.0/16 match ip dsfield 0xb8 0xfc"],
        ),
        (
            {"from": "10.2.0.1", "protocol": "tcp", "port": 443},
            [
                "protocol ip pref 1 u32 match ip src 10.2.0.1/32 match ip protocol 6 0xff "
                "match ip dport 443 0xffff"
            ],
        ),
        (
            {"to": "fd00::/64", "dscp": 46},
            ["protocol ipv6 pref 2 u32 match ip6 dst fd00::/64 match ip6 priority 0xb8 0xfc"],
        ),
        (
            {"protocol": "icmp"},
            [
                "protocol ip pref 1 u32 match ip protocol 1 0xff",
                "protocol ipv6 pref 2 u32 match ip6 protocol 58 0xff",
            ],
        ),
        (
            {"to": "10.0.0.1", "protocol": "udp", "from_port": 53},
            [
                "protocol ip pref 1 u32 match ip dst 10.0.0.1/32 match ip protocol 17 0xff "
                "match ip sport 53 0xffff"
            ],
        ),
    ],
)
def test_matches_are_u32_filters(match, texts):
    found = said(wide(1, 1, tunnels=1, hops=1), **match)

    assert [f"{text} flowid b000:10" for text in texts] == found


def test_removal_names_the_handle_so_that_nothing_else_can_go(tiny):
    (port,) = build_layout(tiny, file_for(tiny, ["hub>cloud"])).ports

    assert ["qdisc del dev p0 root handle b000:"] == removal(port)
