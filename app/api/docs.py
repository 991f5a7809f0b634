"""The interactive documentation. The server has all of its files, because plants often have no internet access."""

import re
from base64 import b64encode
from functools import lru_cache
from hashlib import sha256

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from app.api.contract import servers
from app.api.root_path import root_path

_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def document(request: Request) -> Response:
    """The OpenAPI document. Its `servers` depend on the request, because only the request shows the prefix."""
    return Response(
        request.app.state.document(root_path(request.scope)),
        headers={"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"},
        media_type=JSONResponse.media_type,
    )


@router.get("/docs")
async def docs() -> HTMLResponse:
    """Swagger UI. Its links are relative, so that it also works under a proxy's prefix."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Tessera",
        swagger_js_url="docs/assets/swagger-ui-bundle.js",
        swagger_css_url="docs/assets/swagger-ui.css",
        swagger_favicon_url="docs/assets/favicon-32x32.png",
    )
    page.headers["Content-Security-Policy"] = policy(bytes(page.body))
    return page


def policy(page: bytes) -> str:
    """The Content-Security-Policy of a page with scripts of its own, which loads only what this server sends.

    Swagger UI sets styles in attributes, and has pictures as data.
    """
    hashes = (b64encode(sha256(each).digest()).decode() for each in _INLINE_SCRIPT.findall(page))
    scripts = " ".join(f"'sha256-{each}'" for each in hashes)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
        )
    )


def mount_docs(app: FastAPI) -> None:
    """Serves the page, and the files of Swagger UI from the package `fastapi_swagger`."""

    @lru_cache(maxsize=4)  # making it takes 10 ms, in which the event loop answers nobody
    def document_bytes(prefix: str) -> bytes:
        return bytes(JSONResponse(app.openapi() | {"servers": servers(prefix)}).body)

    app.state.document = document_bytes
    app.include_router(router)
    app.mount("/docs/assets", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs_assets")
