"""The watchdog as a process, and the controller's end of it; a script stands for `tc`."""

import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time

import pytest

from bwalloc.errors import PlaneError
from bwalloc.serve.planes import watchdog
from bwalloc.serve.planes.lease import ANSWER_S, Lease
from bwalloc.serve.planes.processes import end_peer
from bwalloc.serve.planes.renewal import Renewal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="planes are of Linux")
INTERVAL_S = 0.25
SCRIPT = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read()); sys.exit(int(sys.argv[2]))"


class Watched:
    """A folder with a watchdog, and what it restored."""

    def __init__(self, folder):
        self.folder, self.written, self.leases = folder, folder / "written", []

    def lease(self, lines="static\n", *, fails=0, interval_s=INTERVAL_S, misses=3):
        command = [sys.executable, "-S", "-c", SCRIPT, str(self.written), str(fails)]
        batches = [{"command": command, "lines": lines}]
        made = Lease(self.folder, batches, interval_s, misses)
        self.leases.append(made)
        return made

    def restored(self):
        return self.written.read_text() if self.written.exists() else ""

    def wait(self, holds, within_s=5.0):
        until_s = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < until_s
            time.sleep(0.01)

    def end(self):
        for lease in self.leases:
            lease.end()
            if lease._started is not None:
                lease._started.kill()


@pytest.fixture
def watched(tmp_path):
    made = Watched(tmp_path)
    yield made
    made.end()


