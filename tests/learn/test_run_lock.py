"""Two processes and one run folder: the second is refused, or waits."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
pytest.importorskip("fcntl", reason="locks are those of POSIX")

from tiny_recipes import TEXT, UPDATE, tiny

from bwalloc import files
from bwalloc.errors import BwallocError
from bwalloc.learn.run import PROGRESS, STATE, RunFolder
from bwalloc.learn.run_lock import LOCK, alone_in
from bwalloc.learn.sweep_member import Work, run_member, standing
from bwalloc.learn.train import train

HELD_S = 0.5
HOLD = """
import sys, time
from pathlib import Path
from bwalloc.learn.recipe import read_recipe
from bwalloc.learn.train import train

def listen(tell):
    if tell.point:
        print("trains", flush=True)
        time.sleep(60)

train(read_recipe(Path(sys.argv[1])), Path(sys.argv[2]), listener=listen)
"""


@pytest.fixture
def other(tmp_path):
    """A process that trains in the folder `run`, and hangs in the midst of it."""
    (tmp_path / "r.toml").write_text(TEXT)
    line = [sys.executable, "-c", HOLD, str(tmp_path / "r.toml"), str(tmp_path / "run")]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        assert "trains\n" == process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_process_is_refused_or_waits_for_the_first(tmp_path, other):
    run = tmp_path / "run"
    before = {path: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(BwallocError, match=rf"process {other.pid} on .* trains there"):
        train(tiny(), run)
    assert before == {path: path.read_bytes() for path in run.iterdir()}
    assert "stopped" == standing(run, tiny(), None).status

    ending = threading.Timer(HELD_S, other.kill)
    begun = time.monotonic()
    ending.start()
    run_member(Work(run, tiny(), run))

    assert time.monotonic() - begun >= HELD_S
    assert "finished" == standing(run, tiny(), None).status
    steps = [point.steps for point in RunFolder(run, tiny()).points]
    assert [0, UPDATE, 2 * UPDATE] == steps, "what the first had done was gone on from"
    assert {PROGRESS, STATE, LOCK} <= {path.name for path in run.iterdir()}


def test_a_folder_is_free_again_after_a_run_and_after_a_failure(tmp_path):
    with pytest.raises(KeyError), alone_in(tmp_path / "run", waits=False):
        raise KeyError
    for _ in range(2):
        with (
            alone_in(tmp_path / "run", waits=False),
            pytest.raises(BwallocError, match="one writer"),
            alone_in(tmp_path / "run", waits=False),
        ):
            pass


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    with alone_in(tmp_path, waits=False), alone_in(tmp_path, waits=True):
        pass


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(BwallocError, match="a run cannot be kept here"),
        alone_in(tmp_path / "file" / "run", waits=False),
    ):
        pass
