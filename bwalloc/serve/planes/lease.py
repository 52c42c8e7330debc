"""The controller's end of the watchdog: finds or starts it, and tells it that decisions come."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bwalloc.errors import PlaneError
from bwalloc.serve.planes import watchdog
from bwalloc.serve.planes.processes import Child, end_peer
from bwalloc.serve.planes.protocol import Note

ANSWER_S = 2.0
START_S = 10.0
LONGEST_PATH = 100
"""Bytes; the kernel allows a socket 107."""


class Lease:
    """Decisions hold as long as it is renewed.

    A watchdog that is asked and does not answer protects nothing: it is ended, whoever started it,
    and another one takes its place.
    """

    def __init__(
        self, folder: Path, batches: Sequence[dict[str, Any]], interval_s: float, misses: int
    ) -> None:
        """Prepare; `batches` are what the watchdog runs, `interval_s` the plane's own.

        Raises:
            PlaneError: The path of the folder is too long for a socket.
        """
        self.folder, self.socket_path = folder, str(folder / watchdog.SOCKET)
        if len(os.fsencode(self.socket_path)) > LONGEST_PATH:
            msg = f"'{folder}' is too long for the path of a socket; name a shorter one as `state`."
            raise PlaneError(msg)
        self.hello = {
            "say": "hello",
            "batches": list(batches),
            "interval_s": interval_s,
            "misses": misses,
        }
        self.pid: int | None = None
        self.restored = 0
        self._peer: socket.socket | None = None
        self._pending = b""
        self._started: Child | None = None

    def begin(self) -> bool:
        """Take over the watchdog that runs, or start one; True where one ran.

        Raises:
            PlaneError: None can be started, or the one that runs does not answer.
        """
        if self._connected() and self._greeted():
            return True
        self._start()
        return False

    def renew(self) -> list[Note]:
        """Say that a decision is in force; what there is to tell of the watchdog.

        Raises:
            PlaneError: The watchdog is gone and no other can be started.
        """
        before = self.restored
        answer = self._ask({"say": "beat"})
        if answer is None:
            gone = self.pid
            self._clear()
            if not (self._connected() and self._greeted()):
                self._start()
            if self._ask({"say": "beat"}) is None:
                msg = f"The watchdog (process {self.pid}) does not answer; see {self.log}."
                raise PlaneError(msg)
            text = f"The watchdog (process {gone}) was gone; process {self.pid} watches now."
            return [Note("watchdog-restarted", text)]
        if answer["restored"] == before:
            return []
        return [_restored(answer)]

    def end(self) -> None:
        """Let the watchdog end without restoring anything: the plane is taken down."""
        is_heard = self._ask({"say": "end"}) is not None
        self.leave()
        if is_heard and self._started is not None:
            self._started.wait(ANSWER_S)

    def leave(self) -> None:
        """Renew no longer; the watchdog goes on, until its time is over or another one comes."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    @property
    def log(self) -> Path:
        """What the watchdog wrote."""
        return self.folder / watchdog.LOG

    def _clear(self) -> None:
        """Part with a watchdog that is gone or did not answer."""
        self.leave()
        if self._started is not None:
            self._started.kill()
            self._started = None

    def _start(self) -> None:
        self._started = self._child()
        until_s = time.monotonic() + START_S
        while time.monotonic() < until_s:
            if self._connected() and self._greeted():
                return
            code = self._started.code()
            if code not in (None, watchdog.HELD_ALREADY, -signal.SIGKILL):
                msg = f"The watchdog ended with code {code} as it started; see {self.log}."
                raise PlaneError(msg)
            time.sleep(0.02 if code is None else 0.2)
            if code is not None:  # the one before was about to end, or this one hung
                self._started = self._child()
        msg = f"No watchdog answers at {self.socket_path} after {START_S:g} s; see {self.log}."
        raise PlaneError(msg)

    def _child(self) -> Child:
        script = str(Path(watchdog.__file__))
        command = [sys.executable, "-I", "-S", script, str(self.folder)]
        try:
            return Child(command, self.log)
        except OSError as error:
            msg = f"No watchdog can be started ({error.strerror}); see {self.folder}."
            raise PlaneError(msg) from None

    def _connected(self) -> bool:
        self.leave()
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.settimeout(ANSWER_S)
        try:
            peer.connect(self.socket_path)
        except OSError:
            peer.close()
            return False
        self._peer, self._pending = peer, b""
        return True

    def _greeted(self) -> bool:
        answer = self._ask(self.hello)
        if answer is None or answer["version"] != watchdog.VERSION:
            if answer is not None:
                self._ask({"say": "end"})  # of another version: it ends, and ours begins
            self.leave()
            return False
        self.pid, self.restored = answer["pid"], answer["restored"]
        return True

    def _ask(self, words: dict[str, Any]) -> dict[str, Any] | None:
        """One question; None where no answer comes, and then there is nobody any more."""
        if self._peer is None:
            return None
        try:
            self._peer.sendall(json.dumps(words).encode() + b"\n")
            while b"\n" not in self._pending:
                data = self._peer.recv(65536)
                if not data:
                    return None
                self._pending += data
        except TimeoutError:
            end_peer(self._peer)
            return None
        except OSError:
            return None
        line, _, self._pending = self._pending.partition(b"\n")
        answer = json.loads(line)
        self.restored = answer["restored"] if words["say"] == "beat" else self.restored
        return answer


def _restored(answer: dict[str, Any]) -> Note:
    text = "No decision came in time, and the watchdog put the static table in force."
    if answer["error"]:
        text += f" Not all of it worked: {answer['error']}"
    return Note("watchdog-restored", text)
