"""A thread that a caller waits for only so long."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import numpy as np

from bwalloc.errors import BwallocError


class LateError(BwallocError):
    """Raised when a job did not end in time; whatever it answers later is dropped."""


class BusyError(BwallocError):
    """Raised when the thread still works on an earlier job; the new one was not begun."""


class _Task:
    """One job, its answer, and a flag that is up when it is there."""

    def __init__(self, job: Callable[[], Any]) -> None:
        self.job = job
        self.done = threading.Event()
        self.answer: Any = None
        self.error: BaseException | None = None

    def work(self) -> None:
        try:
            with np.errstate(all="ignore"):
                self.answer = self.job()
        except BaseException as error:
            self.error = error


class Worker:
    """One thread, one job at a time; a job that hangs holds this thread and no other.

    The thread begins with the first job, and does not keep a process from ending.
    """

    def __init__(self, name: str) -> None:
        """Name the thread."""
        self.name = name
        self._lock = threading.Lock()
        self._inbox: SimpleQueue[_Task | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_ending = False
        self._task: _Task | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a job is being worked on."""
        task = self._task
        return task is not None and not task.done.is_set()

    def run(self, job: Callable[[], Any], within_s: float) -> Any:
        """The answer of `job`; what it raises is raised here.

        Raises:
            BusyError: An earlier job has not ended.
            LateError: It did not end within the time.
        """
        task = self.begin(job)
        if not task.done.wait(None if within_s == float("inf") else max(within_s, 0.0)):
            msg = f"no answer within {within_s:.3f} s"
            raise LateError(msg)
        if isinstance(task.error, Exception):
            raise task.error
        if task.error is not None:  # what ends a process must not, from in here
            msg = f"the job raised {type(task.error).__name__}"
            raise BwallocError(msg) from task.error
        return task.answer

    def begin(self, job: Callable[[], Any]) -> _Task:
        """Begin a job and do not wait.

        Raises:
            BusyError: An earlier job has not ended.
        """
        with self._lock:
            is_alive = self._thread is not None and self._thread.is_alive()
            if is_alive and self.is_busy:
                msg = "an earlier decision has not ended"
                raise BusyError(msg)
            if not is_alive or self._is_ending:  # none yet, lost in a fork, or closed
                self._start()
            self._task = _Task(job)
            self._inbox.put(self._task)
            return self._task

    def close(self) -> None:
        """Let the thread end after its job; a later job begins another."""
        with self._lock:
            self._is_ending = True
            self._inbox.put(None)

    def _start(self) -> None:
        self._inbox, self._is_ending = SimpleQueue(), False
        weakref.finalize(self, self._inbox.put, None)  # nobody left to ask: the thread ends
        self._thread = threading.Thread(
            target=_serve, args=(self._inbox,), name=self.name, daemon=True
        )
        self._thread.start()


def _serve(inbox: SimpleQueue[_Task | None]) -> None:
    while (task := inbox.get()) is not None:
        task.work()
        task.done.set()
        del task  # its job knows who asked, whom a thread that waits must not keep alive
