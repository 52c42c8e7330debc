"""Looks again and again at what runs elsewhere have written, while they run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from bwalloc.errors import BwallocError

EVERY_S = 3.0
FOR_A_MOMENT = (OSError, ValueError, BwallocError)
"""What reading raises while another machine writes: out of reach, half a text, half a recipe."""


@contextmanager
def watching(look: Callable[[], None], every_s: float = EVERY_S) -> Generator[None]:
    """Inside, `look` is called every so often, from a thread of its own; not at the end.

    A look that meets a file which a shared folder shows in part, or not, is followed by the next.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every_s):
            with suppress(*FOR_A_MOMENT):
                look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
