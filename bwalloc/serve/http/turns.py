"""Decisions take turns on one thread, and only so many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bwalloc.serve.http.problems import Problem

Answer = TypeVar("Answer")
RETRY_AFTER_S = 1


class Turns:
    """One thread that works while the event loop goes on answering.

    Args:
        most_waiting: how many may wait besides the one whose turn it is.
    """

    def __init__(self, most_waiting: int) -> None:
        """Start with nothing to do."""
        self.most = most_waiting + 1
        self.taken = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bwalloc-decide")

    def check_room(self) -> None:
        """Refuse early, before a body is read.

        Raises:
            Problem: 503, all places are taken.
        """
        if self.taken >= self.most:
            detail = f"{self.taken} decisions wait already; send the next telemetry instead."
            raise Problem(503, detail, {"Retry-After": str(RETRY_AFTER_S)})

    async def take(self, work: Callable[[], Answer]) -> Answer:
        """Wait for a turn and do `work`, away from the event loop.

        Raises:
            Problem: 503, all places are taken.
        """
        self.check_room()
        self.taken += 1
        running = asyncio.get_running_loop().run_in_executor(self._thread, work)
        running.add_done_callback(self._leave)
        return await asyncio.shield(running)

    def _leave(self, _: object) -> None:
        self.taken -= 1

    def close(self) -> None:
        """Take no more; does not wait for what runs."""
        self._thread.shutdown(wait=False, cancel_futures=True)
