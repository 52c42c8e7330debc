"""The audit log: whole lines whatever happens, aggregates only; what a restart takes from it."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sidecars import Sidecar
from supervising import HandClock, Loop, agent, as_before, behave, bound, selling, words
from wide import START, wide

from bwalloc import files
from bwalloc.allocate.limits import Limits
from bwalloc.control import Order
from bwalloc.errors import ServiceError, UnknownNameError
from bwalloc.serve.books.audit import AuditLog, read_audit
from bwalloc.serve.policy.runtime import Proposal

NETWORK = wide(12, 6)


def loop(path, limits=None, **options):
    return Loop(bound(NETWORK, limits, audit=path, **options))


def killed(loop):
    """As `kill -9` leaves it: nothing more is written, and the lock is gone."""
    loop.supervisor._core.chronicle.close()


def test_every_decision_and_every_word_of_an_operator_is_a_line(tmp_path):
    mine = loop(tmp_path / "logs" / "audit.jsonl")
    mine.turn()
    mine.supervisor.kill("test")
    mine.turn()
    mine.supervisor.revive()
    mine.supervisor.override("tenant-1", 2.0)
    mine.supervisor.release("tenant-1")
    mine.supervisor.swap(agent())
    mine.supervisor.rollback()
    mine.supervisor.shadow(agent())
    mine.supervisor.rebind(NETWORK)
    mine.supervisor.close()
    lines = read_audit(tmp_path / "logs" / "audit.jsonl")

    assert [
        "start", "decision", "kill", "decision", "revive", "override", "release", "swap",
        "rollback", "shadow", "rebind", "close",
    ] == [line["event"] for line in lines]  # fmt: skip
    assert ["policy", "static"] == [line["source"] for line in lines if "source" in line]
    assert 0 == mine.supervisor.status().audit_errors


def test_no_demand_and_no_rate_of_a_tenant_stands_in_it(tmp_path):
    mine = loop(tmp_path / "a", Limits(floors_gbps={"demand-3": 0.5}))
    offered = np.full(12, np.nan)
    for change in ({}, {"offered_gbps": offered}, {"is_up": (False,) * 6}):
        mine.turn(**change)
    text = (tmp_path / "a").read_text()

    assert "demand-3" not in text
    assert "tenant-" not in text
    assert all(name not in text for name in NETWORK.links.name)


def test_a_file_that_is_full_is_put_aside_and_the_oldest_goes(tmp_path):
    log = AuditLog(tmp_path / "a", most_bytes=1000, kept=2)
    for number in range(100):
        log.write({"number": number, "fill": "x" * 50})
    names = sorted(path.name for path in tmp_path.iterdir())
    numbers = [line["number"] for line in read_audit(tmp_path / "a")]

    assert ["a", "a.1", "a.2"] == names
    assert list(range(numbers[0], 100)) == numbers
    assert all(path.stat().st_size < 1100 for path in tmp_path.iterdir())
    assert 99 == next(log.newest())["number"]


def test_the_last_line_is_found_in_the_file_put_aside_too(tmp_path):
    log = AuditLog(tmp_path / "a", most_bytes=10)
    log.write({"number": 1})

    assert "" == (tmp_path / "a").read_text()
    assert {"number": 1} == next(log.newest())


def test_a_torn_line_is_closed_and_passed_over(tmp_path):
    (tmp_path / "a").write_bytes(b'{"number":1}\n{"numb')
    log = AuditLog(tmp_path / "a")
    assert {"number": 1} == next(log.newest())
    log.write({"number": 2})

    assert [1, 2] == [line["number"] for line in read_audit(tmp_path / "a")]


def test_a_full_disk_is_counted_and_raises_nothing():
    log = AuditLog("/dev/full")
    for _ in range(3):
        log.write({"number": 1})

    assert 3 == log.errors


@pytest.mark.parametrize("kind", ["folder", "under-a-file", "pipe", "unwritable"])
def test_a_log_that_cannot_be_opened_stops_no_decision(tmp_path, kind):
    path = tmp_path / "a"
    if kind == "folder":
        path.mkdir()
    elif kind == "under-a-file":
        path.write_text("")
        path = path / "b"
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path = Path("/proc/nowhere/audit.jsonl")
    mine = loop(path)

    assert "policy" == mine.turn().source
    assert mine.supervisor.status().audit_errors >= 2


def test_a_log_is_written_again_once_it_can_be(tmp_path):
    path = tmp_path / "a"
    path.mkdir()
    mine = loop(path)
    mine.turn()
    path.rmdir()
    mine.turn()

    assert ["decision"] == [line["event"] for line in read_audit(path)]


def test_numbers_that_json_has_not_are_counted_and_not_written(tmp_path):
    log = AuditLog(tmp_path / "a")
    log.write({"x": float("nan")})
    log.write({"x": np.float32(1)})

    assert (2, "") == (log.errors, (tmp_path / "a").read_text())


def test_lines_of_many_threads_do_not_mix(tmp_path):
    log = AuditLog(tmp_path / "a", most_bytes=20_000, kept=50)
    threads = [
        threading.Thread(target=lambda n=n: [log.write({"n": n, "i": i}) for i in range(200)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 800 == len(read_audit(tmp_path / "a"))


def test_a_new_process_goes_on_with_money_orders_number_and_kill_switch(tmp_path):
    limits = Limits(max_orders_per_h=2)
    first = loop(tmp_path / "a", limits)
    selling(first.supervisor)
    inner = as_before(first.supervisor)
    tiers = iter(range(100, 110))
    behave(
        first.supervisor,
        lambda given: Proposal(inner(given).rates_gbps, (Order("span-0", float(next(tiers))),)),
    )
    first.supervisor.swap(agent())
    behave(first.supervisor, lambda given: Proposal(
        inner(given).rates_gbps, (Order("span-0", float(next(tiers))),)
    ))  # fmt: skip
    first.turns(3)
    first.supervisor.kill("hands off")
    spent = first.supervisor.status().money.spent_usd

    killed(first)
    clock = HandClock(first.clock.day + timedelta(seconds=60))
    second = loop(tmp_path / "a", limits, clock=clock)
    said = second.supervisor.status()

    assert spent > 0
    assert said.money.spent_usd > spent
    assert 1 == said.money.orders_last_hour
    assert ("hands off", 3) == (said.killed, said.deployment.deployment)
    second.start = clock.day
    assert "static" == second.turn().source


def test_an_order_that_was_placed_just_before_a_kill_counts_until_telemetry_shows_it(tmp_path):
    built = NETWORK.spans.tier_gbps
    limits = Limits(max_usd_per_h=float(built.sum()) + 60.0)
    asked = [Order(f"span-{row}", float(built[row]) + 50.0) for row in (1, 2)]

    def run(order, **options):
        mine = loop(tmp_path / "a", limits, **options)
        inner = as_before(selling(mine.supervisor))
        behave(mine.supervisor, lambda given: Proposal(inner(given).rates_gbps, (order,)))
        return mine

    first = run(asked[0])
    assert 1 == len(first.turn().orders)
    killed(first)
    second = run(asked[1], clock=first.clock)
    second.interval = first.interval
    decision = second.turn()

    assert () == decision.orders
    assert "order-over-hourly-cap" in words(decision)


def ordering(path, order, clock=None):
    """A loop whose policy orders the same again and again, above the approval threshold."""
    limits = Limits(approval_above_usd_per_h=5.0, approval_waits_s=300.0)
    mine = loop(path, limits, clock=clock or HandClock())
    inner = as_before(selling(mine.supervisor))
    behave(mine.supervisor, lambda given: Proposal(inner(given).rates_gbps, (order,)))
    return mine


def restarted(before, path, order, after_s=20.0):
    """Another process, so long after the one before was killed; telemetry goes on."""
    killed(before)
    after = ordering(path, order, HandClock(before.clock.day + timedelta(seconds=after_s)))
    after.start = after.clock.day
    return after


BIG = Order("span-1", float(NETWORK.spans.tier_gbps[1]) + 8.0)
OTHER = Order("span-2", float(NETWORK.spans.tier_gbps[2]) + 9.0)


def test_an_order_that_waits_waits_on_in_a_new_process_under_the_same_id(tmp_path):
    first = ordering(tmp_path / "a", BIG)
    assert () == first.turn().orders
    (waiting,) = first.supervisor.status().waiting
    second = restarted(first, tmp_path / "a", OTHER, after_s=0.0)
    second.turn()

    assert waiting == second.supervisor.status().waiting[0]
    assert ["span-1", "span-2"] == [each.span for each in second.supervisor.status().waiting]
    second.supervisor.approve(waiting.id)
    assert (BIG,) == second.turn().orders
    assert ["span-2"] == [each.span for each in second.supervisor.status().waiting]


def test_no_id_is_given_twice_however_soon_the_next_process_begins(tmp_path):
    first = ordering(tmp_path / "a", BIG)
    first.turn()
    second = restarted(first, tmp_path / "a", OTHER, after_s=-NETWORK.interval_s)
    second.turn()

    assert 2 == len({each.id for each in second.supervisor.status().waiting})


def test_an_order_that_was_approved_is_placed_by_the_process_after_once(tmp_path):
    first = ordering(tmp_path / "a", BIG)
    first.turn()
    first.supervisor.approve(first.supervisor.status().waiting[0].id)
    second = restarted(first, tmp_path / "a", BIG)
    assert second.supervisor.status().waiting[0].is_approved
    assert (BIG,) == second.turn().orders
    third = restarted(second, tmp_path / "a", BIG)

    assert () == third.supervisor.status().waiting
    assert () == third.turn().orders


def test_an_order_that_was_rejected_stays_rejected_for_as_long_as_it_would_have(tmp_path):
    first = ordering(tmp_path / "a", BIG)
    first.turn()
    first.supervisor.reject(first.supervisor.status().waiting[0].id)
    second = restarted(first, tmp_path / "a", BIG, after_s=100.0)
    assert "order-rejected" in words(second.turn())
    third = restarted(second, tmp_path / "a", BIG, after_s=200.0)

    assert "order-waits" in words(third.turn())


def test_an_order_lapses_though_the_process_was_started_again(tmp_path):
    first = ordering(tmp_path / "a", BIG)
    first.turn()
    second = restarted(first, tmp_path / "a", BIG, after_s=200.0)
    assert "order-lapsed" not in words(second.turn())
    third = restarted(second, tmp_path / "a", BIG, after_s=200.0)

    assert "order-lapsed" in words(third.turn())
    assert () == third.supervisor.status().waiting


def test_orders_of_spans_that_a_changed_network_has_not_are_forgotten(tmp_path):
    first = ordering(tmp_path / "a", Order("span-5", 90.0))
    first.turn()
    assert 1 == len(first.supervisor.status().waiting)
    killed(first)

    assert () == Loop(bound(wide(12, 4), audit=tmp_path / "a")).supervisor.status().waiting


def test_a_log_has_one_writer_in_this_process_too(tmp_path):
    log = AuditLog(tmp_path / "a")
    with pytest.raises(ServiceError, match=r"Audit log '.*/a': another process writes it.*--audit"):
        AuditLog(tmp_path / "a")
    log.write({"number": 1})
    log.close()

    AuditLog(tmp_path / "a").write({"number": 2})
    assert [1, 2] == [line["number"] for line in read_audit(tmp_path / "a")]


def test_a_file_put_aside_is_locked_no_longer_and_the_new_one_is(tmp_path):
    log = AuditLog(tmp_path / "a", most_bytes=10)
    log.write({"number": 1})
    assert (tmp_path / "a.1").exists()
    with pytest.raises(ServiceError):
        AuditLog(tmp_path / "a")
    AuditLog(tmp_path / "a.1").close()


def test_a_file_that_is_put_aside_as_it_is_opened_is_not_written(tmp_path, monkeypatch):
    """Its writer lets go of it between the opening and the lock of another one."""
    path, lock = tmp_path / "a", files.fcntl.flock

    def put_aside(*given):
        path.replace(tmp_path / "a.1")
        path.touch()
        lock(*given)

    monkeypatch.setattr(files.fcntl, "flock", put_aside)
    with pytest.raises(ServiceError, match="one writer"):
        AuditLog(path)


def test_devices_and_pipes_may_have_several_writers():
    logs = [AuditLog("/dev/null") for _ in range(2)]
    for log in logs:
        log.write({"number": 1})

    assert [0, 0] == [log.errors for log in logs]


WRITER = """
import sys
from bwalloc.errors import ServiceError
from bwalloc.serve.books.audit import AuditLog
try:
    log = AuditLog(sys.argv[1])
