"""The page of operators and the page of the API: our own files, nothing from elsewhere."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from bwalloc.provenance import versions

FOLDER = Path(__file__).parent / "page"
OWN = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
FRAMED = "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
POLICY = f"{OWN}; require-trusted-types-for 'script'{FRAMED}"
"""Of the page of operators."""
API_POLICY = OWN.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(
    "img-src 'self'", "img-src 'self' data:"
)
"""Of the page of the API: Swagger UI draws its icons and some styles by itself."""
REFRESH_S = 2


def add_pages(app: FastAPI) -> None:
    """Give `app` its pages and their files."""
    router = APIRouter(include_in_schema=False)
    operator = _rendered("operator.html.j2")
    api = _rendered("api.html.j2")

    async def operator_page() -> HTMLResponse:
        return HTMLResponse(operator, headers={"content-security-policy": POLICY})

    async def api_page() -> HTMLResponse:
        return HTMLResponse(api, headers={"content-security-policy": API_POLICY + FRAMED})

    for path, page in (("/", operator_page), ("/docs", api_page)):
        router.add_api_route(path, page, methods=["GET", "HEAD"])
    app.include_router(router)
    swagger = Path(str(files("fastapi_offline"))) / "static"
    app.mount("/assets/api", StaticFiles(directory=swagger))
    app.mount("/assets", StaticFiles(directory=FOLDER / "assets"))


def _rendered(name: str) -> str:
    templates = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined
    )
    return templates.get_template(name).render(
        version=versions("bwalloc").get("bwalloc", ""), refresh_s=REFRESH_S
    )
