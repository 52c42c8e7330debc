"""Ctrl-C while the command `bwalloc` still imports: one line, as afterwards, and no traceback."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


def quiet_command() -> None:
    """Say one line at a Ctrl-C that nothing caught, in the program `bwalloc` and in no other."""
    if Path(sys.argv[0] if sys.argv else "").stem == "bwalloc":
        sys.excepthook = _said


def _said(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("bwalloc: interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
