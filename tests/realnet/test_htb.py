"""The HTB plane against the kernel: built, taken over, damaged, disturbed, refused."""

import os
import signal
import time

import numpy as np
import pytest
from namespaces import Street, decision, even, ip, need, place, plane_of, rates_there, snapshot, tc

from bwalloc.control import Order
from bwalloc.errors import PlaneError
from bwalloc.serve.planes import htb
from bwalloc.serve.planes.htb.layout import FIRST_LEAF, REST, ROOT
from bwalloc.serve.planes.htb.plane import HtbPlane

pytestmark = pytest.mark.realnet


@pytest.fixture
def street(tmp_path):
    need()
    with place() as made:
        yield Street(made, tmp_path)


class Opened:
    """Planes that are taken away at the end, whatever became of them."""

    def __init__(self):
        self.planes = []

    def __call__(self, street, gbps=1.0, *, text=None, **options):
        made = HtbPlane(
            street.network, text or street.file(), even(street.network, gbps), **options
        )
        self.planes.append(made)
        return made


@pytest.fixture
def opened():
    made = Opened()
    yield made
    for plane in made.planes:
        if plane._lease is not None:
            plane._lease.end()
        plane.close()


def words(plane):
    return [note.word for note in plane.notes()]


def told(plane, within_s=8.0):
    """Words of what is told beside decisions, once there are any."""
    until_s = time.monotonic() + within_s
    while not (found := words(plane)):
        assert time.monotonic() < until_s
        time.sleep(0.02)
    return found


def leaf(number):
    return FIRST_LEAF + number


def test_it_builds_a_class_for_each_demand_at_the_static_table(street, opened):
    opened(street, 1.0)
    rates = rates_there(street.a)

    assert {ROOT, REST, *(leaf(n) for n in range(6))} == set(rates)
    assert {2_000_000} == {rates[leaf(n)] for n in range(6)}
    assert 28_600_000 == rates[ROOT]
    assert 6 == tc(street.a, "filter show dev out").count("flowid") // 2  # IPv4 and IPv6


def test_a_decision_is_put_in_force_and_the_same_again_changes_nothing(street, opened):
    plane = opened(street)
    told = decision(street.network, even(street.network, 2.0))

    assert (6, 2) == (plane.apply(told).changed, plane.apply(told).kept - 6)
    assert {4_000_000} == {rates_there(street.a)[leaf(n)] for n in range(6)}
    assert 0 == plane.apply(told).changed


def test_rates_above_34_gbit_are_held_in_64_bits(street, opened):
    plane = opened(street, text=street.file(rate=50.0))
    rates = np.zeros((street.network.n_demands, 1))
    rates[street.rows()[0]] = 10.0
    plane.apply(decision(street.network, rates))

    assert 500_000_000_000 == rates_there(street.a)[leaf(0)]


def test_orders_are_told_of_and_not_placed(street, opened):
    plane = opened(street)
    plane.notes()
    orders = (Order("hub--cloud", 20.0),)
    plane.apply(decision(street.network, even(street.network, 2.0), orders=orders))

    (note,) = plane.notes()
    assert "orders-ignored" == note.word
    assert "'hub--cloud' to 20;" in note.text


def test_a_new_process_takes_over_the_rates_there_are(street, opened):
    first = opened(street)
    first.apply(decision(street.network, even(street.network, 2.0)))
    watched_by = first.watchdog_pid
    first.close()
    before = snapshot(street.a)
    second = opened(street)

    assert before == snapshot(street.a)
    assert ["adopted", "adopted"] == words(second)
    assert watched_by == second.watchdog_pid


def test_another_description_of_the_same_interface_is_built_anew(street, opened):
    first = opened(street)
    first.apply(decision(street.network, even(street.network, 2.0)))
    first.close()
    second = opened(street, text=street.file(more="queue_packets = 77"))

    assert ["built", "adopted"] == words(second)
    assert "limit 77p" in tc(street.a, "qdisc show dev out")
    assert 2_000_000 == rates_there(street.a)[leaf(0)]


def test_a_second_writer_is_refused_and_told_who_the_first_is(street, opened):
    opened(street)
    before = snapshot(street.a)
    text = street.text().replace(f'"{street.state}"', f'"{street.folder}/other"')

    with pytest.raises(PlaneError, match=f"'out'.*process {os.getpid()} writes it already"):
        opened(street, text=plane_of(street.folder, text))
    assert before == snapshot(street.a)


