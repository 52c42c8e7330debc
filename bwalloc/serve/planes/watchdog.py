"""A process that puts the static table back when decisions stop; HTB itself never would.

It is run by its path (`python -I -S watchdog.py FOLDER`) and needs nothing but the standard
library, so that it starts in a moment, stays small, and does not share the faults of what it
watches. It has a session of its own: what ends the controller does not end it.

A controller connects to the socket in the folder and says, a line of JSON each:

- `hello`: the table to put back (lines for `tc -batch`, by namespace), the interval, and how many
  of them may pass without a beat. It does not extend the time that runs: a controller that starts
  again and again without ever deciding does not keep old rates alive.
- `beat`: a decision is in force.
- `end`: the plane is taken down; end without touching it.

Every line is answered with `{"pid", "version", "restored", "error"}`. When the time is over it
restores, and goes on if a controller is still connected (stuck, perhaps to come back); if none is,
its work is done and it ends. Time is CLOCK_MONOTONIC.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any

VERSION = 1
SOCKET, LOCK, WRITING, LOG = "watchdog.sock", "watchdog.lock", "writing.lock", "watchdog.log"
HELD_ALREADY = 3
MOST_TRIES = 10
SPARE = 0.2
"""Of an interval: time to restore in."""
MOST_BYTES = 64 * 2**20


class Watchdog:
    """One plane watched."""

    def __init__(self, folder: str, listener: socket.socket) -> None:
        """Nothing is known yet, nobody is connected."""
        self.folder, self.listener = folder, listener
        self.peer: socket.socket | None = None
        self.pending = b""
        self.hello: dict[str, Any] = {}
        self.due_s: float | None = None
        self.restored, self.tries = 0, 0
        self.error: str | None = None
        self.is_done = False

    def run(self) -> None:
        """Listen, and restore when it is time, until there is nothing left to do."""
        born_s = time.monotonic()
        while not self.is_done:
            now_s = time.monotonic()
            if self.due_s is not None and now_s >= self.due_s:
                self.restore()
                continue
            if not self.hello and self.peer is None and now_s - born_s > 60:
                return  # nobody ever came
            wait_s = 60.0 if self.due_s is None else self.due_s - now_s
            waiting = [self.listener] if self.peer is None else [self.listener, self.peer]
            ready = select.select(waiting, [], [], wait_s)[0]
            if self.peer in ready:
                self.receive()
            if self.listener in ready:
                self.leave()
                self.peer, _ = self.listener.accept()
                self.pending = b""

    def receive(self) -> None:
        """Take in what the controller says."""
        assert self.peer is not None
        try:
            data = self.peer.recv(2**20)
        except OSError:
            data = b""
        if not data or len(self.pending) > MOST_BYTES:
            self.leave()
            self.is_done = self.due_s is None and bool(self.hello)
            return
        *lines, self.pending = (self.pending + data).split(b"\n")
        for line in lines:
            try:
                self.hear(json.loads(line))
                answer = {"pid": os.getpid(), "version": VERSION, "restored": self.restored}
                self.peer.sendall(json.dumps({**answer, "error": self.error}).encode() + b"\n")
            except (OSError, ValueError, LookupError, TypeError) as error:
                log(f"what was said cannot be heard or answered: {error!r}")
                self.leave()
                return

    def hear(self, said: dict[str, Any]) -> None:
        """One line of a controller."""
        if said["say"] == "end":
            self.is_done = True
        elif said["say"] == "hello":
            is_first = not self.hello
            said = {key: said[key] for key in ("batches", "interval_s", "misses")}
            self.hello = said
            if is_first:
                self.due_s = time.monotonic() + self.patience_s
        elif self.hello:
            self.due_s, self.tries = time.monotonic() + self.patience_s, 0

    @property
    def patience_s(self) -> float:
        """How long no decision may come, so that the table is back when that many are missing."""
        return self.hello["interval_s"] * (self.hello["misses"] - SPARE)

    def leave(self) -> None:
        """The controller is gone."""
        if self.peer is not None:
            self.peer.close()
            self.peer = None

    def restore(self) -> None:
        """Put the static table back; what fails is tried again, for a while."""
        begun = time.monotonic()
        with Writing(self.folder, self.hello["interval_s"]):
            faults = [fault for each in self.hello["batches"] if (fault := run_batch(each))]
        self.error = "; ".join(faults) or None
        self.restored += 1
        self.tries += 1
        took_ms = (time.monotonic() - begun) * 1e3
        log(f"restored the static table in {took_ms:.0f} ms; {self.error or 'no error'}")
        if faults and self.tries < MOST_TRIES:
            self.due_s = time.monotonic() + self.hello["interval_s"]
            return
        self.due_s = None
        self.is_done = self.peer is None


class Writing:
    """Held by whoever changes classes; the watchdog waits for it a while, then goes on without."""

    def __init__(self, folder: str, wait_s: float) -> None:
        """Hold nothing yet."""
        self.path, self.wait_s = os.path.join(folder, WRITING), wait_s

    def __enter__(self) -> None:
        """Wait for the lock."""
        self.opened = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until_s = time.monotonic() + self.wait_s
        while time.monotonic() < until_s:
            try:
                fcntl.flock(self.opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(0.01)
            else:
                return

    def __exit__(self, *_: object) -> None:
        """Let go."""
        os.close(self.opened)


def run_batch(each: dict[str, Any]) -> str | None:
    """Run the lines of one namespace to the end, whatever fails between; what failed, if any."""
    command = [*each["command"], "-force", "-batch", "-"]
    try:
        done = subprocess.run(
            command, input=each["lines"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    if done.returncode == 0:
        return None
    return done.stderr.strip()[:500] or f"{command[0]} ended with code {done.returncode}"


def log(text: str) -> None:
    """Tell the file of the log."""
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}", flush=True)


def main(folder: str) -> int:
    """Watch until there is nothing to watch; 3 where another one watches already."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder = os.path.abspath(folder)
    os.chdir("/")
    lock = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return HELD_ALREADY
    path = os.path.join(folder, SOCKET)
    if os.path.lexists(path):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(4)
        log(f"process {os.getpid()} watches")
        Watchdog(folder, listener).run()
    os.unlink(path)
    log(f"process {os.getpid()} ends")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
