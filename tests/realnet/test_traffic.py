"""Packets get the rates they were given, and telemetry says what they did."""

import time

import numpy as np
import pytest
from namespaces import Street, decision, dscp_of, even, need, place
from traffic import Flow

from bwalloc.serve.planes.htb.plane import HtbPlane

pytestmark = pytest.mark.realnet
NEAR = 0.1


@pytest.fixture
def street(tmp_path):
    need()
    with place() as made:
        yield Street(made, tmp_path)


@pytest.fixture
def lane(tmp_path):
    """The same over a link that the network calls work-conserving: 18 Gbit/s."""
    need()
    with place() as made:
        yield Street(made, tmp_path, link="edge-2>hub")


def opened(street, rates, *, rate=2e-3, mode=None):
    made = HtbPlane(street.network, street.file(time=1.0, rate=rate, mode=mode), rates)
    made.apply(decision(street.network, rates))
    return made


def carried(plane, seconds, warm_s=1.0):
    """Telemetry of some seconds, after traffic has found its rate."""
    time.sleep(warm_s)
    plane.read()
    time.sleep(seconds)
    return plane.read()


def given(street, gbps):
    rates = np.zeros((street.network.n_demands, 1))
    for row, value in gbps.items():
        rates[row] = value
    return rates


def ratio(telemetry, rates, row):
    """Wire rate over the rate that was set."""
    return telemetry.demands.served_gbit[row] / telemetry.interval_s / rates[row, 0]


@pytest.mark.parametrize("mbps", [5, 20, 100, 1000, 4000])
def test_a_saturated_class_carries_its_rate_on_the_wire(street, mbps):
    row = street.rows()[0]
    rates = given(street, {row: 5.0})
    plane = opened(street, rates, rate=mbps / 5e3)
    try:
        with Flow(street, dscp_of(row)) as flow:
            telemetry = carried(plane, 2.5)
            assert flow.received > 0
        print(f"\nset {mbps} Mbit/s, wire/set {ratio(telemetry, rates, row):.3f}")
        if mbps >= 1000 and telemetry.demands.queued_gbit[row, 0] == 0:
            pytest.skip(f"this machine does not send {mbps} Mbit/s")
        assert 1.0 == pytest.approx(ratio(telemetry, rates, row), abs=NEAR)
    finally:
        plane.remove()


def test_several_saturated_classes_keep_apart_and_follow_a_decision(street):
    one, other, third = street.rows()[:3]
    rates = given(street, {one: 2.0, other: 4.0, third: 6.0})
    plane = opened(street, rates)
    try:
        flows = [Flow(street, dscp_of(row)) for row in (one, other, third)]
        telemetry = carried(plane, 2.0)
        found = [ratio(telemetry, rates, row) for row in (one, other, third)]
        rates = given(street, {one: 6.0, other: 4.0, third: 2.0})
        plane.apply(decision(street.network, rates))
        telemetry = carried(plane, 2.0)
        found += [ratio(telemetry, rates, row) for row in (one, other, third)]
        for flow in flows:
            flow.close()
        print("\nwire/set", np.round(found, 3))
        assert [1.0] * 6 == pytest.approx(found, abs=NEAR)
    finally:
        plane.remove()


def test_a_capped_class_gets_no_more_and_a_guaranteed_one_borrows(street, lane):
    for where, least, most in ((street, 0.9, 1.1), (lane, 6.0, 9.9)):
        row = where.rows()[0]
        rates = given(where, {row: 2.0})
        plane = opened(where, rates)
        try:
            with Flow(where, dscp_of(row)):
                found = ratio(carried(plane, 2.0), rates, row)
            assert least < found < most
        finally:
            plane.remove()


def test_a_connection_borrows_from_its_own_demands_and_from_no_others(street):
    names = street.network.demands.name
    busy, idle, other = (
        names.index(name)
        for name in ("kv_transfer-up/edge-1", "bulk_ingest-up/edge-1", "bulk_ingest-up/edge-2")
    )
    rates = given(street, {busy: 2.0, idle: 3.0, other: 6.0})
    plane = opened(street, rates, mode="connection")
    try:
        with Flow(street, dscp_of(busy)):
            found = ratio(carried(plane, 2.0), rates, busy)
        assert 2.5 == pytest.approx(found, rel=NEAR)  # 2 and the 3 beside, not the 6 of the other
    finally:
        plane.remove()


def test_a_guarantee_holds_against_a_neighbour_that_borrows(lane):
    one, other = lane.rows()[:2]
    rates = given(lane, {one: 13.0, other: 2.0})
    plane = opened(lane, rates)
    try:
        with Flow(lane, dscp_of(one)), Flow(lane, dscp_of(other)):
            telemetry = carried(plane, 2.0)
        assert 0.95 < ratio(telemetry, rates, one)
        assert 0.95 < ratio(telemetry, rates, other)
        whole = telemetry.links.carried_gbps[lane.network.links.name.index(lane.link)]
        assert 18.0 == pytest.approx(whole, rel=NEAR)
    finally:
        plane.remove()


def test_telemetry_says_what_was_offered_served_and_dropped(street):
    row = street.rows()[0]
    rates = given(street, {row: 2.0})  # 4 Mbit/s
    plane = opened(street, rates)
    try:
        with Flow(street, dscp_of(row), udp_mbps=8.0):
            telemetry = carried(plane, 2.0)
        demands = telemetry.demands
        assert 8.0 / 2 * 1442 / 1400 == pytest.approx(demands.offered_gbps[row], rel=0.15)
        assert 1.0 == pytest.approx(ratio(telemetry, rates, row), abs=NEAR)
        full = 200 * 1442 * 8e-9 / 2e-3  # the queue, in the network's units
        assert full == pytest.approx(demands.queued_gbit[row, 0], rel=0.1)
        others = np.delete(demands.offered_gbps, row)
        assert 0.0 == pytest.approx(np.nansum(others), abs=0.01)
    finally:
        plane.remove()


def test_packets_of_no_demand_are_not_starved_and_not_more_than_that(street):
    plane = opened(street, even(street.network, 2.0))
    try:
        with Flow(street, 0, udp_mbps=4.0) as flow:
            telemetry = carried(plane, 2.0)
        assert 0 < flow.received
        whole = telemetry.links.carried_gbps[street.network.links.name.index(street.link)]
        assert whole < 0.002 * 14.3
    finally:
        plane.remove()


def test_classes_share_what_is_spare_by_their_weight(lane):
    weights = lane.network.demands.borrow_weight
    rows = lane.rows()
    heavy = max(rows, key=lambda row: weights[row])
    light = min(rows, key=lambda row: weights[row])
    plane = opened(lane, given(lane, {}), rate=5e-4)
    try:
        flows = (Flow(lane, dscp_of(row), udp_mbps=9.0) for row in (heavy, light))
        with next(flows), next(flows):
            served = carried(plane, 2.0).demands.served_gbit
        print("\nweights", weights[heavy], weights[light], "served", served[[heavy, light]])
        assert weights[heavy] > 32 * weights[light]
        assert 32.0 == pytest.approx(served[heavy] / served[light], rel=0.25)
    finally:
        plane.remove()
