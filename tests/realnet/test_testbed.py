"""A testbed with real packets: what it measures, and that nothing of it stays behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from namespaces import ip, need

from bwalloc.bench.testbed.document import document
from bwalloc.bench.testbed.needs import missing
from bwalloc.bench.testbed.spaces import born, clean
from bwalloc.bench.testbed.testbed import Wanted, play_all, prepare
from bwalloc.cli.main import main
from bwalloc.serve.planes.htb.lock import NAMESPACES

pytestmark = pytest.mark.realnet
START = "import sys; from bwalloc.cli.main import main; sys.exit(main(sys.argv[1:]))"


def left(pid, ticks):
    """Namespaces and folders of a process."""
    mark = f"bwtb-{pid}-{ticks}-"
    folders = [NAMESPACES, Path("/tmp")]
    return [p.name for folder in folders for p in folder.iterdir() if p.name.startswith(mark)]


def started(count=1):
    """Testbeds that would run for minutes, each in a process, in the middle of their packets."""
    words = ["testbed", "tiny-edge", "--allocators", "static", "--seconds", "60"]
    children = [
        subprocess.Popen(
            [sys.executable, "-c", START, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(count)
    ]
    until = time.monotonic() + 60
    found = [(child, born(child.pid)) for child in children]
    for child, ticks in found:
        while not (endpoints(child.pid) and sent_bytes(child.pid, ticks) > 10_000):
            assert child.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
    return found


def sent_bytes(pid, ticks):
    """What left all interfaces in the namespaces of a process."""
    spaces = [name for name in left(pid, ticks) if (NAMESPACES / name).exists()]
    shown = [json.loads(ip("-n", name, "-json", "-s", "link", "show")) for name in spaces]
    return sum(each["stats64"]["tx"]["bytes"] for links in shown for each in links)


def endpoints(parent):
    """Endpoint processes that a process started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
            command = (path.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == parent and "endpoint.py" in command:
            found.append(int(path.parent.name))
    return found


def test_packets_earn_what_the_simulator_says_and_leave_nothing_behind():
    need()
    assert [] == missing()
    testbed = prepare(Wanted("tiny-edge", ("forecast",), seconds=6.0, repetitions=1))
    play_all(testbed)
    found = document(testbed, "test")["allocators"]["forecast"]
    packets, simulated = found["packets"], found["simulator_with_plane"]
    print("\n", packets["served_share"]["mean"], simulated["served_share"], packets["loop_ms"])
    share = packets["served_share"]["mean"]
    assert simulated["served_share"] == pytest.approx(share, rel=0.1)
    money = packets["net_usd_per_h"]["mean"]
    assert simulated["net_usd_per_h"] == pytest.approx(money, rel=0.1)
    assert packets["lost_share"]["mean"] < 0.02
    assert packets["loop_whole_ms"]["p50"] < 500
    assert [] == left(os.getpid(), born(os.getpid()))


def test_ctrl_c_takes_it_down():
    need()
    ((child, ticks),) = started()
    mine = endpoints(child.pid)
    assert 4 == len(mine)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=20)
    assert 130 == child.returncode
    assert b"taken down" in said
    assert [] == left(child.pid, ticks)
    assert not any(Path(f"/proc/{pid}").exists() for pid in mine)


def test_after_a_crash_clean_takes_away_what_the_dead_left_and_nothing_else(capsys):
    need()
    (child, ticks), (other, others_ticks) = started(2)
    try:
        mine = endpoints(child.pid)
        child.kill()
        child.communicate(timeout=20)
        stale, alive = left(child.pid, ticks), left(other.pid, others_ticks)
        assert 5 == len(stale) == len(alive)
        assert 0 == main(["testbed", "--clean"])
        said = capsys.readouterr().out
        assert all(f"removed {name}" in said for name in stale)
        assert [] == left(child.pid, ticks)
        assert alive == left(other.pid, others_ticks)
        assert other.poll() is None
        until = time.monotonic() + 5
        while any(Path(f"/proc/{pid}").exists() for pid in mine):
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        other.send_signal(signal.SIGTERM)
        other.communicate(timeout=20)
    assert 130 == other.returncode
    assert [] == left(other.pid, others_ticks)
    assert [] == clean()
