"""One training at a time in a run folder: a lock that ends with the process that holds it."""

from __future__ import annotations

import os
import platform
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bwalloc.errors import BwallocError

try:
    import fcntl
except ImportError:  # Windows has none: there, nobody is kept out
    fcntl = None

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LOCK = "run.lock"
"""In a run folder: who trains there now, or did last."""


@contextmanager
def alone_in(folder: Path, *, waits: bool) -> Generator[None]:
    """Inside, no other process trains in `folder`, which is made if it is missing.

    The lock is that of `flock`: NFS passes it on between machines; a file system that has no locks
    keeps nobody out.

    Args:
        folder: of a run.
        waits: for a process that trains there, until it ends, instead of refusing.

    Raises:
        BwallocError: another process trains there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _take(opened, folder, waits=waits)
        os.ftruncate(opened, 0)
        os.pwrite(opened, f"process {os.getpid()} on {platform.node()}\n".encode(), 0)
        yield
    finally:
        os.close(opened)


def _take(opened: int, folder: Path, *, waits: bool) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(opened, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(opened, 200, 0).decode(errors="replace").strip() or "another process"
        msg = (
            f"'{folder}': {owner} trains there, and a run has one writer; wait for it, end it, or "
            "name another --out."
        )
        raise BwallocError(msg) from None
    except OSError:
        return  # no locks on this file system
