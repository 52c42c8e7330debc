"""Looks again and again at what runs elsewhere have written, while they run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

EVERY_S = 3.0


@contextmanager
def watching(look: Callable[[], None], every_s: float = EVERY_S) -> Generator[None]:
    """Inside, `look` is called every so often, from a thread of its own; not at the end."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every_s):
            with suppress(OSError):  # a shared folder may be out of reach for a moment
                look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