def test_without_enforcing_nothing_is_written(street, opened):
    before = snapshot(street.a)
    plane = opened(street, is_enforcing=False)
    applied = plane.apply(decision(street.network, even(street.network, 2.0)))
    plane.read()

    assert before == snapshot(street.a)
    assert 6 == applied.changed
    assert plane.watchdog_pid is None
    assert not street.state.exists()


def test_beside_a_writer_it_looks_on_and_sees_what_is_in_force(street, opened):
    opened(street)
    beside = opened(street, is_enforcing=False)
    before = snapshot(street.a)

    assert 0 == beside.apply(decision(street.network, even(street.network, 1.0))).changed
    assert 6 == beside.apply(decision(street.network, even(street.network, 2.0))).changed
    assert before == snapshot(street.a)


def test_a_class_changed_by_hand_is_told_of_and_set_again(street, opened):
    plane = opened(street)
    plane.apply(decision(street.network, even(street.network, 2.0)))
    plane.notes()
    tc(street.a, "class change dev out parent b000:1 classid b000:12 htb rate 9mbit")
    plane.apply(decision(street.network, even(street.network, 2.0)))

    assert ["foreign-change"] == words(plane)
    assert 4_000_000 == rates_there(street.a)[leaf(2)]


@pytest.mark.parametrize(
    "harm",
    ["qdisc del dev out root", "filter del dev out parent b000: pref 1"],
    ids=["qdisc", "filters"],
)
def test_what_is_deleted_by_hand_is_built_anew_with_the_rates_before(street, opened, harm):
    plane = opened(street)
    plane.apply(decision(street.network, even(street.network, 2.0)))
    plane.notes()
    tc(street.a, harm)
    telemetry = plane.read()
    plane.apply(decision(street.network, even(street.network, 2.0)))

    assert telemetry.links.is_up[street.network.links.name.index(street.link)]
    assert ["rebuilt"] == words(plane)
    assert 4_000_000 == rates_there(street.a)[leaf(0)]
    assert 12 == tc(street.a, "filter show dev out").count("flowid")
    assert 0 == plane.apply(decision(street.network, even(street.network, 2.0))).changed


def test_a_class_that_somebody_added_is_taken_away(street, opened):
    plane = opened(street)
    plane.notes()
    tc(street.a, "class add dev out parent b000:1 classid b000:999 htb rate 1mbit")
    applied = plane.apply(decision(street.network, even(street.network, 2.0)))

    assert ["rebuilt"] == words(plane)
    assert 6 == applied.changed
    assert {ROOT, REST, *(leaf(n) for n in range(6))} == set(rates_there(street.a))


def test_a_discipline_of_somebody_else_is_refused_at_the_start(street, opened):
    tc(street.a, "qdisc add dev out root handle 1: htb")

    with pytest.raises(PlaneError, match="that bwalloc did not make \\(htb 1:\\)"):
        opened(street)
    assert "htb 1:" in tc(street.a, "qdisc show dev out")


def test_one_that_comes_later_is_left_alone_and_lasts_as_a_fault(street, opened):
    plane = opened(street)
    plane.notes()
    tc(street.a, "qdisc replace dev out root handle 1: tbf rate 1mbit burst 5k lat 1s")
    for _ in range(2):
        plane.apply(decision(street.network, even(street.network, 2.0)))

    assert ["foreign-change"] == words(plane)
    assert ["foreign-change"] == [note.word for note in plane.faults]
    assert "tbf 1:" in tc(street.a, "qdisc show dev out")
    tc(street.a, "qdisc del dev out root")
    plane.apply(decision(street.network, even(street.network, 2.0)))
    assert ["rebuilt"] == words(plane)
    assert () == plane.faults


def is_up(street, plane):
    at = street.network.links.name.index(street.link)
    links = plane.read().links
    return bool(links.is_up[at]), float(links.capacity_gbps[at])


def test_an_interface_that_goes_down_and_comes_up_keeps_its_classes(street, opened):
    plane = opened(street)
    ip("-n", street.a, "link", "set", "out", "down")
    assert (False, 0.0) == is_up(street, plane)
    plane.apply(decision(street.network, even(street.network, 2.0)))
    ip("-n", street.a, "link", "set", "out", "up")

    assert (True, pytest.approx(14.3)) == is_up(street, plane)
    assert 4_000_000 == rates_there(street.a)[leaf(0)]


