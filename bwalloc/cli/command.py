"""The command that is running, as results record it."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

_ARGUMENTS: ContextVar[Sequence[str]] = ContextVar("_ARGUMENTS", default=())


@contextmanager
def running(arguments: Sequence[str]) -> Generator[None]:
    """Inside, `command_line` tells these arguments, however `main` was called."""
    token = _ARGUMENTS.set(arguments)
    try:
        yield
    finally:
        _ARGUMENTS.reset(token)


def command_line() -> str:
    """What to type to run this again."""
    return shlex.join(["bwalloc", *_ARGUMENTS.get()])
