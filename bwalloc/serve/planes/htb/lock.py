"""One writer per interface: locks that end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bwalloc.errors import PlaneError

if TYPE_CHECKING:
    from bwalloc.serve.planes.htb.layout import Port

NAMESPACES = Path("/run/netns")


class WriterLock:
    """Holds a lock for each interface, named by the namespace itself and not by what it is called.

    The files say which process holds them; they stay, the locks do not.
    """

    def __init__(self, folder: Path) -> None:
        """Hold nothing yet."""
        self.folder = folder
        self._held: list[int] = []

    def take(self, ports: Iterable[Port]) -> None:
        """Lock all interfaces, or none.

        Raises:
            PlaneError: Another process holds one of them, or the folder cannot be written.
        """
        try:
            for port in ports:
                self._take(port)
        except PlaneError:
            self.release()
            raise

    def release(self) -> None:
        """Let others in."""
        while self._held:
            os.close(self._held.pop())

    def _take(self, port: Port) -> None:
        path = self.folder / f"{_namespace_id(port)}-{port.interface}.lock"
        try:
            opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _unwritable(path, error) from None
        self._held.append(opened)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(opened, 32, 0).decode(errors="replace").strip() or "unknown"
            msg = (
                f"{port.place}: process {owner} writes it already, and a plane has one writer; end "
                "that one, or start this one with --no-apply."
            )
            raise PlaneError(msg) from None
        os.ftruncate(opened, 0)
        os.pwrite(opened, f"{os.getpid()}\n".encode(), 0)


def make_folder(path: str) -> Path:
    """The folder of a plane's state, for this user alone.

    Raises:
        PlaneError: It cannot be made, or belongs to somebody else.
    """
    folder = Path(path)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.stat().st_uid
    except OSError as error:
        raise _unwritable(folder, error) from None
    if owner != os.geteuid():
        msg = f"'{folder}' belongs to another user ({owner}); name a folder of your own as `state`."
        raise PlaneError(msg)
    return folder


def _namespace_id(port: Port) -> int:
    path = Path("/proc/self/ns/net") if port.netns is None else NAMESPACES / port.netns
    try:
        return path.stat().st_ino
    except OSError as error:
        msg = f"{port.place}: no such namespace ({error.strerror}); make it with `ip netns add`."
        raise PlaneError(msg) from None


def _unwritable(path: Path, error: OSError) -> PlaneError:
    return PlaneError(f"'{path}': {error.strerror}; name a folder that can be written as `state`.")
