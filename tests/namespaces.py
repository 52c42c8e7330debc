"""Network namespaces for tests with real packets: made with names of their own, and taken away."""

import json
import os
import shutil
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest

from bwalloc.control import Decision
from bwalloc.scenario import load_scenario
from bwalloc.serve.planes import read_plane_file
from bwalloc.serve.planes.htb.dump import read_classes
from bwalloc.serve.planes.htb.lock import LOCKS

COUNT = iter(range(10**6))


def run(*command, text=None, check=True):
    """One command, its output."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, timeout=30
    )
    assert not check or done.returncode == 0, (command, done.stderr)
    return done.stdout


def ip(*words):
    return run("ip", *words)


def tc(netns, *words, check=True):
    """Words may hold several, as on a command line."""
    return run("tc", "-netns", netns, *" ".join(words).split(), check=check)


@cache
def missing():
    """Why there can be no real packets here; empty where there can."""
    if os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "needs root"
    for command in ("ip", "tc"):
        if shutil.which(command) is None:
            return f"needs '{command}' of iproute2"
    name = fresh_name()
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"no network namespaces: {made.stderr.strip()}"
    try:
        return _missing_in(name)
    finally:
        ip("netns", "del", name)


def _missing_in(name):
    probes = [
        ["ip", "-n", name, "link", "add", "a0", "type", "veth", "peer", "name", "b0"],
        ["ip", "-n", name, "link", "set", "a0", "up"],
        "qdisc add dev a0 root handle 1: htb default 1",
        "class add dev a0 parent 1: classid 1:1 htb rate 1mbit",
        "qdisc add dev a0 parent 1:1 pfifo limit 10",
        "filter add dev a0 parent 1: protocol ip pref 1 u32 match ip dst 10.0.0.1/32 flowid 1:1",
    ]
    for probe in probes:
        command = ["tc", "-n", name, *probe.split()] if isinstance(probe, str) else probe
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"`{' '.join(command)}`: {done.stderr.strip()}"
    return ""


def need():
    """Skip the test where the kernel does not allow it, and say why."""
    why = missing()
    if why:
        pytest.skip(f"no real packets: {why}")


def fresh_name():
    return f"bwt{os.getpid()}-{next(COUNT)}"


class Place:
    """A line of namespaces, each linked to the next: `a` sends to `b` through veth pairs."""

    def __init__(self):
        self.names = []

    def add(self):
        name = fresh_name()
        ip("netns", "add", name)
        self.names.append(name)
        ip("-n", name, "link", "set", "lo", "up")
        return name

    def join(self, one, other, number, at="out"):
        """A veth pair: `out` in `one`, `in` in `other`; addresses 10.9.number.1 and .2."""
        words = ["type", "veth", "peer", "name", f"{at}-in", "netns", other]
        ip("-n", one, "link", "add", at, *words)
        for name, device, last in ((one, at, 1), (other, f"{at}-in", 2)):
            ip("-n", name, "addr", "add", f"10.9.{number}.{last}/24", "dev", device)
            ip("-n", name, "link", "set", device, "up")

    def remove(self):
        while self.names:
            name = self.names.pop()
            with suppress(OSError):
                for path in LOCKS.glob(f"{os.stat(f'/run/netns/{name}').st_ino}-*.lock"):
                    path.unlink()
            run("ip", "netns", "del", name, check=False)


@contextmanager
def place():
    made = Place()
    try:
        yield made
    finally:
        made.remove()


@contextmanager
def inside(name):
    """Run a block of this thread in a namespace; sockets stay where they were made."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{name}") as there:
        assert 0 == libc.setns(there.fileno(), 0), os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert 0 == libc.setns(home.fileno(), 0)


def snapshot(name):
    """Everything of tc in a namespace that is no counter, as text."""
    parts = []
    for device in json.loads(ip("-n", name, "-json", "link", "show")):
        dev = device["ifname"]
        kinds = ("qdisc", "class", "filter")
        parts += [tc(name, f"-json {kind} show dev {dev}", check=False) for kind in kinds]
    return "\n".join(parts)


def in_thread(call, *args):
    thread = threading.Thread(target=call, args=args, daemon=True)
    thread.start()
    return thread


def write_plane(folder, text, name="plane.toml"):
    path = folder / name
    path.write_text(text)
    return path


def plane_of(folder, text):
    return read_plane_file(write_plane(folder, text))


def even(network, gbps):
    """The same rate for every tunnel that exists."""
    return np.where(network.tunnels.exists, float(gbps), 0.0)


def plane_text(network, state, places, *, rate=2e-3, time=20.0, more="", mode=None):
    """A plane file: links on (namespace, interface), each demand's packets told by their DSCP."""
    lines = [
        "schema = 1",
        f'state = "{state}"',
        more,
        "[scale]",
        f"rate = {rate}",
        f"time = {time}",
    ]
    for link, (netns, interface) in places.items():
        lines += [f'[links."{link}"]', f'interface = "{interface}"', f'netns = "{netns}"']
        lines += [] if mode is None else [f'mode = "{mode}"']
    for row, name in enumerate(network.demands.name):
        lines += ["[[matches]]", f'demand = "{name}"', f"dscp = {dscp_of(row)}"]
    return "\n".join(lines) + "\n"


def dscp_of(row):
    return row + 1


def decision(network, rates_gbps, **changes):
    record = Decision(
        id="1-1",
        demands=network.demands.name,
        rates_gbps=rates_gbps,
        valid_until=datetime.now(UTC),
        source="policy",
        policy_version="test",
    )
    return replace(record, **changes)


def rates_there(netns, device="out"):
    """Rate of each class, bit/s, by its number after the colon."""
    found = read_classes(tc(netns, "-s", "class", "show", "dev", device))
    return {key[1]: state.rate for key, state in found.items()}


class Street:
    """Two namespaces, `a` sends to `b`; link `hub>cloud` of tiny-edge is on `out` in `a`."""

    def __init__(self, made, folder, link="hub>cloud"):
        self.place, self.link, self.state = made, link, folder / "s"
        self.a, self.b = made.add(), made.add()
        made.join(self.a, self.b, 1)
        self.network = load_scenario("tiny-edge").network
        self.folder = folder

    def text(self, **options):
        return plane_text(self.network, self.state, {self.link: (self.a, "out")}, **options)

    def file(self, **options):
        return plane_of(self.folder, self.text(**options))

    def rows(self):
        """Demands that cross the link."""
        at = self.network.links.name.index(self.link)
        return np.flatnonzero((self.network.tunnels.hops == at).any((1, 2))).tolist()
