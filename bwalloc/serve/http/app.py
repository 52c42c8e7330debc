"""The sidecar as an ASGI application over a supervisor."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from bwalloc.provenance import versions
from bwalloc.serve.http.decisions import Decisions
from bwalloc.serve.http.gate import Gate
from bwalloc.serve.http.metrics import Metrics
from bwalloc.serve.http.openapi import document_with
from bwalloc.serve.http.operations import Operations
from bwalloc.serve.http.pages import add_pages
from bwalloc.serve.http.problems import answer_problems
from bwalloc.serve.http.server import Drain
from bwalloc.serve.http.settings import Settings
from bwalloc.serve.http.turns import Turns
from bwalloc.serve.http.watching import Watching

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from bwalloc.serve.books.status import Status
    from bwalloc.serve.planes import PlaneLoop
    from bwalloc.serve.supervisor import Supervisor


def create_app(
    supervisor: Supervisor,
    settings: Settings | None = None,
    drain: Drain | None = None,
    plane: PlaneLoop | None = None,
) -> ASGIApp:
    """Everything that the sidecar answers; it keeps nothing outside of what is returned.

    Args:
        supervisor: decides; closing it stays with the caller.
        settings: who may ask, and how much.
        drain: says when the end is near; never, by default.
        plane: reads, decides and applies by itself; telemetry is then taken from nobody else.
    """
    settings, drain = settings or Settings(), drain or Drain()
    turns = Turns(settings.max_waiting)

    def status() -> Status:
        found = supervisor.status()
        if plane is None:
            return found
        said = plane.status()
        return replace(found, plane=said, is_ready=found.is_ready and said.is_reachable)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncGenerator[None]:
        yield
        turns.close()

    app = FastAPI(
        title="bwalloc",
        summary="Decide how much bandwidth each demand gets, before it is known.",
        version=versions("bwalloc").get("bwalloc", ""),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        max_body_size=settings.max_body_bytes,
        lifespan=life,
    )
    answer_problems(app)
    for routes in (
        Decisions(supervisor, turns, is_fed=plane is not None),
        Operations(supervisor, settings),
        Watching(status, Metrics(status), drain),
    ):
        app.include_router(routes.router())
    add_pages(app)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document_with(app, needs_token=settings.token is not None)
        return app.openapi_schema

    app.openapi = openapi
    return Gate(app, settings)
