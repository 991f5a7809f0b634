"""The pictures of a batch request: the files of a multipart form."""

from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from app.api.dependencies import ServicesDep
from app.api.parameters import query_parameters
from app.api.picture_body import FORM, form_schema, invalid_field, not_a_file, unknown_field
from app.api.pictures_form import Item, read_pictures_form

FIELD = "images"


async def _pictures(request: Request, services: ServicesDep) -> AsyncIterator[list[UploadFile]]:
    async with read_pictures_form(request, services.batch_pictures) as items:
        yield _files(items, query_parameters(request.scope["endpoint"]))


PicturesDep = Annotated[list[UploadFile], Depends(_pictures)]


def _files(items: list[Item], in_query: Iterable[str]) -> list[UploadFile]:
    files = []
    for name, value in items:
        if name != FIELD:
            raise unknown_field(name, FIELD, in_query)
        if not isinstance(value, UploadFile):
            raise not_a_file(FIELD)
        files.append(value)
    if not files:
        raise invalid_field(FIELD, f"the form has no file; put one or more into the field {FIELD!r}")
    return files


PICTURES_FORM = form_schema(
    "PicturesForm",
    "The pictures, one file each; at least one.",
    FIELD,
    # Without `minItems`: openapi-generator's check of it in Go does not compile.
    {"type": "array", "items": {"type": "string", "format": "binary"}},
)
BATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The pictures. The server's settings limit their number (`batch_pictures`, 100 by default) and "
        "their total size in bytes (`max_image_bytes`). The body may be compressed with gzip or deflate "
        "(`Content-Encoding`).",
        "content": {FORM: {"schema": {"$ref": "#/components/schemas/PicturesForm"}}},
    }
}
"""`openapi_extra` of routes that take a PicturesDep."""
