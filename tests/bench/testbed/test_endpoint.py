"""The queue of a demand at an endpoint: deadlines, shares, records; no packet is sent."""

import math
import socket
import time

import pytest

from bwalloc.bench.testbed.endpoint import BINS_PER_E, HEADER, OVERHEAD, Demand, Receiver


class Wire:
    """Takes so many sends, then has no room."""

    def __init__(self, room=10**6):
        self.room, self.taken = room, []

    def send(self, data):
        if self.room <= 0:
            raise BlockingIOError
        self.room -= 1
        self.taken.append(bytes(data))
        return len(data)


def demand(chunks, monkeypatch, tunnels=1, kind="udp"):
    monkeypatch.setattr(Demand, "_open", lambda *_: Wire())
    pairs = [("10.1.0.1", "10.2.0.1")] * tunnels
    return Demand({"row": 3, "kind": kind, "chunks": chunks, "tunnels": pairs})


def test_work_past_its_deadline_leaves_the_queue_unsent(monkeypatch):
    made = demand([[0, 500.0, 2], [1, 300.0, 3], [1, 100.0, None]], monkeypatch)
    made.tick(0)
    made.tick(1)
    assert 900.0 == sum(chunk[1] for chunk in made.queue)
    made.tick(2)
    assert {1: 500.0} == made.expired
    made.tick(3)
    assert {1: 500.0, 2: 300.0} == made.expired
    assert [[1, 100.0, math.inf]] == made.queue
    assert [500.0, 400.0, 100.0] == made.waiting


def test_the_earliest_deadline_is_sent_first_and_records_say_whose_they_are(monkeypatch):
    made = demand([[0, 400.0, 9], [0, 200.0, 2]], monkeypatch)
    made.tick(0)
    assert made.pump(0) is False
    heads = [HEADER.unpack_from(record) for record in made.sockets[0].taken]
    assert [(3, 0, 0, 200.0), (3, 0, 0, 400.0)] == [head[:4] for head in heads]
    sizes = [len(record) for record in made.sockets[0].taken]
    assert [200 - OVERHEAD["udp"], 400 - OVERHEAD["udp"]] == sizes == [head[4] for head in heads]
    assert [] == made.queue


def test_tunnels_take_their_shares_and_no_more_until_the_next_substep(monkeypatch):
    made = demand([[0, 10_000.0, None], [1, 4_000.0, None]], monkeypatch, tunnels=2)
    made.shares = [0.75, 0.25]
    made.tick(0)
    made.pump(1)
    assert 2_500.0 == pytest.approx(made.sent[1], abs=0.1)
    made.tick(1)
    made.pump(0)
    assert 0.75 * 11_500 == pytest.approx(made.sent[0], abs=0.1)


def test_small_queues_are_not_split(monkeypatch):
    made = demand([[0, 90.0, None]], monkeypatch, tunnels=2)
    made.shares = [0.4, 0.6]
    made.tick(0)
    assert [0.0, 90.0] == made.allowed


def test_a_full_kernel_leaves_the_rest_in_the_queue(monkeypatch):
    made = demand([[0, 10_000.0, 5]], monkeypatch)
    made.sockets[0].room = 2
    made.tick(0)
    assert made.pump(0) is True
    assert 10_000 - made.sent[0] == pytest.approx(made.queue[0][1])
    assert made.sent[0] < 1100
    report = made.report(0)
    assert {4: pytest.approx(10_000 - made.sent[0])} == report["queued"]


def receiver(monkeypatch, *, by_arrival=True):
    monkeypatch.setattr(Receiver, "__init__", lambda self: None)
    made = Receiver()
    made.limits, made.dt, made.begin = {3: [0.1]}, 0.1, time.monotonic() - 0.25
    made.by_arrival = {3} if by_arrival else set()
    from collections import defaultdict

    for name in ("served", "attained", "carried", "delays", "since"):
        setattr(made, name, defaultdict(lambda: defaultdict(float)))
    made.parts = {}
    return made


def test_work_worth_by_its_share_counts_where_it_arrived_and_its_delay_is_judged(monkeypatch):
    made = receiver(monkeypatch)
    one, other = socket.socketpair()
    with one, other:
        records = [HEADER.pack(3, 0, at, 700.0, 634) + bytes(634 - HEADER.size) for at in (1, 2)]
        stream = b"".join(records)
        one.sendall(stream[:1000])
        assert made.read_tcp(other)
        assert {1: 700.0} == made.served[3]
        one.sendall(stream[1000:])
        assert made.read_tcp(other)
        one.close()
        assert not made.read_tcp(other)
    assert {1: 700.0, 2: 700.0} == made.served[3]
    assert {2: 700.0} == made.attained[3]  # that of substep 1 waited 0.15 s, more than 0.1
    slowest = max(made.delays[3])
    assert 0.15 == pytest.approx(math.exp(slowest / BINS_PER_E), rel=0.15)
    assert 1400.0 == made.carried[3][0]


def test_other_work_counts_in_the_substep_in_which_it_came_out(monkeypatch):
    made = receiver(monkeypatch, by_arrival=False)
    made._count((3, 0, 0, 500.0, 434), made.begin + 0.71)
    assert {7: 500.0} == made.served[3]
    assert {} == made.attained[3]
    made._count((3, 0, 7, 500.0, 434), made.begin + 0.72)
    assert {7: 500.0} == made.attained[3]