def is_there(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        return file.read().split()[2] != "Z"
    return False


def test_it_restores_when_decisions_stop_and_not_before(watched):
    lease = watched.lease()
    lease.begin()
    for _ in range(8):
        time.sleep(INTERVAL_S / 2)
        assert [] == lease.renew()
    assert "" == watched.restored()
    last_s = time.monotonic()
    watched.wait(watched.restored)

    assert 2 * INTERVAL_S < time.monotonic() - last_s < 3 * INTERVAL_S + 0.5
    assert "static\n" == watched.restored()


def test_who_comes_back_is_told_and_watched_again(watched):
    lease = watched.lease()
    lease.begin()
    watched.wait(watched.restored)
    assert ["watchdog-restored"] == [note.word for note in lease.renew()]
    watched.wait(lambda: watched.restored() == "static\n" * 2)

    assert ["watchdog-restored"] == [note.word for note in lease.renew()]


def test_it_has_a_session_of_its_own_and_little_else(watched):
    lease = watched.lease()
    lease.begin()

    assert os.getsid(lease.pid) == lease.pid
    assert "/" == os.readlink(f"/proc/{lease.pid}/cwd")
    with open(f"/proc/{lease.pid}/status") as file:
        kilobytes = {line.split()[0]: line.split()[1] for line in file if line.startswith("VmRSS")}
    assert int(kilobytes["VmRSS:"]) < 40_000


def test_a_killed_watchdog_is_noticed_and_another_one_watches(watched):
    lease = watched.lease()
    lease.begin()
    gone = lease.pid
    os.kill(gone, signal.SIGKILL)
    notes = lease.renew()

    assert ["watchdog-restarted"] == [note.word for note in notes]
    assert f"process {gone}" in notes[0].text
    assert gone != lease.pid
    assert is_there(lease.pid)
    watched.wait(watched.restored)


def frozen(watched):
    """A watchdog that another controller started, stopped as by SIGSTOP."""
    first = watched.lease()
    first.begin()
    first.leave()
    os.kill(first.pid, signal.SIGSTOP)
    return first.pid


def test_a_frozen_one_that_others_started_is_ended_and_another_one_watches(watched):
    lease = watched.lease()
    pid = frozen(watched)
    begun_s = time.monotonic()
    assert not lease.begin()  # not adopted

    assert time.monotonic() - begun_s < 8  # of which 2 s are the wait for an answer
    assert pid != lease.pid
    assert not is_there(pid)
    assert is_there(lease.pid)
    watched.wait(watched.restored)


@pytest.mark.parametrize("is_adopted", [True, False])
def test_one_that_freezes_later_is_noticed_and_replaced_without_holding_the_loop_up(
    watched, is_adopted
):
    if is_adopted:
        watched.lease().begin()
        watched.leases[0].leave()
    lease = watched.lease(interval_s=5.0)
    assert is_adopted == lease.begin()
    renewal = Renewal(lease)
    pid = lease.pid
    os.kill(pid, signal.SIGSTOP)
    slowest_s, told = 0.0, []
    begun_s = time.monotonic()
    while not told:
        assert time.monotonic() - begun_s < 8
        before_s = time.monotonic()
        renewal.beat()
        slowest_s = max(slowest_s, time.monotonic() - before_s)
        told += renewal.notes()
        time.sleep(0.05)
    print(f"\nfrozen, replaced after {time.monotonic() - begun_s:.2f} s, beats {slowest_s:.2f} s")
    renewal.close()

    assert slowest_s < ANSWER_S  # it never waits for the answer
    assert ["watchdog-restarted"] == [note.word for note in told]
    assert pid != lease.pid
    assert not is_there(pid)
    assert is_there(lease.pid)
    assert renewal.fault is None


def test_one_that_cannot_be_replaced_is_a_fault_until_it_can(watched, monkeypatch):
    lease = watched.lease(interval_s=5.0)
    lease.begin()
    renewal = Renewal(lease)
    os.kill(lease.pid, signal.SIGKILL)
    with monkeypatch.context() as patch:
        patch.setattr(watchdog, "__file__", str(watched.folder / "nowhere.py"))
        renewal.beat()
        watched.wait(lambda: renewal.fault is not None)
        assert "watchdog-failed" == renewal.fault.word == renewal.notes()[0].word
    watched.wait(lambda: (renewal.beat(), renewal.fault)[1] is None)
    renewal.close()

    assert is_there(lease.pid)


def test_what_nobody_expected_is_a_fault_too(watched, monkeypatch):
    """The thread of a renewal has no one else to tell."""
    lease = watched.lease(interval_s=5.0)
    lease.begin()
    renewal = Renewal(lease)
    with monkeypatch.context() as patch:
        patch.setattr(lease, "_ask", lambda words: json.loads("half an answ"))
        renewal.beat()
        watched.wait(lambda: renewal.fault is not None)
    assert "watchdog-failed" == renewal.fault.word == renewal.notes()[0].word
    assert "JSONDecodeError" in renewal.fault.text
    watched.wait(lambda: (renewal.beat(), renewal.fault)[1] is None)
    renewal.close()


def test_only_who_still_listens_is_ended():
    peer, other = socket.socketpair()
    other.close()
    end_peer(peer)  # its number is that of this process
    peer.close()


def test_a_new_controller_takes_over_the_watchdog_and_its_table(watched):
    first, second = watched.lease("old\n", interval_s=1.0), watched.lease("new\n")
    first.begin()
    first.leave()  # as a controller does that dies
    assert second.begin()

    assert first.pid == second.pid
    second.renew()
    watched.wait(watched.restored)
    assert "new\n" == watched.restored()


def test_a_controller_that_starts_again_and_again_keeps_nothing_alive(watched):
    until_s = time.monotonic() + 6 * INTERVAL_S
    while time.monotonic() < until_s:
        lease = watched.lease()
        lease.begin()
        lease.leave()
        time.sleep(INTERVAL_S / 4)

    assert "static\n" in watched.restored()


def test_it_ends_by_itself_when_nobody_comes_back(watched):
    lease = watched.lease()
    lease.begin()
    lease.leave()
    watched.wait(watched.restored)
    watched.wait(lambda: not is_there(lease.pid))

    assert not (watched.folder / watchdog.SOCKET).exists()


def test_it_ends_untouched_when_the_plane_is_taken_down(watched):
    lease = watched.lease()
    lease.begin()
    lease.end()
    time.sleep(4 * INTERVAL_S)

    assert not is_there(lease.pid)
    assert "" == watched.restored()


def test_a_second_watchdog_of_one_folder_gives_way(watched):
    watched.lease().begin()

    code = os.spawnl(
        os.P_WAIT, sys.executable, "python", "-I", "-S", watchdog.__file__, str(watched.folder)
    )
    assert watchdog.HELD_ALREADY == code


def test_what_fails_is_tried_again_and_told(watched):
    lease = watched.lease(fails=1)
    lease.begin()
    watched.wait(lambda: watched.restored().count("static") >= 2)

    (note,) = lease.renew()
    assert "Not all of it worked" in note.text


def test_it_waits_for_whoever_writes_but_not_for_ever(watched):
    lease = watched.lease()
    lease.begin()
    with watchdog.Writing(str(watched.folder), 1.0):
        time.sleep(3.2 * INTERVAL_S)
        assert "" == watched.restored()
        watched.wait(watched.restored, 2 * INTERVAL_S + 0.5)


def test_one_of_another_version_is_replaced(watched, monkeypatch):
    old = watched.lease()
    old.begin()
    monkeypatch.setattr(watchdog, "VERSION", 2)
    lease = watched.lease()

    assert not (lease._connected() and lease._greeted())
    watched.wait(lambda: not is_there(old.pid))


def test_one_that_was_about_to_end_does_not_keep_another_from_starting(watched):
    held = os.open(watched.folder / watchdog.LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    threading.Timer(0.5, os.close, [held]).start()
    lease = watched.lease()

    assert not lease.begin()
    assert is_there(lease.pid)


def test_bytes_that_are_no_line_do_not_end_it(watched):
    lease = watched.lease()
    lease.begin()
    lease.renew()
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(lease.socket_path)
        stranger.sendall(b"no json\n")
        stranger.settimeout(2)
        assert b"" == stranger.recv(100)

    assert is_there(lease.pid)
    watched.wait(watched.restored)


def test_a_path_too_long_for_a_socket_is_refused(tmp_path):
    with pytest.raises(PlaneError, match="too long for the path of a socket"):
        Lease(tmp_path / ("x" * 120), [], 1.0, 3)


def test_one_that_cannot_start_is_an_error_that_names_its_log(tmp_path, monkeypatch):
    monkeypatch.setattr(watchdog, "__file__", str(tmp_path / "nowhere.py"))
    lease = Lease(tmp_path, [], 1.0, 3)
    with pytest.raises(PlaneError, match=r"ended with code 2 as it started; see .*watchdog\.log"):
        lease.begin()


def test_the_hello_is_one_line_of_json(watched):
    lease = watched.lease("a\nb\n")

    assert 1 == len(json.dumps(lease.hello).splitlines())
