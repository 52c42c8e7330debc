"""One writer per interface."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from planes import file_for

from bwalloc.errors import PlaneError
from bwalloc.scenario import load_scenario
from bwalloc.serve.planes.htb.layout import build_layout
from bwalloc.serve.planes.htb.lock import WriterLock, make_folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="planes are of Linux")


@pytest.fixture(scope="module")
def ports():
    network = load_scenario("tiny-edge").network
    return build_layout(network, file_for(network)).ports


def lock_in(folder, state="state"):
    return WriterLock(make_folder(str(folder / state)), folder / "locks")


def test_two_planes_with_one_state_are_refused(tmp_path, ports):
    first, second = lock_in(tmp_path), lock_in(tmp_path)
    first.take(ports[:1])
    with pytest.raises(PlaneError, match="holds the state of another plane"):
        second.take(ports[1:2])
    first.release()


def test_a_second_writer_of_one_interface_is_refused_and_keeps_none(tmp_path, ports):
    first, second, third = (lock_in(tmp_path, f"state-{n}") for n in range(3))
    first.take(ports[2:3])
    with pytest.raises(PlaneError, match=f"'p2'.*process {os.getpid()} writes it already"):
        second.take(ports)

    third.take(ports[:2])
    first.release()
    third.release()


def test_a_lock_that_was_released_can_be_taken(tmp_path, ports):
    first, second = lock_in(tmp_path), lock_in(tmp_path)
    first.take(ports)
    first.release()
    second.take(ports)
    second.release()


def test_files_that_are_forgotten_are_gone_and_can_be_locked_again(tmp_path, ports):
    first, second = lock_in(tmp_path), lock_in(tmp_path)
    first.take(ports)
    first.forget()
    assert [] == list((tmp_path / "locks").iterdir())
    second.take(ports)
    with pytest.raises(PlaneError, match="writes it already"):
        first.take(ports)
    second.release()


def test_a_lock_ends_with_its_process(tmp_path, ports):
    (tmp_path / "locks").mkdir(mode=0o700)
    path = tmp_path / "locks" / f"{os.stat('/proc/self/ns/net').st_ino}-p0.lock"
    code = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(1)"
    code += "; sys.stdout.flush(); sys.stdin.read()"
    command = [sys.executable, "-S", "-c", code, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        holder.stdout.readline()
        with pytest.raises(PlaneError, match="writes it already"):
            lock_in(tmp_path).take(ports[:1])
        holder.kill()
    lock = lock_in(tmp_path)
    lock.take(ports[:1])
    lock.release()


def test_a_namespace_that_is_not_there_is_an_error(tmp_path, ports):
    with pytest.raises(PlaneError, match="no such namespace"):
        lock_in(tmp_path).take([replace(ports[0], netns="nowhere-at-all")])


def test_the_folder_is_for_its_owner_alone(tmp_path):
    folder = make_folder(str(tmp_path / "a" / "b"))

    assert 0o700 == folder.stat().st_mode & 0o777


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PlaneError, match="planes need to write there"):
        make_folder(str(tmp_path / "file" / "b"))


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o702])
def test_a_folder_that_others_may_write_is_refused(tmp_path, mode):
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(PlaneError, match=rf"\(mode {mode:o}\).*chmod go-w {folder}"):
        make_folder(str(folder))


def test_a_folder_that_others_may_replace_is_refused_but_not_one_under_tmp(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    assert (shared / "state") == make_folder(str(shared / "state"))
    shared.chmod(0o777)
    with pytest.raises(PlaneError, match=rf"chmod go-w {shared}`"):
        make_folder(str(shared / "state"))
