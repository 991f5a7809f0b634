"""The routes of the page. Its links are relative to the prefix of a proxy if one is set, else to the page."""

from pathlib import Path

from fastapi import APIRouter, FastAPI, Header, HTTPException
from starlette.responses import FileResponse, JSONResponse, Response

from app.rendering.colormap import ColorMap, color_table
from app.web.assets import read_assets
from app.web.examples import MEDIA_TYPES, list_examples

FOLDER = "page/files"
POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)
"""The page loads, runs and requests only what this server sends."""
PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
}
FOR_EVER = "public, max-age=31536000, immutable"
"""Caching of the page's files: a file with other content has another path."""


def mount_page(app: FastAPI, examples_dir: Path, root_path: str = "") -> None:
    """Serves the page at `/`, and the example pictures in `examples_dir`."""
    app.include_router(_page_router(root_path))
    app.include_router(_examples_router(examples_dir))


def _page_router(root_path: str) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    assets = read_assets(FOLDER, root_path)
    etag = f'W/"{assets.digest}"'  # weak, because the response may be compressed on its way

    @router.get("/")
    async def page(if_none_match: str | None = Header(None)) -> Response:
        headers = {**PAGE_HEADERS, "ETag": etag}
        if if_none_match == etag:
            return Response(status_code=304, headers=headers)
        return Response(assets.page.content, media_type=assets.page.media_type, headers=headers)

    @router.get(f"/{FOLDER}/{{digest}}/{{path:path}}")
    async def asset(digest: str, path: str) -> Response:
        found = assets.others.get(path)
        if found is None or digest != assets.digest:
            raise HTTPException(404, "the page has no such file; it may be one of another version: load the page anew")
        headers = {"Cache-Control": FOR_EVER}
        return Response(found.content, media_type=found.media_type, headers=headers)

    @router.get("/page/colours")
    async def colours() -> JSONResponse:
        """The server's colour tables by name, [256][red, green, blue], so that the page draws in the same colours."""
        return JSONResponse({each.value: color_table(each).T.tolist() for each in ColorMap})

    return router


def _examples_router(directory: Path) -> APIRouter:
    router = APIRouter(prefix="/page/examples", include_in_schema=False)

    @router.get("")
    def examples() -> JSONResponse:
        return JSONResponse({"examples": [path.name for path in list_examples(directory)]})

    @router.get("/{name}")
    def example(name: str) -> FileResponse:
        for path in list_examples(directory):
            if path.name == name:
                return FileResponse(path, media_type=MEDIA_TYPES[path.suffix.lower()])
        raise HTTPException(404, "there is no such example; /page/examples lists them")

    return router
