"""The controller's end of the endpoints: one process per namespace, asked all at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bwalloc.bench.testbed import endpoint
from bwalloc.errors import PlaneError

ANSWER_S = 20.0


class Crew:
    """Endpoints by the number of their namespace."""

    def __init__(self) -> None:
        """Nobody is there yet."""
        self._peers: list[_Peer] = []

    def add(self, netns: str) -> None:
        """Start the endpoint of one more namespace."""
        self._peers.append(_Peer(netns))

    def ask(self, words: Mapping[int, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
        """Say something to some and hear their answers; all have heard before one is waited for.

        Raises:
            PlaneError: One is gone or does not answer.
        """
        for number, said in words.items():
            self._peers[number].say(said)
        return {number: self._peers[number].hear() for number in words}

    def ask_all(self, do: str, **more: Any) -> dict[int, dict[str, Any]]:
        """Say the same to all."""
        return self.ask({number: {"do": do, **more} for number in range(len(self._peers))})

    def end(self) -> None:
        """Let all end; those that do not are ended, by their own ids."""
        while self._peers:
            self._peers.pop().end()


@contextmanager
def made_crew(names: tuple[str, ...]) -> Generator[Crew]:
    """An endpoint in each namespace, gone afterwards."""
    crew = Crew()
    try:
        for name in names:
            crew.add(name)
        yield crew
    finally:
        crew.end()


class _Peer:
    def __init__(self, netns: str) -> None:
        self.netns = netns
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(ANSWER_S)
        self.pending = b""
        path = shutil.which("ip") or "/usr/sbin/ip"
        script, number = str(Path(endpoint.__file__)), theirs.fileno()
        command = [path, "netns", "exec", netns, sys.executable, "-I", "-S", script, str(number)]
        with theirs:
            self.process = subprocess.Popen(
                command,
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                process_group=0,  # a Ctrl-C is the controller's: it ends its endpoints itself
            )

    def say(self, words: Mapping[str, Any]) -> None:
        try:
            self.socket.sendall(json.dumps(words).encode() + b"\n")
        except OSError:
            raise self._gone() from None

    def hear(self) -> dict[str, Any]:
        try:
            while not self.pending.endswith(b"\n"):
                data = self.socket.recv(2**20)
                if not data:
                    raise self._gone()
                self.pending += data
        except OSError:
            raise self._gone() from None
        answer, self.pending = json.loads(self.pending), b""
        return answer

    def end(self) -> None:
        self.socket.close()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(3)
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _gone(self) -> PlaneError:
        said = ""
        if self.process.poll() is not None and self.process.stderr is not None:
            said = self.process.stderr.read().decode(errors="replace").strip()[-300:]
        msg = f"The endpoint in namespace '{self.netns}' does not answer ({said or 'it runs'})."
        return PlaneError(msg)
