"""Every refusal as `application/problem+json` (RFC 9457), with a text that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from bwalloc.errors import BwallocError, UnknownNameError

MEDIA_TYPE = "application/problem+json"
SCHEMA = {
    "type": "object",
    "description": "Problem details, RFC 9457.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string", "description": "What the status code means."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong, where, and what to do."},
    },
}
NO_SUCH_ROUTE = "There is no such route; /openapi.json lists those there are, /docs shows them."
NO_SUCH_METHOD = "This route takes other methods; see the header Allow."
TOO_LARGE = "The body is larger than what this route reads; nothing of it was used."
INTERNAL = "The sidecar failed; its log says why. Keep the rates you have and send telemetry again."


class Problem(HTTPException):
    """A refusal: status code, and what was wrong."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        """Raise from a route; `headers` go with the answer."""
        super().__init__(status, detail, headers)


def problem_response(
    status: int, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer to a request that was refused."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def answer_problems(app: FastAPI) -> None:
    """Make every failure of `app` a problem."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(BwallocError, _declined)
    app.add_exception_handler(ClientDisconnect, _cut_off)
    app.add_exception_handler(Exception, _failed)


async def _refused(_: Request, error: Any) -> Response:
    known = {404: NO_SUCH_ROUTE, 405: NO_SUCH_METHOD, 413: TOO_LARGE}
    detail = str(error.detail)
    if not isinstance(error, Problem):
        detail = known.get(error.status_code, detail)
    return problem_response(error.status_code, detail, error.headers)


async def _malformed(_: Request, error: Any) -> Response:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        place = first["loc"][-1]
        return problem_response(
            400, f"The body is no JSON, character {place}: {first['ctx']['error']}."
        )
    place = ".".join(str(part) for part in first["loc"])
    return problem_response(422, f"{place}: {first['msg']} (see /docs).")


async def _declined(_: Request, error: Any) -> Response:
    return problem_response(404 if isinstance(error, UnknownNameError) else 422, str(error))


async def _cut_off(_: Request, __: Any) -> Response:
    return problem_response(400, "The connection was closed before the body had ended.")


async def _failed(_: Request, __: Any) -> Response:
    return problem_response(500, INTERNAL)
