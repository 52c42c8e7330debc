"""What probes, Prometheus and pages ask: health, metrics, status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from pydantic import TypeAdapter
from starlette.responses import JSONResponse, Response

from bwalloc.serve.books.status import Status
from bwalloc.serve.http.metrics import Metrics
from bwalloc.serve.http.openapi import health_operation, metrics_operation, refusals

if TYPE_CHECKING:
    from bwalloc.serve.http.server import Drain

STATUS = TypeAdapter(Status)


@dataclass(frozen=True)
class Watching:
    """The routes that change nothing."""

    read: Callable[[], Status]
    metrics: Metrics
    drain: Drain

    def router(self) -> APIRouter:
        """Their paths; health in our spelling and in that of the Open Inference Protocol."""
        router = APIRouter()
        for path, call in (
            ("/health/live", self.live),
            ("/health/ready", self.ready),
            ("/v2/health/live", self.live),
            ("/v2/health/ready", self.can_decide),
        ):
            router.add_api_route(path, call, tags=["health"], **health_operation(path))
        router.add_api_route("/metrics", self.scrape, tags=["status"], **metrics_operation())
        router.add_api_route(
            "/v1/status",
            self.status,
            tags=["status"],
            operation_id="status",
            response_model=Status,
            **refusals(),
        )
        return router

    async def live(self) -> Response:
        """The process answers."""
        return JSONResponse({"live": True})

    def ready(self) -> Response:
        """A policy is loaded, telemetry fresh or not due yet, the plane in reach, no end near."""
        return _ready(is_it=self.read().is_ready and not self.drain.is_on)

    def can_decide(self) -> Response:
        """A policy is loaded and no end is near, whatever the age of the telemetry."""
        return _ready(is_it=not self.read().is_closed and not self.drain.is_on)

    def status(self) -> Response:
        """Everything the sidecar says about itself; no tenant's row is in it."""
        found = STATUS.dump_json(self.read())
        return Response(found, media_type="application/json")

    def scrape(self, request: Request) -> Response:
        """Metrics for Prometheus, in the text format it asks for."""
        body, media_type = self.metrics.expose(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": media_type})


def _ready(*, is_it: bool) -> Response:
    return JSONResponse({"ready": is_it}, 200 if is_it else 503)