def test_an_interface_that_is_gone_is_a_link_down_and_is_built_when_it_is_back(street, opened):
    plane = opened(street)
    plane.notes()
    ip("-n", street.a, "link", "del", "out")
    assert (False, 0.0) == is_up(street, plane)
    plane.apply(decision(street.network, even(street.network, 2.0)))
    assert ["interface-missing"] == words(plane)
    assert () == plane.faults
    street.place.join(street.a, street.b, 1)

    assert (True, pytest.approx(14.3)) == is_up(street, plane)
    plane.apply(decision(street.network, even(street.network, 2.0)))
    assert ["rebuilt"] == words(plane)
    assert 4_000_000 == rates_there(street.a)[leaf(0)]


def test_what_half_worked_is_taken_back(street, opened, monkeypatch):
    plane = opened(street)
    plane.apply(decision(street.network, even(street.network, 2.0)))
    real = htb.plane.tc.batch
    said = []

    def spoilt(netns, lines):
        bad = "class change dev out parent b000:1 classid b000:fff htb rate 1mbit"
        real(netns, [*lines[:3], bad, *lines[3:]] if not said else lines)

    def once(netns, lines):
        try:
            spoilt(netns, lines)
        finally:
            said.append(len(lines))

    monkeypatch.setattr(htb.plane.tc, "batch", once)
    before = snapshot(street.a)
    with pytest.raises(PlaneError, match=r"b000:fff.*The rates before are in force again"):
        plane.apply(decision(street.network, even(street.network, 1.0)))

    assert [6, 3] == said  # three lines worked, and three were taken back
    assert before == snapshot(street.a)


def test_a_killed_watchdog_is_noticed_and_another_one_started(street, opened):
    plane = opened(street)
    plane.notes()
    gone = plane.watchdog_pid
    os.kill(gone, signal.SIGKILL)
    plane.apply(decision(street.network, even(street.network, 2.0)))

    assert ["watchdog-restarted"] == told(plane)
    assert gone != plane.watchdog_pid
    os.kill(plane.watchdog_pid, 0)


def test_an_adopted_watchdog_that_freezes_is_replaced_while_decisions_go_on(street, opened):
    first = opened(street)
    gone = first.watchdog_pid
    first.close()
    plane = opened(street)
    plane.notes()
    os.kill(gone, signal.SIGSTOP)
    begun_s = time.monotonic()
    for gbps in (2.0, 1.0, 2.0):  # none waits for the watchdog
        plane.apply(decision(street.network, even(street.network, gbps)))
    meanwhile_s = time.monotonic() - begun_s

    assert 4_000_000 == rates_there(street.a)[leaf(0)]
    assert ["watchdog-restarted"] == told(plane)
    print(f"\nthree decisions in {meanwhile_s:.2f} s, replaced {time.monotonic() - begun_s:.2f} s")
    assert gone != plane.watchdog_pid
    os.kill(plane.watchdog_pid, 0)


def test_a_controller_that_is_stuck_loses_its_rates_and_takes_them_back(street, opened):
    plane = opened(street, text=street.file(time=50.0))
    plane.apply(decision(street.network, even(street.network, 2.0)))
    plane.notes()
    time.sleep(1.2)
    assert 2_000_000 == rates_there(street.a)[leaf(0)]
    plane.apply(decision(street.network, even(street.network, 2.0)))

    assert ["watchdog-restored"] == told(plane)
    assert 4_000_000 == rates_there(street.a)[leaf(0)]


def test_removing_leaves_nothing_behind(street, opened):
    before = snapshot(street.a)
    plane = opened(street)
    pid = plane.watchdog_pid
    plane.remove()

    assert before == snapshot(street.a)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_rate_that_did_not_arrive_is_found_by_reading_back(street, opened, monkeypatch):
    plane = opened(street)
    real = htb.plane.tc.batch
    monkeypatch.setattr(htb.plane.tc, "batch", lambda netns, lines: real(netns, lines[1:]))
    with pytest.raises(PlaneError, match=r"not 4000000 as it was told \(1 classes are wrong\)"):
        plane.apply(decision(street.network, even(street.network, 2.0)))
