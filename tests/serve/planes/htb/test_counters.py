"""Telemetry from what classes counted."""

from dataclasses import replace

import numpy as np
import pytest
from planes import file_for

from bwalloc.scenario import load_scenario
from bwalloc.serve.planes.htb.counters import Counters
from bwalloc.serve.planes.htb.dump import ClassState, Dump
from bwalloc.serve.planes.htb.layout import ROOT, build_layout

LINKS = ["edge-1>hub", "hub>cloud"]
ZERO = ClassState("b000:1", 8000, 8000, 0, 0, 0, 0)


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny-edge").network


def counters(network, **scale):
    file = file_for(network, LINKS, scale=scale)
    return Counters(network, build_layout(network, file), file.scale)


def dump(made, at_s, **states):
    """All classes at zero but those named `port_minor`; minor in hexadecimal."""
    ports = made.layout.ports
    classes = {
        port.id(minor): ZERO
        for port in ports
        for minor in (ROOT, 2, *(leaf.minor for leaf in port.leaves))
    }
    for name, state in states.items():
        port, minor = name[1:].split("_")
        classes[ports[int(port)].major, int(minor, 16)] = replace(ZERO, **state)
    return Dump(at_s, classes, {}, {(None, port.interface): True for port in ports})


def row(network, name):
    return network.demands.name.index(name)


def test_offered_is_what_was_sent_joined_the_queue_and_was_dropped(tiny):
    made = counters(tiny)
    before = dump(made, 10.0, p0_10={"sent_bytes": 1000, "sent_packets": 1, "backlog_bytes": 500})
    now = dump(
        made,
        12.0,
        p0_10={
            "sent_bytes": 2_000_001_000,
            "sent_packets": 2_000_001,
            "backlog_bytes": 250_000_500,
            "dropped_packets": 250_000,
        },
        p1_10={"sent_bytes": 1_000_000_000, "backlog_bytes": 125_000_000},
    )
    found = made.telemetry(before, now)
    kv = row(tiny, "kv_transfer-up/edge-1")

    assert 10.0 == pytest.approx(found.demands.offered_gbps[kv])  # at the first link
    assert 8.0 == pytest.approx(found.demands.served_gbit[kv])  # at the last
    assert 3.0 == pytest.approx(found.demands.queued_gbit[kv, 0], rel=1e-5)  # on both
    assert 2.0 == found.interval_s


def test_a_link_carries_what_its_root_sent(tiny):
    made = counters(tiny)
    now = dump(made, 1.0, p1_1={"sent_bytes": 250_000_000})
    found = made.telemetry(dump(made, 0.0), now).links
    at = tiny.links.name.index("hub>cloud")

    assert 2.0 == pytest.approx(found.carried_gbps[at])
    assert 14.3 == pytest.approx(found.capacity_gbps[at])
    assert np.isnan(found.carried_gbps[tiny.links.name.index("cloud>hub")])
    assert all(found.is_up)


def test_the_networks_units_come_back_from_a_small_and_fast_copy(tiny):
    made = counters(tiny, rate=1e-3, time=10.0)
    now = dump(made, 1.0, p0_10={"sent_bytes": 125_000}, p1_10={"sent_bytes": 125_000})
    found = made.telemetry(dump(made, 0.0), now)
    kv = row(tiny, "kv_transfer-up/edge-1")

    assert 10.0 == found.interval_s
    assert 1.0 == pytest.approx(found.demands.offered_gbps[kv])
    assert 10.0 == pytest.approx(found.demands.served_gbit[kv])
    assert 14.3 == pytest.approx(found.links.capacity_gbps[tiny.links.name.index("hub>cloud")])


def test_a_demand_that_the_plane_does_not_see_is_unmeasured(tiny):
    made = counters(tiny)
    found = made.telemetry(dump(made, 0.0), dump(made, 1.0)).demands

    assert np.isnan(found.offered_gbps[row(tiny, "inference-down/edge-1")])
    assert 0.0 == found.offered_gbps[row(tiny, "kv_transfer-up/edge-1")]


def test_classes_that_are_gone_are_unmeasured_and_their_link_is_down(tiny):
    made = counters(tiny)
    now = dump(made, 1.0)
    for key in [key for key in now.classes if key[0] == made.layout.ports[1].major]:
        del now.classes[key]
    del now.up[None, "p1"]
    found = made.telemetry(dump(made, 0.0), now)
    at = tiny.links.name.index("hub>cloud")

    assert np.isnan(found.demands.offered_gbps[row(tiny, "kv_transfer-up/edge-1")])
    assert (False, 0.0) == (found.links.is_up[at], found.links.capacity_gbps[at])


def test_counters_that_begin_anew_do_not_run_backwards(tiny):
    made = counters(tiny)
    before = dump(made, 0.0, p0_10={"sent_bytes": 10**12, "backlog_bytes": 10**9})
    now = dump(made, 1.0, p0_10={"sent_bytes": 125_000_000, "sent_packets": 1})
    found = made.telemetry(before, now).demands

    assert 1.0 == pytest.approx(found.offered_gbps[row(tiny, "kv_transfer-up/edge-1")])


def test_a_span_that_is_sold_is_shaped_and_told_at_its_first_tier_or_as_the_file_says():
    network = load_scenario("enterprise-naas").network
    offers, menu = network.offers, 0
    link = int(np.flatnonzero(network.links.span == offers.span[menu])[0])
    largest, first = offers.largest_gbps[menu], offers.tier_gbps[menu, offers.first[menu]]
    assert first < largest
    for places, tier in (({}, first), ({"capacity_gbps": float(largest)}, largest)):
        file = file_for(network, [network.links.name[link]], places=places, scale={"rate": 0.01})
        layout = build_layout(network, file)
        made = Counters(network, layout, file.scale)
        told = made.telemetry(dump(made, 0.0), dump(made, 10.0))

        assert layout.ports[0].capacity_bps == pytest.approx(tier * 1e7, rel=1e-3)
        assert tier == told.spans.tier_gbps[offers.span[menu]]
        assert told.links.capacity_gbps[link] == pytest.approx(tier, rel=1e-3)
