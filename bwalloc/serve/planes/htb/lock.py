"""One writer per interface: locks that end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bwalloc.errors import PlaneError

if TYPE_CHECKING:
    from bwalloc.serve.planes.htb.layout import Port

NAMESPACES = Path("/run/netns")
PLANE = "plane.lock"
LOCKS = Path("/run/lock/bwalloc")
"""The same for all planes of a machine, wherever they keep their state."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class WriterLock:
    """Holds a lock for the folder, since it has one watchdog, and one for each interface.

    The latter are named by the namespace itself, not by what a plane file calls it. Their files say
    which process holds them; they stay until `forget`, the locks end with the process.
    """

    def __init__(self, folder: Path, locks: Path = LOCKS) -> None:
        """Hold nothing yet; `locks` is where those of interfaces are."""
        self.folder, self.locks = folder, locks
        self._held: list[tuple[Path, int]] = []

    def take(self, ports: Iterable[Port]) -> None:
        """Lock all interfaces, or none.

        Raises:
            PlaneError: Another process holds one of them, or the folder cannot be written.
        """
        try:
            make_folder(str(self.locks))
            what = f"folder '{self.folder}' holds the state of another plane"
            self._take(self.folder / PLANE, what, "name another one as `state`")
            for port in ports:
                path = self.locks / f"{_namespace_id(port)}-{port.interface}.lock"
                self._take(path, port.place, "start this one with --no-apply")
        except PlaneError:
            self.release()
            raise

    def release(self) -> None:
        """Let others in."""
        while self._held:
            os.close(self._held.pop()[1])

    def forget(self) -> None:
        """Take the files away, too."""
        for path, _ in self._held:
            path.unlink(missing_ok=True)
        self.release()

    def _take(self, path: Path, what: str, remedy: str) -> None:
        try:
            opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _unwritable(path, error) from None
        self._held.append((path, opened))
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(opened, 32, 0).decode(errors="replace").strip() or "unknown"
            msg = (
                f"{what}: process {owner} writes it already, and a plane has one writer; end that "
                f"one, or {remedy}."
            )
            raise PlaneError(msg) from None
        if not path.exists() or path.stat().st_ino != os.fstat(opened).st_ino:
            self._take(path, what, remedy)  # its last owner has just taken the file away
            return
        os.ftruncate(opened, 0)
        os.pwrite(opened, f"{os.getpid()}\n".encode(), 0)


def make_folder(path: str) -> Path:
    """A folder for this user alone.

    Raises:
        PlaneError: It cannot be made, belongs to somebody else, or others may write to it or put
            another one in its place.
    """
    folder = Path(path)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        above = [each for each in folder.resolve().parents if _anybody_moves(each.stat().st_mode)]
    except OSError as error:
        raise _unwritable(folder, error) from None
    if found.st_uid != os.geteuid():
        msg = f"'{folder}' belongs to another user ({found.st_uid}), not to the one that runs this."
        raise PlaneError(msg)
    if found.st_mode & OTHERS_WRITE:
        raise _open_to_others(folder, found.st_mode)
    if above:
        raise _open_to_others(above[0], above[0].stat().st_mode)
    return folder


def _anybody_moves(mode: int) -> bool:
    """Whether all users may rename what others have in a folder; not so in one like /tmp."""
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _open_to_others(folder: Path, mode: int) -> PlaneError:
    return PlaneError(
        f"'{folder}' may be written by other users (mode {stat.S_IMODE(mode):o}), who could stand "
        f"in for the watchdog; `chmod go-w {folder}`, or name another folder (`state`)."
    )


def _namespace_id(port: Port) -> int:
    path = Path("/proc/self/ns/net") if port.netns is None else NAMESPACES / port.netns
    try:
        return path.stat().st_ino
    except OSError as error:
        msg = f"{port.place}: no such namespace ({error.strerror}); make it with `ip netns add`."
        raise PlaneError(msg) from None


def _unwritable(path: Path, error: OSError) -> PlaneError:
    return PlaneError(f"'{path}': {error.strerror}; planes need to write there (`state`, locks).")
