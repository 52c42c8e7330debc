"""One training at a time in a run folder: a lock that ends with the process that holds it."""

from __future__ import annotations

import os
import platform
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bwalloc.errors import BwallocError
from bwalloc.files import take_lock

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LOCK = "run.lock"
"""In a run folder: who trains there now, or did last."""


@contextmanager
def alone_in(folder: Path, *, waits: bool) -> Generator[None]:
    """Inside, no other process trains in `folder`, which is made if it is missing.

    See `take_lock` for where it keeps others out.

    Args:
        folder: of a run.
        waits: for a process that trains there, until it ends, instead of refusing.

    Raises:
        BwallocError: another process trains there, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        msg = f"'{folder}': a run cannot be kept here ({error.strerror}); name another --out."
        raise BwallocError(msg) from None
    try:
        if not take_lock(opened, waits=waits):
            raise _taken(opened, folder)
        os.ftruncate(opened, 0)
        os.pwrite(opened, f"process {os.getpid()} on {platform.node()}\n".encode(), 0)
        yield
    finally:
        os.close(opened)


def _taken(opened: int, folder: Path) -> BwallocError:
    owner = os.pread(opened, 200, 0).decode(errors="replace").strip() or "another process"
    return BwallocError(
        f"'{folder}': {owner} trains there, and a run has one writer; wait for it, end it, or "
        "name another --out."
    )
