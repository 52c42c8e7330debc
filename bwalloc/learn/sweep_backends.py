"""Where the members of a sweep run: processes of this machine, a Ray cluster or a Dask cluster."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from bwalloc.errors import BwallocError
from bwalloc.learn.sweep_watch import watching

Backend: TypeAlias = Literal["loky", "ray", "dask"]
BACKENDS: tuple[Backend, ...] = ("loky", "ray", "dask")
ATTEMPTS = 3
"""How often processes may be lost before those that are left are given up."""
ANSWER_S = 30
"""How long a scheduler has to answer."""
ORPHANED_S = 1.0
"""How long a process outlives the one that began it."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Where tasks run, and how many at a time.

    Attributes:
        backend: one of `BACKENDS`; names as joblib knows them.
        jobs: tasks at a time; 0: one per core of this machine, or all that the cluster has.
        address: of a cluster that runs already; None starts one on this machine.
    """

    backend: Backend = "loky"
    jobs: int = 0
    address: str | None = None


def run_everywhere(
    task: Callable[[Any], object], left: Callable[[], Sequence[Any]], how: Spread
) -> str:
    """Do what is left, through joblib; what tasks find out, they write down themselves.

    A process that is killed takes the others of its pool with it; what is left by then is begun
    again, a few times.

    Args:
        task: a function of a module, which workers import too.
        left: what is still to be done, now.
        how: where.

    Returns:
        What went wrong with the processes at last, or nothing.

    Raises:
        BwallocError: no such cluster, or raised by a task, which ends the whole.
        KeyboardInterrupt: Ctrl-C; the processes are gone by then.
    """
    if not left():
        return ""
    lost = ""
    with _reached(how) as (options, jobs):
        for _ in range(ATTEMPTS):
            items = left()
            if not items:
                return ""
            try:
                _run(task, items, options, jobs)
            except BwallocError:
                raise
            except Exception as error:  # of the backend: tasks keep theirs to themselves
                lost = f"{type(error).__name__}: {_line(error)}"
            else:
                return ""
    return lost


def _run(
    task: Callable[[Any], object], items: Sequence[Any], options: dict[str, Any], jobs: int
) -> None:
    joblib: Any = import_module("joblib")
    parent = os.getpid()
    with joblib.parallel_config(n_jobs=jobs, **options):
        # One at a time and no more ahead than there are workers: tasks take minutes.
        parallel = joblib.Parallel(batch_size=1, pre_dispatch="n_jobs")
        parallel(joblib.delayed(_quietly)(task, item, parent) for item in items)


def _quietly(task: Callable[[Any], object], item: Any, parent: int) -> None:
    """One task on one thread of torch, in a process that leaves Ctrl-C to the one that began it."""
    import torch

    torch.set_num_threads(1)
    if os.getpid() == parent:
        task(item)
        return
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    is_child = os.getppid() == parent

    def look() -> None:
        if is_child and os.getppid() != parent:
            os._exit(1)  # the one that began this was killed, and may be begun again

    with watching(look, ORPHANED_S):
        task(item)


@contextmanager
def _reached(how: Spread) -> Generator[tuple[dict[str, Any], int]]:
    """What joblib is told, and how many tasks at a time."""
    if how.backend == "loky":
        yield {"backend": "loky", "inner_max_num_threads": 1}, how.jobs or -1
        return
    with (_ray if how.backend == "ray" else _dask)(how) as reached:
        yield reached


@contextmanager
def _ray(how: Spread) -> Generator[tuple[dict[str, Any], int]]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    ray: Any = import_module("ray")
    is_ours = not ray.is_initialized()
    if is_ours:
        place: dict[str, Any] = {"address": how.address}
        if not how.address:
            place = {"address": "local", "num_cpus": how.jobs or None, "include_dashboard": False}
        with _answering(how):
            _knock(how.address)
            ray.init(log_to_driver=False, logging_level="error", **place)
    try:
        import_module("ray.util.joblib").register_ray()
        there = int(ray.cluster_resources().get("CPU", 0))
        _check_some(there, how)
        yield {"backend": "ray"}, min(how.jobs or there, there)
    finally:
        if is_ours:
            ray.shutdown()


@contextmanager
def _dask(how: Spread) -> Generator[tuple[dict[str, Any], int]]:
    distributed: Any = import_module("distributed")
    with ExitStack() as opened:
        with _answering(how):
            place: Any = how.address
            if not how.address:
                workers = how.jobs or os.cpu_count()
                options = {"dashboard_address": None, "silence_logs": "CRITICAL"}
                place = opened.enter_context(
                    distributed.LocalCluster(n_workers=workers, threads_per_worker=1, **options)
                )
            client = opened.enter_context(distributed.Client(place, timeout=ANSWER_S))
        threads = client.nthreads()
        _check_some(len(threads), how)
        _check_one_thread(threads)
        yield {"backend": "dask", "client": client}, min(how.jobs or len(threads), len(threads))


def _knock(address: str | None) -> None:
    """See that somebody listens: Ray itself goes on trying for many minutes."""
    place = urlsplit(f"//{address.rpartition('//')[2]}") if address else None
    if place and place.hostname and place.port:
        socket.create_connection((place.hostname, place.port), ANSWER_S).close()


@contextmanager
def _answering(how: Spread) -> Generator[None]:
    """Turn the failure to reach a cluster, or to start one here, into one line."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        place = f"no {how.backend} cluster answers at --address {how.address}"
        if how.backend == "ray" and how.address:
            place += ", or it asks for a token (RAY_AUTH_MODE, RAY_AUTH_TOKEN)"
        said = place if how.address else f"the {how.backend} cluster of this machine does not start"
        msg = f"--backend {how.backend}: {said} ({_line(error)})."
        raise BwallocError(msg) from None


def _check_some(there: int, how: Spread) -> None:
    if there < 1:
        msg = f"--backend {how.backend}: the cluster has no worker; start one, then try again."
        raise BwallocError(msg)


def _check_one_thread(threads: dict[str, int]) -> None:
    """Runs in threads of one process would draw from the same random numbers of torch."""
    for worker, count in threads.items():
        if count > 1:
            msg = (
                f"The Dask worker {worker} has {count} threads; a run needs a process of its own: "
                "start workers with --nthreads 1 (and --nworkers as many as there are cores)."
            )
            raise BwallocError(msg)


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
