"""Runs `tc` and `ip`; whatever they complain about becomes a `PlaneError`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from bwalloc.errors import PlaneError

Answer = TypeVar("Answer")
TIMEOUT_S = 10.0
LINE_S = 5e-3
"""More for each line of a batch: the kernel takes the longer for a class the more there are, 1 ms
where there are 4,000 and 30 ms where there are 28,000 (busy machine)."""
MOST_AT_ONCE = 16
PLACE = re.compile(r"Command failed -:(\d+)")
REMEDIES = {
    "Operation not permitted": "run it as root (CAP_NET_ADMIN; CAP_SYS_ADMIN for namespaces)",
    "Specified qdisc kind is unknown": "this kernel lacks it: enable CONFIG_NET_SCH_HTB",
    "TC classifier not found": "this kernel lacks it: enable CONFIG_NET_CLS_U32",
    "Cannot find device": "bring the interface up, or name another one in the plane file",
    "Cannot open network namespace": "make it (`ip netns add NAME`), or name another one",
    "Exclusivity flag on": "something else is in its place; look with `tc qdisc show`",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a command wrote, and whether it was content."""

    output: str
    complaint: str
    is_good: bool


def at_once(calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Answers of calls that wait for processes, all of them started before any is waited for.

    Raises:
        PlaneError: Of the first that failed, once all have ended.
    """
    if len(calls) < 2:
        return [call() for call in calls]
    with ThreadPoolExecutor(min(len(calls), MOST_AT_ONCE)) as threads:
        running = [threads.submit(call) for call in calls]
    return [each.result() for each in running]


def batch(netns: str | None, lines: Sequence[str]) -> None:
    """Run lines one after the other, up to the first that fails; those before it stay in force.

    Raises:
        PlaneError: With the line, what the kernel said, and what to do.
    """
    if not lines:
        return
    within_s = TIMEOUT_S + LINE_S * len(lines)
    said = run(["tc", *_inside(netns), "-batch", "-"], "\n".join(lines) + "\n", within_s)
    if not said.is_good:
        found = PLACE.search(said.complaint)
        line = lines[int(found[1]) - 1] if found and int(found[1]) <= len(lines) else lines[0]
        raise _failed(["tc", line], netns, said.complaint)


def show(netns: str | None, lines: Sequence[str], *options: str) -> str:
    """What `tc` shows for lines; those that fail show nothing.

    Raises:
        PlaneError: The namespace cannot be entered, or nothing may be seen.
    """
    said = run(["tc", *_inside(netns), *options, "-force", "-batch", "-"], "\n".join(lines) + "\n")
    is_missing = "Cannot find device" in said.complaint
    if not said.is_good and not is_missing:
        raise _failed(["tc class show"], netns, said.complaint)
    return said.output


def links(netns: str | None) -> str:
    """The interfaces of a namespace, as `ip` tells them in JSON.

    Raises:
        PlaneError: The namespace cannot be entered.
    """
    said = run(["ip", *_inside(netns), "-json", "link", "show"])
    if not said.is_good:
        raise _failed(["ip link show"], netns, said.complaint)
    return said.output


def run(command: Sequence[str], text: str = "", within_s: float = TIMEOUT_S) -> Said:
    """Run one of iproute2's commands.

    Raises:
        PlaneError: It is not installed, or does not end.
    """
    path = shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin:/sbin")
    if path is None:
        msg = f"'{command[0]}' is not installed; a plane of HTB needs iproute2 (Linux)."
        raise PlaneError(msg)
    try:
        done = subprocess.run(
            [path, *command[1:]],
            input=text,
            capture_output=True,
            text=True,
            timeout=within_s,
            env={"LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        msg = f"`{' '.join(command)}` did not end within {within_s:g} s; was ended."
        raise PlaneError(msg) from None
    return Said(done.stdout, done.stderr, done.returncode == 0)


def _failed(command: list[str], netns: str | None, complaint: str) -> PlaneError:
    """The error of a command, with what to do where that is known."""
    where = "" if netns is None else f" in namespace '{netns}'"
    lines = [line for line in complaint.splitlines() if not PLACE.search(line)]
    said = "; ".join(line.strip() for line in lines if line.strip()) or "said nothing"
    hints = [remedy for words, remedy in REMEDIES.items() if words in complaint]
    todo = hints[0] if hints else "see what is there with `tc -s class show dev INTERFACE`"
    return PlaneError(f"`{' '.join(command)}`{where}: {said}; {todo}.")


def _inside(netns: str | None) -> list[str]:
    return [] if netns is None else ["-netns", netns]
