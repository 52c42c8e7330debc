"""What every request passes before any route, and what every answer carries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from bwalloc.serve.http.problems import Problem, problem_response
from bwalloc.serve.http.security import is_right
from bwalloc.serve.http.settings import Settings

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = ("/", "/docs", "/openapi.json")
"""Nothing but what the source of this library shows; the page asks for a token by itself."""
TELEMETRY = "/v1/decide"
"""The one route whose body may be large."""
OPEN_FOLDERS = ("/assets/", "/health/", "/v2/health/")
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
SEALED = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Headers of every answer that does not bring its own."""


class Gate:
    """Stands before the routes.

    Without a token only names of this machine are accepted as `Host`, so that a page of the web
    cannot reach the sidecar through a name it lets point here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Guard `app`."""
        self.app, self.token = app, settings.token
        self.most_bytes, self.body_s = settings.max_body_bytes, settings.body_s
        self.most_command_bytes = settings.max_command_bytes
        self.hosts = None if settings.token else {*LOCAL_NAMES, settings.host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the routes answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = self._refusal(scope) or self.app
        await answer(scope, _timed(receive, self.body_s), _sealed(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        if self.hosts is not None and _name(headers.get("host", "")) not in self.hosts:
            detail = "Without a token the sidecar answers to 127.0.0.1 and localhost alone."
            return problem_response(421, detail)
        is_open = path in OPEN or path.startswith(OPEN_FOLDERS)
        if self.token and not is_open and not is_right(self.token, headers.get("authorization")):
            detail = (
                "Send the header 'Authorization: Bearer TOKEN', with the token of --token-file."
            )
            return problem_response(401, detail, {"WWW-Authenticate": 'Bearer realm="bwalloc"'})
        declared = headers.get("content-length", "0")
        most = self.most_bytes if path == TELEMETRY else self.most_command_bytes
        if declared.isdecimal() and int(declared) > most:
            detail = f"The body has {declared} bytes; at most {most} are read."
            return problem_response(413, detail)
        return None


def _name(host: str) -> str:
    """The name in a `Host` header, without port and brackets."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return name.strip("[]").lower()


def _timed(receive: Receive, most_s: float) -> Receive:
    """A body that comes too slowly is given up."""
    ends_at = asyncio.get_running_loop().time() + most_s

    async def receive_in_time() -> Message:
        try:
            async with asyncio.timeout_at(ends_at):
                return await receive()
        except TimeoutError:
            detail = f"The body was not there after {most_s:g} s."
            raise Problem(408, detail, {"Connection": "close"}) from None

    return receive_in_time


def _sealed(send: Send) -> Send:
    """Add the headers that every answer carries."""

    async def send_sealed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SEALED.items():
                headers.setdefault(name, value)
        await send(message)

    return send_sealed
