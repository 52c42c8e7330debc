"""Which code watches: the array form (NumPy and torch) or its compiled twin."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from bwalloc.errors import BwallocError


def twin_of(compiled: bool | None) -> Any:
    """The module of the twin of `Observer`, or None; `compiled=None` takes it if numba is there.

    Raises:
        BwallocError: It was asked for, and numba is not installed.
    """
    return _module("bwalloc.observe.compiled", compiled)


def window_twin_of(compiled: bool | None) -> Any:
    """The module of the twin of `Window`; as `twin_of`."""
    return _module("bwalloc.observe.compiled_window", compiled)


@cache
def _module(name: str, compiled: bool | None) -> Any:
    installed = find_spec("numba") is not None
    if compiled and not installed:
        msg = "The compiled twin needs numba: pip install 'bwalloc[fast]'."
        raise BwallocError(msg)
    return None if compiled is False or not installed else import_module(name)