except ServiceError as error:
    sys.exit(str(error))
log.write({"process": sys.argv[2]})
print("open", flush=True)
sys.stdin.read()
"""


def writer(path, name):
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", WRITER, str(path), name]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_a_second_process_is_refused_until_the_first_has_ended_however_it_ends(tmp_path):
    path = tmp_path / "audit.jsonl"
    first = writer(path, "first")
    assert "open\n" == first.stdout.readline()
    second = writer(path, "second")
    _, said = second.communicate(timeout=60)
    assert 1 == second.returncode
    assert f"Audit log '{path}': another process writes it already" in said
    first.kill()
    first.communicate(timeout=60)
    third = writer(path, "third")
    shown, _ = third.communicate(timeout=60)

    assert "open\n" == shown
    assert ["first", "third"] == [line["process"] for line in read_audit(path)]


@pytest.mark.slow
def test_a_second_sidecar_on_one_audit_log_is_refused_in_one_line(tmp_path):
    with Sidecar("--audit", tmp_path / "a") as first:
        before = (tmp_path / "a").read_bytes()
        with pytest.raises(AssertionError) as caught:
            Sidecar("--audit", tmp_path / "a")
        (line,) = str(caught.value).splitlines()
        assert f"Audit log '{tmp_path / 'a'}': another process writes it already" in line
        assert before == (tmp_path / "a").read_bytes()
        assert 200 == first.ask("GET", "/health/live").status
    with Sidecar("--audit", tmp_path / "a") as after:
        assert 2 == after.ask("GET", "/v1/status").json()["deployment"]["deployment"]


def test_lines_of_others_hide_nothing_from_a_new_process(tmp_path):
    mine = loop(tmp_path / "a")
    mine.turn()
    mine.supervisor.kill("fire" + "!" * 2 * 2**20)
    with (tmp_path / "a").open("a") as opened:
        opened.write('{"note":"copied to tape"}\n{"at":"x","state":{"bill":{}}}\n')
    killed(mine)
    said = loop(tmp_path / "a").supervisor.status()

    assert said.killed.startswith("fire!")
    assert 2 == said.deployment.deployment


@pytest.mark.parametrize("options", [{"runtime": "none"}, {"runtime": "numpy"}])
def test_a_log_is_closed_with_the_supervisor_that_nobody_holds(tmp_path, options):
    agent().bind(NETWORK, runtime="numpy")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with contextlib.suppress(UnknownNameError):
            agent().bind(NETWORK, audit=tmp_path / "a", **options)
    gc.collect()

    assert before == len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    "text",
    [
        "", "no json\n", "[1]\n", '{"state":{}}\n', '{"at":"x","state":1}\n',
        '{"at":"2026-11-23T12:00:00+00:00","state":{"deployment":1,"killed":null,"usd_per_h":1,'
        '"bill":{"spent_usd":{"2026-11":"x"},"order_ages_s":[]}}}\n',
    ],
)  # fmt: skip
def test_a_log_that_makes_no_sense_is_begun_anew(tmp_path, text):
    (tmp_path / "a").write_text(text)
    mine = loop(tmp_path / "a")

    assert "policy" == mine.turn().source
    assert mine.supervisor.status().killed is None


CONTROLLER = """
import sys, time
from datetime import datetime, timezone
sys.path.insert(0, {tests!r})
from supervising import agent
from wide import measured, wide
from dataclasses import replace
network = wide(12, 6)
session = agent().bind(network, runtime="numpy", audit={path!r})
for turn in range(10**6):
    record = replace(measured(network, turn), interval_end=datetime.now(timezone.utc))
    print(session.decide(record).source, flush=True)
    time.sleep(0.002)
