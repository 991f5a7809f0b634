"""The picture of a request: a file in a multipart form, or the body itself."""

from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import UploadFile as FormFile
from starlette.requests import ClientDisconnect

FORM = "multipart/form-data"
RAW = "application/octet-stream"
RAW_TYPES = (RAW, "image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff")
FIELD = "image"
IN_MEMORY = 2**20
"""Larger bodies are stored in a temporary file, like the files of forms."""
_BINARY = {"type": "string", "format": "binary"}
_FORMATS = "JPEG, PNG, WebP, BMP or TIFF; grey, RGB, RGBA, palette, CMYK or 16-bit grey."


async def _picture(request: Request) -> AsyncIterator[FormFile]:
    content_type = media_type(request)
    try:
        if content_type == FORM:
            async with request.form() as form:
                yield file_of(form.getlist(FIELD))
        elif content_type in RAW_TYPES:
            with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
                body = UploadFile(file)  # type: ignore[arg-type]  # it has the methods of BinaryIO that are called
                async for chunk in request.stream():
                    await body.write(chunk)
                await body.seek(0)
                yield body
        else:
            raise unsupported(content_type, (FORM, *RAW_TYPES))
    except ClientDisconnect as error:
        raise HTTPException(400, "the body ended before it was complete") from error


PictureDep = Annotated[FormFile, Depends(_picture)]


def media_type(request: Request) -> str:
    """The media type of the body in lower case, without parameters; RAW by default (RFC 9110, section 8.3)."""
    return request.headers.get("content-type", RAW).partition(";")[0].strip().lower()


def unsupported(content_type: str, taken: tuple[str, ...]) -> HTTPException:
    """The 415 for a body of this type; `taken` are the accepted types."""
    return HTTPException(
        415,
        f"a body of the Content-Type {content_type!r} is not taken; send one of these: {', '.join(taken)}",
        {"Accept": ", ".join(taken)},
    )


def file_of(values: list[FormFile | str]) -> FormFile:
    """The one file among the values of the form's field; raises RequestValidationError."""
    if len(values) == 1 and isinstance(values[0], FormFile):
        return values[0]
    if not values:
        raise invalid_field(FIELD, f"the form has no field {FIELD!r}; put the picture's file there")
    if len(values) > 1:
        raise invalid_field(FIELD, f"the form has {len(values)} of it; send one, or several to predict-batch")
    raise not_a_file(FIELD)


def not_a_file(field: str) -> RequestValidationError:
    """The error for a form field that is text instead of a file."""
    return invalid_field(field, "it is text and not a file; give the part a file name, as `curl -F image=@file` does")


def invalid_field(field: str, message: str) -> RequestValidationError:
    """The error for an invalid form field."""
    return RequestValidationError([{"loc": ("body", field), "msg": message, "type": "value_error"}])


def form_schema(name: str, description: str, field: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI schema of a form with one field for files. Generated clients have a class of its name."""
    properties = {field: {"description": description, **schema}}
    return {
        name: {
            "type": "object",
            "title": name,
            "description": description,
            "properties": properties,
            "required": [field],
        }
    }


# The form comes first, because generators that support only one type use the first one.
PICTURE_FORM = form_schema("PictureForm", _FORMATS, FIELD, _BINARY)
PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The picture: a file in a form, or the body itself. The format is detected from its bytes.",
        "content": {FORM: {"schema": {"$ref": "#/components/schemas/PictureForm"}}}
        | {each: {"schema": _BINARY} for each in RAW_TYPES},
    }
}
"""`openapi_extra` of routes that take a PictureDep."""
