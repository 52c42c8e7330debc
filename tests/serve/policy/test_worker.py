"""A thread that a caller waits for only so long."""

import gc
import threading
import time
from functools import partial

import numpy as np
import pytest

from bwalloc.errors import BwallocError
from bwalloc.serve.policy.worker import BusyError, LateError, Worker


def test_an_answer_comes_back_and_an_error_too():
    worker = Worker("w")

    assert 7 == worker.run(lambda: 7, 5.0)
    with pytest.raises(ZeroDivisionError):
        worker.run(lambda: 1 // 0, 5.0)
    assert 8 == worker.run(lambda: 8, float("inf"))


def test_what_would_end_the_process_is_an_error_like_any_other():
    def leave():
        raise SystemExit(3)

    with pytest.raises(BwallocError, match="the job raised SystemExit"):
        Worker("w").run(leave, 5.0)


def test_no_warning_of_numpy_is_raised_in_it():
    assert np.isnan(Worker("w").run(lambda: np.array([0.0]) / 0.0, 5.0)[0])


def test_one_job_at_a_time_in_one_thread_however_often_it_is_asked():
    worker, gate = Worker("one-at-a-time"), threading.Event()
    with pytest.raises(LateError, match=r"no answer within 0\.010 s"):
        worker.run(gate.wait, 0.01)
    for _ in range(5):
        with pytest.raises(BusyError):
            worker.run(lambda: 1, 5.0)
    assert 1 == sum(thread.name == "one-at-a-time" for thread in threading.enumerate())
    gate.set()
    deadline = time.monotonic() + 5
    while worker.is_busy and time.monotonic() < deadline:
        time.sleep(0.001)

    assert 2 == worker.run(lambda: 2, 5.0)


def test_without_time_left_nothing_is_waited_for():
    gate = threading.Event()
    worker = Worker("w")
    begun = time.perf_counter()
    with pytest.raises(LateError):
        worker.run(gate.wait, -1.0)
    gate.set()

    assert time.perf_counter() - begun < 1.0


def test_after_close_the_thread_ends_and_a_later_job_begins_another():
    worker = Worker("closed")
    first = worker.run(threading.get_ident, 5.0)
    (thread,) = [each for each in threading.enumerate() if each.name == "closed"]
    worker.close()
    second = worker.run(threading.get_ident, 5.0)
    thread.join(5)

    assert not thread.is_alive()
    assert isinstance(first, int)
    assert isinstance(second, int)


def test_the_thread_ends_with_the_last_who_could_ask():
    worker = Worker("forgotten")
    worker.run(
        partial(getattr, worker, "name"), 5.0
    )  # jobs know the worker, as those of a deployment do
    (thread,) = [each for each in threading.enumerate() if each.name == "forgotten"]
    del worker
    gc.collect()
    thread.join(5)

    assert not thread.is_alive()


def test_a_closed_worker_that_hangs_begins_no_other_thread():
    worker, gate = Worker("hangs"), threading.Event()
    with pytest.raises(LateError):
        worker.run(gate.wait, 0.01)
    worker.close()
    with pytest.raises(BusyError):
        worker.run(lambda: 1, 1.0)
    gate.set()
