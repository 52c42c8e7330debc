"""Processes: one that outlives this one, and the end of one that hangs."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import time
from pathlib import Path

ENDING_S = 0.5
"""How long what was killed may take to be gone."""


class Child:
    """A process with a session of its own, that outlives this one."""

    def __init__(self, command: list[str], log: Path) -> None:
        written = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), written, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        self.pid = os.posix_spawn(
            command[0], command, {"LC_ALL": "C"}, file_actions=actions, setsid=True
        )
        self._code: int | None = None

    def code(self) -> int | None:
        """With which it ended; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self, most_s: float) -> None:
        """Until it has ended, or the time is over."""
        until_s = time.monotonic() + most_s
        while self.code() is None and time.monotonic() < until_s:
            time.sleep(0.01)

    def kill(self) -> None:
        """End it."""
        if self.code() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait(ENDING_S)


def end_peer(peer: socket.socket) -> None:
    """End the process that listens at the other end of a connection, frozen or not.

    The kernel says which one it is. While the connection is open that process lives, so its number
    is no other's; where it may not be ended nothing happens.
    """
    said = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid = struct.unpack("3i", said)[0]
    try:
        handle = os.pidfd_open(pid)
    except OSError:  # it has just ended
        return
    try:
        is_open = not select.select([peer], [], [], 0)[0]
        if is_open:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], ENDING_S)
    except (PermissionError, ProcessLookupError):  # may not be ended, or has ended meanwhile
        return
    finally:
        os.close(handle)
