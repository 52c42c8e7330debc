"""`POST /v1/decide`: telemetry in, decision out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response

from bwalloc.control import Telemetry, from_json, to_json
from bwalloc.errors import TelemetryError
from bwalloc.serve.http.bodies import ONLY_JSON
from bwalloc.serve.http.example import example_telemetry
from bwalloc.serve.http.openapi import DEPLOYMENT_HEADER, decide_operation, example_operation
from bwalloc.serve.http.problems import Problem
from bwalloc.serve.http.turns import Turns

if TYPE_CHECKING:
    from bwalloc.control import Decision
    from bwalloc.serve.supervisor import Supervisor

JSON = "application/json"
NOTHING = b"null"


@dataclass(frozen=True)
class Decisions:
    """The routes that decide."""

    supervisor: Supervisor
    turns: Turns
    is_fed: bool = False

    def router(self) -> APIRouter:
        """Their paths."""
        router = APIRouter(tags=["decisions"])
        router.add_api_route(
            "/v1/decide",
            self.decide,
            methods=["POST"],
            dependencies=[ONLY_JSON],
            **decide_operation(),
        )
        router.add_api_route("/v1/telemetry/example", self.example, **example_operation())
        return router

    async def decide(self, request: Request) -> Response:
        """Decide for the interval that begins where the telemetry ends.

        Telemetry that is well-formed is always answered with a decision; `source` and `reasons` say
        where its rates come from. The same `interval_end` again is given the same decision again.
        `null` says that nothing was measured. A sidecar with a plane of its own measures by itself.
        """
        if self.is_fed:
            detail = "This sidecar measures and decides by itself (--plane); it takes no telemetry."
            raise Problem(409, detail)
        self.turns.check_room()
        body = await request.body()
        decision, deployment = await self.turns.take(lambda: self._decided(body))
        return Response(decision, 200, {DEPLOYMENT_HEADER: str(deployment)}, JSON)

    def example(self) -> Response:
        """Telemetry with the names of this network and made-up loads, as if measured just now."""
        return Response(to_json(example_telemetry(self.supervisor.network)), media_type=JSON)

    def _decided(self, body: bytes) -> tuple[str, int]:
        decision = self.supervisor.decide(_telemetry(body))
        return to_json(decision), self._deployment_of(decision)

    def _deployment_of(self, decision: Decision) -> int:
        status = self.supervisor.status()
        for recent in reversed(status.recent):
            if recent.id == decision.id:
                return recent.deployment
        return status.deployment.deployment


def _telemetry(body: bytes) -> Telemetry | None:
    if body.strip() == NOTHING:
        return None
    try:
        return from_json(Telemetry, body, schema_at="/openapi.json")
    except TelemetryError as error:
        raise Problem(400 if _is_no_json(error) else 422, str(error)) from None


def _is_no_json(error: TelemetryError) -> bool:
    cause = error.__cause__
    return isinstance(cause, ValidationError) and cause.errors()[0]["type"] == "json_invalid"
