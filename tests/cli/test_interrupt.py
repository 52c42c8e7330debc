"""Ctrl-C: what is finished is kept, nothing else is written, no process cries out."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from bwalloc.bench import tasks
from bwalloc.cli import main

LINE = ["compare", "tiny-edge", "--allocators", "max-min", "--episodes", "1", "--jobs", "1"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path / "cache"))


def stop_at(name, monkeypatch):
    played = tasks.run_allocator

    def stop(setting, allocator):
        if allocator == name:
            raise KeyboardInterrupt
        return played(setting, allocator)

    monkeypatch.setattr(tasks, "run_allocator", stop)


def test_finished_allocators_are_kept(tmp_path, capsys, monkeypatch):
    stop_at("max-min", monkeypatch)
    outputs = ["--json", str(tmp_path / "r.json"), "--report", str(tmp_path / "r.html")]
    code = main([*LINE, *outputs])
    shown = capsys.readouterr()
    (result,) = json.loads((tmp_path / "r.json").read_text())["results"]

    assert 130 == code
    assert "bwalloc: interrupted; finished: static-peak\n" == shown.err
    assert ["static-peak"] == list(result["allocators"])
    assert result["bound"]["net_usd_per_h"]["mean"] is None
    assert result["interrupted"]
    assert "The run was interrupted" in (tmp_path / "r.html").read_text()


def test_earlier_results_stay_where_nothing_was_finished(tmp_path, capsys, monkeypatch):
    stop_at("static-peak", monkeypatch)
    before = tmp_path / "r.json"
    before.write_text("{}")

    assert 130 == main([*LINE, "--json", str(before)])
    assert "finished: nothing" in capsys.readouterr().err
    assert "{}" == before.read_text()


IMPORTING = """
import sys

class Pressed:
    def find_spec(self, name, *_):
        if name == "bwalloc.gym.registration":
            raise KeyboardInterrupt

sys.argv[0] = {program!r}
sys.meta_path.insert(0, Pressed())
import bwalloc.cli
"""


@pytest.mark.parametrize(("program", "is_quiet"), [("/bin/bwalloc", True), ("train.py", False)])
def test_only_the_command_is_quiet_while_it_imports(program, is_quiet):
    code = IMPORTING.format(program=program)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert run.returncode in (-signal.SIGINT, 130)
    assert is_quiet == (run.stderr == "bwalloc: interrupted\n")
    assert is_quiet == ("Traceback" not in run.stderr)


@pytest.mark.skipif(os.name == "nt", reason="needs process groups")
@pytest.mark.slow
def test_processes_end_at_once_and_silently():
    code = "import sys; from bwalloc.cli import main; sys.exit(main(sys.argv[1:]))"
    line = ["compare", "metro-inference", "--seed", "4000", "--jobs", "2"]
    run = subprocess.Popen(
        [sys.executable, "-c", code, *line],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(10.0)
    os.killpg(run.pid, signal.SIGINT)
    shown = run.communicate(timeout=30)[1]

    assert 130 == run.returncode
    assert 1 == len(shown.splitlines())
    assert "bwalloc: interrupted" in shown
