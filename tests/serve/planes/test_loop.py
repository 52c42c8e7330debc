"""The loop: read, decide, apply, and what is counted when one of them fails."""

import threading
import time

import pytest
import sidecars
from planes import Recorder

from bwalloc.control import Telemetry, from_json
from bwalloc.serve.planes import NoPlane, Note, PlaneLoop


def measured():
    return from_json(Telemetry, sidecars.telemetry())


@pytest.fixture
def supervisor():
    with sidecars.supervisor() as made:
        yield made


def test_what_is_read_is_decided_and_applied(supervisor):
    plane = Recorder(measured)
    loop = PlaneLoop(supervisor, plane, 10.0)
    loop.turn()
    status = loop.status()

    assert ["policy"] == [decision.source for decision in plane.applied]
    assert (1, 3, 4, 77) == (status.rounds, status.changed, status.kept, status.watchdog_pid)
    assert status.is_reachable
    assert 1 == status.reading.count == status.applying.count
    assert 0 <= status.apply_age_s < 5


def test_a_plane_that_cannot_be_read_gets_a_fallback(supervisor):
    plane = Recorder(measured)
    plane.breaks = {"read"}
    loop = PlaneLoop(supervisor, plane, 10.0)
    loop.turn()
    status = loop.status()

    assert ["static"] == [decision.source for decision in plane.applied]
    assert (1, "cannot be read") == (status.errors["read"], status.last_error)
    assert status.read_age_s is None


@pytest.mark.parametrize("what", ["apply", "internal"])
def test_what_cannot_be_applied_is_not_reachable_until_it_works_again(supervisor, what):
    plane = Recorder(measured)
    plane.breaks = {what}
    loop = PlaneLoop(supervisor, plane, 10.0)
    loop.turn()
    assert (1, False) == (loop.status().errors[what], loop.status().is_reachable)
    plane.breaks = set()
    loop.turn()

    assert (1, True) == (loop.status().errors[what], loop.status().is_reachable)


def test_a_fault_that_lasts_is_not_reachable(supervisor):
    plane = Recorder(measured)
    plane.faults = (Note("foreign-change", "somebody"),)
    loop = PlaneLoop(supervisor, plane, 10.0)
    loop.turn()

    assert not loop.status().is_reachable


def test_a_decision_that_took_longer_than_its_interval_is_dropped(supervisor):
    def slowly():
        time.sleep(0.05)
        return measured()

    plane = Recorder(slowly)
    loop = PlaneLoop(supervisor, plane, 0.02)
    loop.turn()

    assert [] == plane.applied
    assert (1, False) == (loop.status().errors["late"], loop.status().is_reachable)


def test_notes_are_counted_by_word_and_kept_as_text(supervisor):
    plane = Recorder(measured)
    plane.said = [Note("rebuilt", "one"), Note("rebuilt", "two")]
    loop = PlaneLoop(supervisor, plane, 10.0)
    loop.turn()

    assert {"rebuilt": 2} == loop.status().happened
    assert ("rebuilt: one", "rebuilt: two") == loop.status().recent


def test_the_loop_turns_once_an_interval_and_stops(supervisor):
    plane = Recorder(measured)
    loop = PlaneLoop(supervisor, plane, 0.2)
    loop.start()
    time.sleep(1.1)
    loop.stop()
    count = len(plane.applied)
    time.sleep(0.4)

    assert 2 <= count <= 5
    assert count == len(plane.applied)
    assert not plane.is_closed  # that is its owner's to do


def test_missed_turns_are_not_made_up_for(supervisor):
    stuck = threading.Event()

    def measure():
        if not stuck.is_set():
            stuck.set()
            time.sleep(0.7)
        return measured()

    loop = PlaneLoop(supervisor, Recorder(measure), 0.2)
    loop.start()
    time.sleep(1.3)
    loop.stop()

    assert loop.status().rounds <= 4


def test_a_loop_that_never_began_can_be_stopped(supervisor):
    PlaneLoop(supervisor, Recorder(), 1.0).stop()


def test_no_plane_measures_and_changes_nothing(supervisor):
    plane = NoPlane()
    decision = supervisor.decide(measured())

    assert plane.read() is None
    assert (0, decision.rates_gbps.size) == (
        plane.apply(decision).changed,
        plane.apply(decision).kept,
    )
    assert () == plane.notes() == plane.faults
    plane.close()