"""


def test_after_kill_9_the_log_is_whole_and_the_next_process_decides(tmp_path):
    path = tmp_path / "audit.jsonl"
    code = textwrap.dedent(CONTROLLER).format(tests=str(Path(__file__).parents[2]), path=str(path))
    seen = []
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        assert process.stdout is not None
        sources = [process.stdout.readline().strip() for _ in range(30)]
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()
        seen.append(sources)
    raw = path.read_bytes()
    lines = [json.loads(line) for line in raw.splitlines() if line.strip()]
    starts = [place for place, line in enumerate(lines) if line["event"] == "start"]
    first = [line for line in lines[: starts[1]] if line["event"] == "decision"]
    print(f"\nkill -9: {len(first)} decisions logged before, the next process decided at once")

    assert ["policy"] == sorted({source for sources in seen for source in sources})
    assert raw.endswith(b"\n")
    assert len(first) >= 30
    assert [1, 2] == [lines[place]["state"]["deployment"] for place in starts]
    assert len({line["id"] for line in lines if line["event"] == "decision"}) == sum(
        line["event"] == "decision" for line in lines
    )


def test_time_of_the_log_is_utc(tmp_path):
    mine = loop(tmp_path / "a")
    mine.turn()

    assert f"{START:%Y-%m-%dT%H:%M}" in read_audit(tmp_path / "a")[-1]["at"]
