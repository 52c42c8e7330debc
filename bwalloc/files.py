"""Files: written whole or not at all, locked, and settings that are read with suspicion."""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING, Any

try:
    import fcntl
except ImportError:  # Windows has none: there, nobody is kept out
    fcntl = None

if TYPE_CHECKING:
    from pathlib import Path

    from bwalloc.errors import BwallocError


def write_atomically(path: Path, data: bytes) -> None:
    """Write through a temporary file; whatever fails, a file that was there before stays.

    Args:
        path: where; missing folders are made.
        data: everything the file shall hold.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def take_lock(opened: int, *, waits: bool = False) -> bool:
    """Keep others out of an open file until it is closed; False where one of them holds it.

    The lock is that of `flock`: it ends with the process that holds it, and NFS passes it on
    between machines. A file system that has no locks keeps nobody out.

    Args:
        opened: a descriptor.
        waits: until nobody else holds it.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(opened, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # no locks on this file system
    return True


def read_toml(path: Path, most_bytes: int, what: str, error: type[BwallocError]) -> dict[str, Any]:
    """The tables of a TOML file that people write by hand.

    Args:
        path: the file.
        most_bytes: what is larger is not read.
        what: what should have been named, for the message, as in "a TOML file of limits".
        error: raised where it cannot be read or is no TOML; names the file.
    """
    try:
        with path.open("rb") as opened:
            data = opened.read(most_bytes + 1)
    except OSError as reason:
        msg = f"{path}: cannot be read ({reason.strerror}); name {what}."
        raise error(msg) from None
    if len(data) > most_bytes:
        msg = f"{path}: is larger than {most_bytes} bytes; refused."
        raise error(msg)
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as reason:
        msg = f"{path}: is no TOML ({reason})."
        raise error(msg) from None
