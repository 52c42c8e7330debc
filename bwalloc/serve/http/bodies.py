"""What bodies must be, said before they are read."""

from __future__ import annotations

from fastapi import Depends, Request

from bwalloc.serve.http.problems import Problem


async def _only_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        detail = f"The body is '{media_type}': send JSON, with 'Content-Type: application/json'."
        raise Problem(415, detail)
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise Problem(415, f"Bodies are not decompressed ('{encoding}'): send it plain.")


ONLY_JSON = Depends(_only_json)
"""Also keeps out forms of web pages, which can send no JSON without being allowed to."""
