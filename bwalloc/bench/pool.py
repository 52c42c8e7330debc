"""Tasks in processes that a Ctrl-C ends at once and without a word of theirs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import Any, TypeAlias

from bwalloc.errors import BwallocError

Task: TypeAlias = tuple[Callable[..., Any], Any]
"""A function of (setting, argument), and the argument."""


def run_tasks(setting: Any, work: Sequence[Task], jobs: int) -> Iterator[tuple[Any, Any]]:
    """Arguments and results, in the order in which they come.

    Args:
        setting: first argument of every task; picklable.
        work: what to do; dear tasks first keep all processes busy to the end.
        jobs: processes; 1 runs all of it in this one.

    Raises:
        BwallocError: a process was killed from outside, most likely for its memory.
        KeyboardInterrupt: Ctrl-C; the processes are gone by then.
    """
    if jobs <= 1:
        for task, argument in work:
            yield argument, task(setting, argument)
        return
    others = set(active_children())
    with ProcessPoolExecutor(min(jobs, len(work)), mp_context=get_context("spawn")) as pool:
        with _interrupts_ignored():  # the processes inherit this, and only this one hears Ctrl-C
            futures: dict[Future[Any], Any] = {
                pool.submit(task, setting, argument): argument for task, argument in work
            }
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            msg = "A process was killed, most likely for its memory: use fewer --jobs or episodes."
            raise BwallocError(msg) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(active_children()) - others:
                process.terminate()
            raise


@contextmanager
def _interrupts_ignored() -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may change what a signal does
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
