"""Commands that need an extra say which, in one line, where it is not installed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from bwalloc.errors import BwallocError


@contextmanager
def needing(*extras: str) -> Generator[None]:
    """Turn a missing package into the command that installs it.

    Args:
        *extras: names of the extras that bring what is imported inside.

    Raises:
        BwallocError: a package is missing; names it and the extras.
    """
    try:
        yield
    except ImportError as error:
        if error.name is None or error.name.startswith("bwalloc"):
            raise
        wanted = ",".join(extras)
        msg = f"This command needs '{error.name}': pip install 'bwalloc[{wanted}]'."
        raise BwallocError(msg) from None
