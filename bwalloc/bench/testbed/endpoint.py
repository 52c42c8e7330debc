"""The process of one namespace of the testbed: sends the work of its sites, receives others'.

It is run by its path (`python -I -S endpoint.py FD`) and needs nothing but the standard library.
The socket `FD` is the controller: a line of JSON each way. When it closes, the process ends.

Each demand has a queue, earliest deadline first. At the start of a substep work that is past its
deadline leaves it unsent, new work joins, and each tunnel may take its share of all there is until
the next. Work is counted in bytes on the wire: a record carries as much less as its headers take.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import os
import selectors
import socket
import struct
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

HEADER = struct.Struct("<HBxIfI")
"""Row of the demand, its tunnel, substep of arrival, bytes of work, bytes of this record."""
UDP_PORT, TCP_PORT = 9000, 9001
OVERHEAD = {"tcp": 66, "udp": 42}
"""Ethernet, IP and transport headers of a packet (TCP with timestamps)."""
MOST_RECORD = {"tcp": 1514, "udp": 542}
SEND_BUFFER = {"tcp": 4608, "udp": 4608}
"""What waits in the kernel is beyond the reach of deadlines: keep it to a few packets."""
LEAST_PART = 100.0
"""Smaller parts of a queue are not split over tunnels."""
NOTHING = 1e-3
BINS_PER_E = 20
FILL = bytes(2048)


class Demand:
    """The queue of one demand and the sockets of its tunnels."""

    def __init__(self, said: dict[str, Any]) -> None:
        """Connect all tunnels."""
        self.row, self.kind = said["row"], said["kind"]
        self.chunks: dict[int, list[list[float]]] = defaultdict(list)
        for substep, work, due in said["chunks"]:
            self.chunks[substep].append([substep, work, math.inf if due is None else due])
        self.queue: list[list[float]] = []
        self.sockets = [self._open(*pair) for pair in said["tunnels"]]
        self.shares = [1.0 / len(self.sockets)] * len(self.sockets)
        self.allowed = [0.0] * len(self.sockets)
        self.cut = [b""] * len(self.sockets)
        self.sent = [0.0] * len(self.sockets)
        self.expired: dict[int, float] = defaultdict(float)
        self.waiting: list[float] = []
        self.pressure: list[float] = []
        self.offered: list[float] = []
        self.expired_since = 0.0

    def _open(self, source: str, target: str) -> socket.socket:
        is_tcp = self.kind == "tcp"
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM if is_tcp else socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER[self.kind] // 2)
        made.bind((source, 0))
        if is_tcp:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.settimeout(10)
        made.connect((target, TCP_PORT if is_tcp else UDP_PORT))
        made.setblocking(False)
        return made

    def tick(self, substep: int) -> None:
        """A substep begins."""
        if substep:
            self.pressure.append(self._backlog())
        kept: list[list[float]] = []
        for chunk in self.queue:
            if chunk[2] <= substep:
                self.expired[substep - 1] += chunk[1]
                self.expired_since += chunk[1]
            elif chunk[1] > NOTHING:
                kept.append(chunk)
        if substep:
            self.waiting.append(sum(chunk[1] for chunk in kept))
        new = self.chunks.pop(substep, [])
        self.offered.append(sum(chunk[1] for chunk in new))
        self.queue = sorted([*kept, *new], key=lambda chunk: chunk[2]) if new else kept
        self.share_out()

    def share_out(self) -> None:
        """What each tunnel may take of the queue."""
        total = self._backlog()
        parts = [share * total for share in self.shares]
        largest = max(range(len(parts)), key=parts.__getitem__)
        for at, part in enumerate(parts):
            if at != largest and part < LEAST_PART:
                parts[largest] += part
                parts[at] = 0.0
        self.allowed = parts

    def pump(self, at: int) -> bool:
        """Send on one tunnel what it may; True where the kernel has no more room."""
        try:
            while self.cut[at] or (self.allowed[at] > NOTHING and self.queue):
                if self.cut[at]:
                    done = self.sockets[at].send(self.cut[at])
                    self.cut[at] = self.cut[at][done:]
                else:
                    self._send_next(at)
        except BlockingIOError:
            return True
        except ConnectionRefusedError:
            return False
        return False

    def _send_next(self, at: int) -> None:
        chunk = self.queue[0]
        work = min(chunk[1], self.allowed[at], MOST_RECORD[self.kind])
        size = max(HEADER.size, round(work) - OVERHEAD[self.kind])
        head = HEADER.pack(self.row, at, int(chunk[0]), work, size)
        record = head + FILL[: size - HEADER.size]
        done = self.sockets[at].send(record)
        if self.kind == "tcp":
            self.cut[at] = record[done:]
        chunk[1] -= work
        self.allowed[at] -= work
        self.sent[at] += work
        if chunk[1] <= NOTHING:
            self.queue.pop(0)

    def _backlog(self) -> float:
        return sum(chunk[1] for chunk in self.queue)

    def report(self, substep: int) -> dict[str, Any]:
        """What happened since the report before."""
        queued: dict[int, float] = defaultdict(float)
        for chunk in self.queue:
            queued[-1 if math.isinf(chunk[2]) else int(chunk[2]) - substep - 1] += chunk[1]
        found = {"offered": self.offered, "expired": self.expired_since, "queued": queued}
        found["pressed"] = min(self.pressure, default=0.0)
        self.offered, self.pressure, self.expired_since = [], [], 0.0
        return found

    def books(self) -> dict[str, Any]:
        """Everything, at the end."""
        lost = [_retransmitted(each) for each in self.sockets] if self.kind == "tcp" else []
        return {
            "expired": self.expired,
            "waiting": [*self.waiting, self._backlog()],
            "left": self._backlog(),
            "sent": self.sent,
            "retransmitted": lost,
        }


class Receiver:
    """What has come in, by demand and substep.

    It counts in the substep in which it came out, as in the simulator; where its worth is a matter
    of the share of what arrived, in the substep in which it had arrived at its queue.
    """

    def __init__(self, said: dict[str, Any]) -> None:
        """Listen on all addresses of the namespace."""
        self.limits = {int(row): limit for row, limit in said["limits"].items()}
        self.by_arrival = set(said["by_arrival"])
        self.dt, self.begin = said["substep_s"], 0.0
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.bind(("0.0.0.0", TCP_PORT))
        self.tcp.listen(4096)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self.udp.bind(("0.0.0.0", UDP_PORT))
        for each in (self.tcp, self.udp):
            each.setblocking(False)
        self.parts: dict[socket.socket, bytes] = {}
        self.served: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        self.attained: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        self.carried: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        self.delays: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        self.since: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))

    def read_udp(self) -> None:
        """All datagrams that wait."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self.udp.recv(2048)
                if len(data) >= HEADER.size:
                    self._count(HEADER.unpack_from(data), time.monotonic())

    def read_tcp(self, peer: socket.socket) -> bool:
        """What waits in a connection; False where it is over."""
        try:
            data = peer.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        with contextlib.suppress(OSError):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        held, now, at = self.parts.get(peer, b"") + data, time.monotonic(), 0
        while len(held) - at >= HEADER.size:
            head = HEADER.unpack_from(held, at)
            if len(held) - at < head[-1]:
                break
            self._count(head, now)
            at += head[-1]
        self.parts[peer] = held[at:]
        return True

    def _count(self, head: tuple[Any, ...], now: float) -> None:
        row, tunnel, substep, work, _ = head
        passed = now - self.begin
        delay = max(0.0, passed - substep * self.dt)
        at = substep if row in self.by_arrival else max(0, int(passed / self.dt))
        self.served[row][at] += work
        self.since[row][tunnel] += work
        self.carried[row][tunnel] += work
        if delay <= self.limits[row][tunnel]:
            self.attained[row][at] += work
        self.delays[row][round(BINS_PER_E * math.log(max(delay, 1e-5)))] += work


