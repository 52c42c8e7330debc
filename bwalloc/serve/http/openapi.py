"""The OpenAPI document: records as `control.json_schema` has them, refusals as problems."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from bwalloc.control import Decision, Telemetry, json_schema
from bwalloc.serve.http import problems

DEPLOYMENT_HEADER = "Bwalloc-Deployment"
COMPONENTS = "#/components/schemas/"
WHY = {
    400: "The body is no JSON, or ended early.",
    401: "The token is missing or wrong.",
    404: "What was named is not there.",
    408: "The body came too slowly.",
    409: "Not here or not now: nothing to go back to, no folder, or a plane of its own.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    421: "`Host` is no name of this machine, which is asked for where no token is.",
    422: "The body is JSON, but not what is asked for.",
    503: "Too many decisions wait already.",
}
ALWAYS = (401, 421)
BODY = (400, 408, 413, 415, 422)
INTRODUCTION = (
    "Telemetry in, decision out; and what operators need. Well-formed telemetry is always answered "
    "with a decision, whose `source` and `reasons` say where its rates come from."
)


def refusals(*codes: int) -> dict[str, Any]:
    """Arguments of a route that may be refused with these codes."""
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": f"{COMPONENTS}Problem"}}}
    chosen = sorted({*codes, *ALWAYS})
    return {"responses": {code: {"description": WHY[code], "content": content} for code in chosen}}


def decide_operation() -> dict[str, Any]:
    """Arguments of the route that decides."""
    made = refusals(*BODY, 409, 503)
    made["responses"][200] = {
        "description": "A decision that can be put into force.",
        "headers": {
            DEPLOYMENT_HEADER: {
                "description": "Which deployment decided; counts up with every swap and rollback.",
                "schema": {"type": "integer"},
            }
        },
        "content": _json("Decision"),
    }
    made["responses"][503]["headers"] = {
        "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
    }
    nothing = {"type": "null", "description": "Nothing was measured."}
    either = {"anyOf": [{"$ref": f"{COMPONENTS}Telemetry"}, nothing]}
    body = {"required": True, "content": {"application/json": {"schema": either}}}
    return {**made, "openapi_extra": {"requestBody": body}, "operation_id": "decide"}


def example_operation() -> dict[str, Any]:
    """Arguments of the route that shows telemetry."""
    made = refusals()
    made["responses"][200] = {"description": "Telemetry.", "content": _json("Telemetry")}
    return {**made, "operation_id": "example"}


def health_operation(path: str) -> dict[str, Any]:
    """Arguments of a probe; `path` makes its id."""
    word = path.rpartition("/")[2]
    answer = {"type": "object", "properties": {word: {"type": "boolean"}}, "required": [word]}
    yes = {"application/json": {"schema": answer}}
    made: dict[str, Any] = {"responses": {200: {"description": "Yes.", "content": yes}}}
    if word == "ready":
        made["responses"][503] = {"description": "Not now.", "content": yes}
    is_open = {"security": list[Any]()}
    return {**made, "operation_id": path.strip("/").replace("/", "_"), "openapi_extra": is_open}


def metrics_operation() -> dict[str, Any]:
    """Arguments of the route that Prometheus scrapes."""
    made = refusals()
    text = {"text/plain": {"schema": {"type": "string"}}}
    made["responses"][200] = {"description": "Prometheus text format.", "content": text}
    return {**made, "operation_id": "metrics"}


def document_with(app: FastAPI, *, needs_token: bool) -> dict[str, Any]:
    """The OpenAPI document of `app`."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=INTRODUCTION,
        routes=app.routes,
    )
    schemas = document["components"]["schemas"]
    for made_up in ("HTTPValidationError", "ValidationError"):
        schemas.pop(made_up, None)
    schemas["Problem"] = problems.SCHEMA
    for kind in (Telemetry, Decision):
        schemas.update(components_of(kind))
    if needs_token:
        scheme = {"type": "http", "scheme": "bearer"}
        document["components"]["securitySchemes"] = {"token": scheme}
        document["security"] = [{"token": []}]
    return document


def components_of(kind: type[Telemetry] | type[Decision]) -> dict[str, Any]:
    """A record and what it refers to, by name, referring to each other as components."""
    text = json.dumps(json_schema(kind)).replace('"#/$defs/', f'"{COMPONENTS}')
    schema = json.loads(text)
    return {**schema.pop("$defs", {}), kind.__name__: schema}


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"{COMPONENTS}{name}"}}}
