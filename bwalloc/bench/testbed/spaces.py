"""Network namespaces of a testbed: named by who made them, taken away by these names alone."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bwalloc.errors import PlaneError
from bwalloc.serve.planes.htb import tc
from bwalloc.serve.planes.htb.lock import LOCKS, NAMESPACES

NAME = re.compile(r"^bwtb-(?P<pid>\d+)-(?P<born>\d+)-(?P<number>\d+)$")
FOLDER = re.compile(r"^bwtb-(?P<pid>\d+)-(?P<born>\d+)-state$")


@dataclass(frozen=True, slots=True)
class Spaces:
    """Namespaces that are there, and a folder for the state of the plane on them."""

    names: tuple[str, ...]
    state: Path


@contextmanager
def made_spaces(count: int) -> Generator[Spaces]:
    """Make so many; whatever happens inside, they are gone afterwards.

    Raises:
        PlaneError: One cannot be made; says what `ip` said.
    """
    mine = f"bwtb-{os.getpid()}-{born(os.getpid())}"
    state = Path(tempfile.gettempdir()) / f"{mine}-state"
    names: list[str] = []
    try:
        state.mkdir(mode=0o700)
        for number in range(count):
            name = f"{mine}-{number}"
            ip("netns", "add", name)
            names.append(name)
            ip("-n", name, "link", "set", "lo", "up")
        yield Spaces(tuple(names), state)
    finally:
        with _uninterrupted():
            for name in names:
                remove(name)
            shutil.rmtree(state, ignore_errors=True)


def remove(name: str) -> None:
    """Take one namespace away, with its interfaces and the locks on them."""
    try:
        inode = (NAMESPACES / name).stat().st_ino
    except OSError:
        return
    for path in LOCKS.glob(f"{inode}-*.lock"):
        path.unlink(missing_ok=True)
    tc.run(["ip", "netns", "del", name])


def stale() -> list[Path]:
    """Namespaces and folders of testbeds whose process is no more."""
    places = [(NAMESPACES, NAME), (Path(tempfile.gettempdir()), FOLDER)]
    found = [
        (path, match)
        for folder, pattern in places
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if (match := pattern.match(path.name))
    ]
    return [path for path, match in found if born(int(match["pid"])) != int(match["born"])]


def clean() -> list[str]:
    """Take away what stale testbeds left; the names of what is gone."""
    found = stale()
    for path in found:
        if path.parent == NAMESPACES:
            remove(path.name)
        elif path.stat().st_uid == os.geteuid() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in found if not path.exists()]


def born(pid: int) -> int:
    """When a process began, in ticks of the kernel; 0 where there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0
    return int(text.rpartition(")")[2].split()[19])


def ip(*words: str, lines: Sequence[str] = ()) -> None:
    """One command of `ip`, or a batch of lines.

    Raises:
        PlaneError: It failed; with what it said.
    """
    said = tc.run(["ip", *words], "\n".join(lines) + "\n" if lines else "")
    if not said.is_good:
        what = " ".join(words)
        msg = f"`ip {what}`: {said.complaint.strip()[:300]}; run as root where namespaces exist."
        raise PlaneError(msg)


@contextmanager
def _uninterrupted() -> Generator[None]:
    """A second Ctrl-C must not leave half of the namespaces behind."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread: no Ctrl-C comes here
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
