"""The audit log: one JSON line for each decision and each word of an operator, only ever appended.

It holds aggregates: no demand and no rate of a tenant stands in it, but for what an operator said
of a tenant.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bwalloc.errors import ServiceError
from bwalloc.files import take_lock

MOST_BYTES = 16 * 2**20
"""Size from which on a file is put aside and a new one begun."""
KEPT = 8
"""Files kept beside the newest: `audit.jsonl.1` is the last one put aside."""
TAIL_BYTES = 2**20
"""How far back a last whole line is looked for."""
OPENING = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
"""A pipe that nobody reads is an error, not a wait."""


class AuditLog:
    """Appends lines; what goes wrong with the file is counted and stops nobody.

    A line is written by one call, so a process that is killed leaves whole lines, and at worst one
    torn at the very end, which the next writer closes. A file has one writer: each would take over
    its own spend and orders from lines of the other.
    """

    def __init__(self, path: Path | str, *, most_bytes: int = MOST_BYTES, kept: int = KEPT) -> None:
        """Open, or count why not; the folder is made if it is missing.

        Raises:
            ServiceError: Another log is open on the file, of this or another process.
        """
        self.path, self.most_bytes, self.kept = Path(path), most_bytes, kept
        self.errors = 0
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._is_torn = self._is_taken = False
        with self._lock:
            self._open()
        if self._is_taken:
            msg = (
                f"Audit log '{self.path}': another process writes it already, and a log has one "
                "writer; end that one, or name another file (--audit)."
            )
            raise ServiceError(msg)

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one line; never raises."""
        with self._lock:
            try:
                self._append(_json_line(line))
            except (OSError, TypeError, ValueError):
                self.errors += 1

    def newest(self) -> Iterator[dict[str, Any]]:
        """The last whole lines, newest first, of this file and of the one put aside."""
        for path in (self.path, _aside(self.path, 1)):
            for line in reversed(_tail(path)):
                try:
                    found = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(found, dict):
                    yield found

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        with self._lock:
            self._shut()

    def _append(self, data: bytes) -> None:
        if self._descriptor is None and not self._open():
            raise OSError
        descriptor = self._descriptor
        assert descriptor is not None
        if self._is_torn:
            data = b"\n" + data
        self._is_torn = os.write(descriptor, data) < len(data)
        if self._is_torn:
            raise OSError
        self._rotate(descriptor)

    def _open(self) -> bool:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, OPENING, 0o640)
            self._closing = weakref.finalize(self, os.close, self._descriptor)
            self._is_taken = not _locked(self._descriptor, self.path)
            if self._is_taken:
                raise BlockingIOError
            self._is_torn = not _ends_with_newline(self.path)
        except OSError:
            self.errors += 1
            self._shut()
            return False
        return True

    def _rotate(self, descriptor: int) -> None:
        kept = os.fstat(descriptor)
        if not stat.S_ISREG(kept.st_mode) or kept.st_size < self.most_bytes:
            return
        for number in range(self.kept, 0, -1):
            older = self.path if number == 1 else _aside(self.path, number - 1)
            if older.exists():
                older.replace(_aside(self.path, number))
        self._shut()
        self._open()

    def _shut(self) -> None:
        if self._descriptor is not None:
            self._descriptor = None
            self._closing()  # once; also where nobody holds the log any more


def read_audit(path: Path | str) -> list[dict[str, Any]]:
    """All whole lines of a log, the oldest first, files put aside included."""
    last, found = Path(path), list[dict[str, Any]]()
    aside = sorted(
        (each for each in last.parent.glob(f"{last.name}.*") if each.suffix[1:].isdigit()),
        key=lambda each: -int(each.suffix[1:]),
    )
    for file in (*aside, last):
        for line in file.read_bytes().splitlines() if file.exists() else ():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def _locked(descriptor: int, path: Path) -> bool:
    """Keep other writers out until the file is closed; False where one is there already.

    Pipes and devices may have several writers.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return True
    if not take_lock(descriptor):
        return False
    return os.path.samestat(os.fstat(descriptor), path.stat())  # else another one put it aside


def _json_line(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _tail(path: Path) -> list[bytes]:
    try:
        if not path.is_file():
            return []
        with path.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(0, size - TAIL_BYTES))
            return opened.read(TAIL_BYTES).splitlines()
    except OSError:
        return []


def _ends_with_newline(path: Path) -> bool:
    """Whether the next line may begin; what is no plain file begins anywhere."""
    if not path.is_file():
        return True
    try:
        with path.open("rb") as opened:
            if opened.seek(0, os.SEEK_END) == 0:
                return True
            opened.seek(-1, os.SEEK_END)
            return opened.read(1) == b"\n"
    except OSError:  # it may be written to but not read
        return False
