"""Names of namespaces and folders; what stale testbeds left."""

import os
import subprocess
import sys

import pytest

from bwalloc.bench.testbed import needs, spaces
from bwalloc.errors import PlaneError


@pytest.fixture
def folders(tmp_path, monkeypatch):
    there, state = tmp_path / "netns", tmp_path / "tmp"
    there.mkdir()
    state.mkdir()
    monkeypatch.setattr(spaces, "NAMESPACES", there)
    monkeypatch.setattr(spaces.tempfile, "gettempdir", lambda: str(state))
    removed = []
    monkeypatch.setattr(spaces.tc, "run", lambda words: removed.append(words))
    return there, state, removed


def gone_pid():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_only_testbeds_whose_process_is_gone_are_stale(folders):
    there, state, _ = folders
    mine, dead = os.getpid(), gone_pid()
    born = spaces.born(mine)
    stale = [f"bwtb-{dead}-77-0", f"bwtb-{mine}-{born + 1}-3"]  # the second: a number used again
    others = [f"bwtb-{mine}-{born}-0", f"bwt{dead}-0", f"bwtb-{dead}-0", f"xbwtb-{dead}-77-0"]
    for name in (*stale, *others):
        (there / name).touch()
    (state / f"bwtb-{dead}-77-state").mkdir()
    (state / f"bwtb-{mine}-{born}-state").mkdir()
    found = {path.name for path in spaces.stale()}
    assert {*stale, f"bwtb-{dead}-77-state"} == found


def test_clean_takes_namespaces_by_their_names_and_folders_of_this_user(folders):
    there, state, removed = folders
    dead = gone_pid()
    (there / f"bwtb-{dead}-77-0").touch()
    (there / "somebody").touch()
    (state / f"bwtb-{dead}-77-state").mkdir()
    (state / f"bwtb-{dead}-77-state" / "watchdog.log").touch()
    assert [f"bwtb-{dead}-77-state"] == spaces.clean()  # `ip` was not really run
    assert [["ip", "netns", "del", f"bwtb-{dead}-77-0"]] == removed
    assert (there / "somebody").exists()


def test_a_process_that_is_not_there_was_never_born():
    assert 0 == spaces.born(gone_pid())
    assert 0 < spaces.born(os.getpid())


def test_everything_that_is_missing_is_named_with_what_to_do(monkeypatch):
    monkeypatch.setattr(needs.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(needs.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(needs.socket, "TCP_CONGESTION", 9999)  # no such option: no cubic
    with pytest.raises(PlaneError) as error:
        needs.require()
    for text in ("root", "'ip'", "'tc'", "install iproute2", "cubic", "cannot be built"):
        assert text in str(error.value)
    assert 1 == len(str(error.value).splitlines())