class Endpoint:
    """The loop."""

    def __init__(self, control: socket.socket) -> None:
        """Know nothing yet."""
        self.control, self.heard = control, b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ, ("control", None))
        self.demands: dict[int, Demand] = {}
        self.receiver: Receiver | None = None
        self.begin_s, self.next, self.last = math.inf, 0, 0
        self.is_done = False

    def run(self) -> None:
        """Until the controller says so, or is gone."""
        while not self.is_done:
            due_s = self._due_s()
            wait_s = max(0.0, due_s - time.monotonic())
            for key, _ in self.selector.select(min(wait_s, 5.0)):
                what, which = key.data
                if what == "control":
                    self._hear()
                elif what == "send":
                    self._pump(*which)
                elif self.receiver is not None:
                    self._receive(self.receiver, what, key.fileobj)
            while time.monotonic() >= self._due_s():
                self._tick()

    def _due_s(self) -> float:
        if self.receiver is None or self.next >= self.last:
            return math.inf
        return self.begin_s + self.next * self.receiver.dt

    def _tick(self) -> None:
        for demand in self.demands.values():
            demand.tick(self.next)
        self.next += 1
        self._pump_all()

    def _pump_all(self) -> None:
        for row, demand in self.demands.items():
            for at in range(len(demand.sockets)):
                self._pump(row, at)

    def _pump(self, row: int, at: int) -> None:
        demand = self.demands[row]
        made, is_full = demand.sockets[at], demand.pump(at)
        if is_full and made not in self.selector.get_map():
            self.selector.register(made, selectors.EVENT_WRITE, ("send", (row, at)))
        elif not is_full and made in self.selector.get_map():
            self.selector.unregister(made)

    def _receive(self, receiver: Receiver, what: str, peer: Any) -> None:
        if what == "udp":
            receiver.read_udp()
        elif what == "accept":
            accepted, _ = receiver.tcp.accept()
            accepted.setblocking(False)
            self.selector.register(accepted, selectors.EVENT_READ, ("tcp", None))
        elif not receiver.read_tcp(peer):
            self.selector.unregister(peer)
            peer.close()

    def _hear(self) -> None:
        data = self.control.recv(2**20)
        if not data:
            self.is_done = True
            return
        *lines, self.heard = (self.heard + data).split(b"\n")
        for line in lines:
            answer = json.dumps(self._answer(json.loads(line))) + "\n"
            self.control.setblocking(True)
            self.control.sendall(answer.encode())

    def _answer(self, said: dict[str, Any]) -> dict[str, Any]:
        return getattr(self, f"_do_{said['do']}")(said)

    def _do_listen(self, said: dict[str, Any]) -> dict[str, Any]:
        prepare_namespace()
        self.receiver = Receiver(said)
        self.last = said["substeps"]
        self.selector.register(self.receiver.udp, selectors.EVENT_READ, ("udp", None))
        self.selector.register(self.receiver.tcp, selectors.EVENT_READ, ("accept", None))
        return {"pid": os.getpid()}

    def _do_connect(self, said: dict[str, Any]) -> dict[str, Any]:
        self.demands = {each["row"]: Demand(each) for each in said["demands"]}
        return {}

    def _do_begin(self, said: dict[str, Any]) -> dict[str, Any]:
        assert self.receiver is not None
        self.begin_s = self.receiver.begin = said["at_s"]
        return {}

    def _do_shares(self, said: dict[str, Any]) -> dict[str, Any]:
        for row, shares in said["shares"].items():
            self.demands[int(row)].shares = shares
            if self.next:
                self.demands[int(row)].share_out()
        if self.next:
            self._pump_all()
        return {}

    def _do_report(self, _: dict[str, Any]) -> dict[str, Any]:
        assert self.receiver is not None
        since = {row: dict(found) for row, found in self.receiver.since.items()}
        self.receiver.since.clear()
        reports = {row: demand.report(self.next - 1) for row, demand in self.demands.items()}
        return {"demands": reports, "served": since}

    def _do_books(self, _: dict[str, Any]) -> dict[str, Any]:
        assert self.receiver is not None
        names = ("served", "attained", "carried", "delays")
        return {
            "demands": {row: demand.books() for row, demand in self.demands.items()},
            **{name: getattr(self.receiver, name) for name in names},
            "cpu_s": time.process_time(),
        }


def prepare_namespace() -> None:
    """Forward, and believe packets whichever way they come; of this namespace alone."""
    net = Path("/proc/sys/net/ipv4")
    (net / "ip_forward").write_text("1")
    for path in (net / "conf").glob("*/rp_filter"):
        path.write_text("0")


def _retransmitted(made: socket.socket) -> int:
    """Segments sent again, of `tcp_info`."""
    found = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return struct.unpack_from("<I", found, 100)[0]


def main(number: int) -> None:
    """Serve the controller at the other end of socket `number`."""
    gc.disable()
    with contextlib.suppress(OSError):  # short work that must be in time, on a machine that is busy
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    Endpoint(socket.socket(fileno=number)).run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
