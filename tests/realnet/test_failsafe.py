"""A sidecar with an HTB plane that is killed, restarted, disturbed, and one that only looks."""

import os
import signal
import threading
import time

import pytest
from namespaces import Street, even, need, place, rates_there, snapshot, tc, write_plane
from sidecars import Sidecar, telemetry

from bwalloc.serve.planes.htb.layout import FIRST_LEAF
from bwalloc.serve.planes.htb.plane import HtbPlane

pytestmark = pytest.mark.realnet
LEAVES = range(FIRST_LEAF, FIRST_LEAF + 6)
INTERVAL_S = 10.0


@pytest.fixture
def street(tmp_path):
    need()
    watched = []
    with place() as made:
        street = Street(made, tmp_path)
        street.watched = watched
        yield street
        for pid in watched:  # they would end by themselves, the table restored
            if "watchdog.py" in command_of(pid):
                os.kill(pid, signal.SIGTERM)


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read()
    except OSError:
        return ""


def sidecar(street, *options, time_scale=20.0, misses=3):
    path = write_plane(street.folder, street.text(time=time_scale, more=f"misses = {misses}"))
    options = ["--plane", "htb", "--plane-file", path, "--runtime", "numpy", *options]
    return Sidecar(*options)


def plane_status(made, street):
    found = made.ask("GET", "/v1/status").json()["plane"]
    if found["watchdog_pid"] not in (None, *street.watched):
        street.watched.append(found["watchdog_pid"])
    return found


def until(holds, within_s):
    """Wait for it; how long it took."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < within_s
        time.sleep(0.02)
    return time.monotonic() - begun


def leaves(street):
    rates = rates_there(street.a)
    return [rates.get(number) for number in LEAVES]


def static(street):
    """What the watchdog is told: taken from a table that was just built."""
    return leaves(street)


def test_it_decides_by_itself_mends_what_is_broken_and_dies_safely(street):
    with sidecar(street, time_scale=10.0) as made:
        before = static(street)
        until(lambda: plane_status(made, street)["apply_age_s"] is not None, 20)
        assert None not in before
        until(lambda: leaves(street) != before, 5)
        assert 200 == made.ask("GET", "/health/ready").status
        assert 409 == made.ask("POST", "/v1/decide", telemetry()).status
        assert "policy" == made.ask("GET", "/v1/status").json()["ladder"]["source"]
        said = made.ask("GET", "/metrics").body.decode()
        assert 'bwalloc_plane_errors_total{error="apply"} 0.0' in said
        assert "bwalloc_plane_reachable 1.0" in said

        tc(street.a, "qdisc del dev out root")
        until(lambda: plane_status(made, street)["happened"].get("rebuilt") == 1, 5)
        gone = plane_status(made, street)["watchdog_pid"]
        os.kill(gone, signal.SIGKILL)
        until(lambda: plane_status(made, street)["happened"].get("watchdog-restarted") == 1, 5)
        assert gone != plane_status(made, street)["watchdog_pid"]
        assert "" == command_of(gone)

        assert before != leaves(street)
        made.end(signal.SIGKILL)
        took_s = until(lambda: leaves(street) == before, 10)
        print(f"\nback to the static table {took_s:.2f} s after kill -9, 3 intervals are 3 s")
        assert took_s <= 3 * INTERVAL_S / 10
        last = street.watched[-1]
        until(lambda: command_of(last) == "", 5)  # its work is done


def test_a_restart_takes_over_without_a_gap(street):
    seen, over = [], threading.Event()
    slowly = {"time_scale": 5.0, "misses": 10}  # a busy machine takes seconds to start a process

    def watch():
        while not over.wait(0.05):
            seen.append(leaves(street))

    with sidecar(street, **slowly) as first:
        before = static(street)
        until(lambda: leaves(street) != before, 20)
        watched_by = plane_status(first, street)["watchdog_pid"]
        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        first.end(signal.SIGKILL)
    with sidecar(street, **slowly) as second:
        until(lambda: plane_status(second, street)["apply_age_s"] is not None, 20)
        over.set()
        watching.join()
        found = plane_status(second, street)
        assert watched_by == found["watchdog_pid"]
        assert {"adopted": 2} == {"adopted": found["happened"]["adopted"]}
        assert "watchdog-restored" not in found["happened"]
        assert 0 == second.end()[0]
    assert len(seen) > 20
    assert not [rates for rates in seen if None in rates or rates == before]


def test_shadow_mode_leaves_the_plane_byte_identical(street):
    rates = even(street.network, 1.0)
    built = HtbPlane(street.network, street.file(time=0.1), rates)
    try:
        before = snapshot(street.a)
        with sidecar(street, "--no-apply") as made:
            until(lambda: plane_status(made, street)["rounds"] >= 4, 20)
            found = plane_status(made, street)
            assert "policy" == made.ask("GET", "/v1/status").json()["ladder"]["source"]
            assert 200 == made.ask("GET", "/health/ready").status
        assert (False, None) == (found["is_enforcing"], found["watchdog_pid"])
        assert found["changed"] > 0
        assert before == snapshot(street.a)
    finally:
        built.remove()


def test_a_plane_that_cannot_be_had_is_refused_in_one_line(street):
    tc(street.a, "qdisc add dev out root handle 1: htb")
    with pytest.raises(AssertionError) as caught:
        sidecar(street)

    (line,) = str(caught.value).splitlines()
    assert "that bwalloc did not make (htb 1:)" in line
