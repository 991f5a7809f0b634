"""A problem of each code, as the document shows it: add a sentence here with each new code."""

from collections.abc import Iterator

from app import errors
from app.api.problem_codes import ProblemCode
from app.api.problems import INTERNAL_TITLE, INVALID_TITLE, status_of, title_of
from app.api.schemas.problem import InvalidFieldBody, ProblemBody

_DETAILS: dict[ProblemCode, str] = {
    ProblemCode.UNSUPPORTED_IMAGE: "The bytes are a PDF; send one of JPEG, PNG, WEBP, BMP, TIFF",
    ProblemCode.DAMAGED_IMAGE: "The PNG is truncated: it ends after 1,024 bytes, before its IEND; send the whole file",
    ProblemCode.INVALID_IMAGE: "the picture is empty; send the bytes of one",
    ProblemCode.INVALID_REGION: "the region of interest x=900, y=0, width=200, height=80 reaches out of the picture",
    ProblemCode.INVALID_REQUEST: "query.version: Input should be greater than or equal to 1",
    ProblemCode.TOO_MANY_BYTES: "the upload has more than 285,212,672 bytes; send a smaller file",
    ProblemCode.TOO_MANY_PIXELS: "The picture has 10000 x 8000 pixels, the limit is 67,108,864; send a smaller one",
    ProblemCode.TOO_MANY_PICTURES: "the form has more than 100 files; send at most 100 with a request",
    ProblemCode.MODEL_NOT_FOUND: "there is no model 'screw'; there is: demo",
    ProblemCode.VERSION_NOT_FOUND: "model 'demo' has no version 7; there is: 1",
    ProblemCode.MODEL_LOADING: "version 1 of model 'demo' is still being loaded; try again in a few seconds",
    ProblemCode.OVERLOADED: "4,096 tiles are waiting already; try again in 12 seconds",
    ProblemCode.INSUFFICIENT_MEMORY: "The picture needs more memory than there is; send a smaller one",
    ProblemCode.DEADLINE_EXCEEDED: "the picture was not answered within 2.5 s, and is given up; allow more time",
    ProblemCode.ENGINE_STOPPED: "the server is shutting down; try again in a few seconds",
    ProblemCode.UNREADABLE_REPOSITORY: "models cannot be read: Permission denied; what is loaded is served on",
    ProblemCode.BAD_REQUEST: "Missing boundary in multipart.",
    ProblemCode.NOT_FOUND: "Not Found",
    ProblemCode.METHOD_NOT_ALLOWED: "Method Not Allowed",
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: "a body of the Content-Type 'text/plain' is not taken; send image/png",
    ProblemCode.INTERNAL_ERROR: "something went wrong here; the server's log tells more under this request_id",
}
_OF_HTTP: dict[ProblemCode, tuple[int, str]] = {
    ProblemCode.BAD_REQUEST: (400, "Bad Request."),
    ProblemCode.NOT_FOUND: (404, "Not Found."),
    ProblemCode.METHOD_NOT_ALLOWED: (405, "Method Not Allowed."),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: (415, "Unsupported Media Type."),
    ProblemCode.INVALID_REQUEST: (422, INVALID_TITLE),
    ProblemCode.INTERNAL_ERROR: (500, INTERNAL_TITLE),
}


def every_error(base: type[errors.TesseraError] = errors.TesseraError) -> Iterator[type[errors.TesseraError]]:
    """All errors that are raised on purpose."""
    for kind in base.__subclasses__():
        yield kind
        yield from every_error(kind)


def kind_of(code: ProblemCode) -> tuple[int, str]:
    """The status and the title that answers with this code have."""
    if code in _OF_HTTP:
        return _OF_HTTP[code]
    (kind,) = (each for each in every_error() if each.code == code)
    return status_of(kind), title_of(kind)


def example_of(code: ProblemCode) -> ProblemBody:
    """An answer with this code."""
    status, title = kind_of(code)
    detail = _DETAILS[code]
    field, _, message = detail.partition(": ")
    return ProblemBody(
        type=f"urn:tessera:problem:{code}",
        title=title,
        status=status,
        detail=detail,
        code=code,
        instance="/v1/models/default/predict",
        request_id="7d0f6c4b9f0e4a7f8a3c5e2b1d9f6a80",
        errors=[InvalidFieldBody(field=field, message=message)] if code is ProblemCode.INVALID_REQUEST else None,
    )
