"""The picture of a request: a file in a multipart form, or the body itself."""

from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import FormData
from starlette.datastructures import UploadFile as FormFile
from starlette.requests import ClientDisconnect

from app.api.charset import unknown_charset
from app.api.form import read_form, storing
from app.api.parameters import query_parameters, unknown
from app.shown import shown
from app.similar import nearest

FORM = "multipart/form-data"
RAW = "application/octet-stream"
RAW_TYPES = (RAW, "image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff", "image/avif")
"""The types of the contract. The format is detected from the bytes, so that every other image type is accepted, too."""
RAW_ALIASES = frozenset(
    {RAW, "application/x-octet-stream", "application/octetstream", "application/binary", "binary/octet-stream"}
)
FIELD = "image"
PARAMETER_SIMILARITY = 0.75
"""The least similarity of a form field's name with that of a query parameter that it may be."""
IN_MEMORY = 2**20
"""Larger bodies are stored in a temporary file, like the files of forms."""
_BINARY = {"type": "string", "format": "binary"}
_FORMATS = "JPEG, PNG, WebP, BMP, TIFF or AVIF; grey, RGB, RGBA, palette, CMYK or 16-bit grey."


async def _picture(request: Request) -> AsyncIterator[FormFile]:
    content_type = media_type(request)
    try:
        if content_type == FORM:
            async with read_form(request) as form:
                yield _file_of(form, query_parameters(request.scope["endpoint"]))
        elif content_type.startswith("image/") or content_type in RAW_ALIASES:
            file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed below, without its errors
            try:
                body = UploadFile(file)  # type: ignore[arg-type]  # it has the methods of BinaryIO that are called
                with storing():
                    async for chunk in request.stream():
                        await body.write(chunk)
                    await body.seek(0)
                yield body
            finally:
                with suppress(OSError):  # on a full disk, closing the file raises the error of writing it again
                    file.close()
        else:
            raise unsupported(content_type, (FORM, *RAW_TYPES))
    except ClientDisconnect as error:
        raise HTTPException(400, "the body ended before it was complete") from error


PictureDep = Annotated[FormFile, Depends(_picture)]


def media_type(request: Request) -> str:
    """The media type of the body in lower case, without parameters; RAW by default (RFC 9110, section 8.3).

    Raises HTTPException for a charset that is not known.
    """
    given = request.headers.get("content-type", RAW)
    refuse_unknown_charset(given)
    return given.partition(";")[0].strip().lower()


def refuse_unknown_charset(content_type: str) -> None:
    """Raises the 415 for a `Content-Type` with a charset that is not known."""
    if (charset := unknown_charset(content_type)) is not None:
        raise HTTPException(415, f"the charset {shown(charset)} of the Content-Type is not known; send utf-8, or none")


def unsupported(content_type: str, taken: tuple[str, ...]) -> HTTPException:
    """The 415 for a body of this type; `taken` are the accepted types."""
    return HTTPException(
        415,
        f"a body of the Content-Type {shown(content_type)} is not taken; send one of these: {', '.join(taken)}",
        {"Accept": ", ".join(taken)},
    )


def _file_of(form: FormData, in_query: Iterable[str]) -> FormFile:
    """The file in the form's one field; raises RequestValidationError."""
    values = form.getlist(FIELD)
    if not values:
        others = f", but {', '.join(repr(name[:100]) for name in list(form)[:10])}" if form else ""
        message = f"the form has no field {FIELD!r}{others}; put the picture's file there"
        if close := next(filter(None, (_parameter_like(name, FIELD, in_query) for name in list(form)[:10])), None):
            message += f", and the query parameter {close!r} in the URL, as ?{close}=..."
        raise invalid_field(FIELD, message)
    if len(values) > 1:
        raise invalid_field(FIELD, f"the form has {len(values)} of it; send one, or several to predict-batch")
    (value,) = values
    if not isinstance(value, FormFile):
        raise not_a_file(FIELD)
    for name in form:
        if name != FIELD:
            raise unknown_field(name, FIELD, in_query)
    return value


def unknown_field(name: str, field: str, in_query: Iterable[str]) -> RequestValidationError:
    """The error for a form field that is not `field`; `in_query` are the query parameters of the route."""
    close = _parameter_like(name, field, in_query)
    if close is None:
        return invalid_field(name, unknown("form field", name, [field]))
    what = f"{name!r} is a" if name == close else f"there is no form field {name[:100]!r}; {close!r} is a"
    return invalid_field(name, f"{what} query parameter; send it in the URL, as ?{close}=...")


def _parameter_like(name: str, field: str, in_query: Iterable[str]) -> str | None:
    """The query parameter that a form field resembles; None if it resembles `field` more, or nothing."""
    close = nearest(name, [field, *in_query], PARAMETER_SIMILARITY)
    return None if close == field else close


def not_a_file(field: str) -> RequestValidationError:
    """The error for a form field that is text instead of a file."""
    return invalid_field(field, "it is text and not a file; give the part a file name, as `curl -F image=@file` does")


def invalid_field(field: str, message: str) -> RequestValidationError:
    """The error for an invalid form field."""
    return RequestValidationError([{"loc": ("body", field[:100]), "msg": message, "type": "value_error"}])


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
        "description": "The picture: a file in a form, or the body itself. The format is detected from its bytes. The "
        "body may be compressed with gzip or deflate (`Content-Encoding`).",
        "content": {FORM: {"schema": {"$ref": "#/components/schemas/PictureForm"}}}
        | {each: {"schema": _BINARY} for each in RAW_TYPES},
    }
}
"""`openapi_extra` of routes that take a PictureDep."""
