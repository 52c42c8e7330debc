"""The listening socket, and an end that lets running requests finish."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from bwalloc.errors import ServiceError
from bwalloc.serve.http.security import address_of, check_exposure, tls_context
from bwalloc.serve.http.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

SPARE_S = 5.0
"""After the time to finish, how long the process may take to end before it is ended."""


@dataclass(frozen=True)
class Listener:
    """A bound socket with its certificate; nothing is answered yet."""

    socket: socket.socket
    tls: ssl.SSLContext | None
    url: str


class Drain:
    """Whether the sidecar is about to end."""

    def __init__(self) -> None:
        """Start in service."""
        self.is_on = False


def listen(settings: Settings) -> Listener:
    """Bind the address, if it is safe to.

    Raises:
        ServiceError: the address cannot be bound, or must not be without token and TLS.
    """
    family, address = address_of(settings.host, settings.port)
    check_exposure(settings, address[0])
    tls = tls_context(settings)
    try:
        bound = socket.create_server(address, family=family)
    except OSError as error:
        msg = (
            f"Cannot listen on {settings.host}, port {settings.port} ({error.strerror}): "
            "give a free one with --port, or 0 for any."
        )
        raise ServiceError(msg) from None
    # asyncio sets it only on sockets that name their protocol; without it an answer takes 40 ms.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    shown = f"[{address[0]}]" if family == socket.AF_INET6 else address[0]
    return Listener(bound, tls, f"{settings.scheme}://{shown}:{bound.getsockname()[1]}")


def serve(
    app: ASGIApp,
    listener: Listener,
    settings: Settings,
    drain: Drain,
    begin: Callable[[], None] = lambda: None,
) -> int | None:
    """Answer requests until SIGTERM or Ctrl-C; returns the signal that ended it.

    `begin` is called once requests are answered and signals are heard.

    After SIGTERM `ready` says no for `settings.drain_s` while requests are still taken; then no
    more are, and running ones get `settings.finish_s`. A second signal ends it at once.
    """
    config = uvicorn.Config(
        app,
        http="h11",  # whatever else is installed, what was tested runs
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_level="error",  # noise of strangers would fill a log
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(settings.finish_s)),
        ssl_context_factory=_given(listener.tls) if listener.tls else None,
    )
    server = _DrainingServer(config, drain, settings, begin)
    server.run([listener.socket])
    return server.ended_by


def _given(context: ssl.SSLContext) -> Callable[[Any, Any], ssl.SSLContext]:
    return lambda _config, _default: context


class _DrainingServer(uvicorn.Server):
    """Says first that it will end, and then ends."""

    def __init__(
        self,
        config: uvicorn.Config,
        drain: Drain,
        settings: Settings,
        begin: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self.drain, self.settings, self.begin = drain, settings, begin
        self.ended_by: int | None = None
        self.ends_at = float("inf")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and says when it is done."""
        await super().startup(sockets)
        self.begin()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """As uvicorn's, but with a time to drain, and without raising the signal again."""
        del frame
        if self.drain.is_on:
            self.should_exit = self.force_exit = True
            return
        self.drain.is_on, self.ended_by = True, sig
        wait_s = self.settings.drain_s if sig == signal.SIGTERM else 0.0
        self.ends_at = time.monotonic() + wait_s
        _end_at_last(wait_s + self.settings.finish_s + SPARE_S)

    async def on_tick(self, counter: int) -> bool:
        """Whether the time to drain is over."""
        return await super().on_tick(counter) or time.monotonic() >= self.ends_at


def _end_at_last(after_s: float) -> None:
    """A thread that hangs must not keep the process."""
    watchdog = threading.Timer(after_s, os._exit, (1,))
    watchdog.daemon = True
    watchdog.start()
