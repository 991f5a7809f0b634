"""Error responses: problem details (RFC 9457), or the form of another protocol under its path prefix."""

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from math import ceil
from secrets import randbelow
from typing import cast
from uuid import uuid4

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.api.problem_codes import ProblemCode
from app.api.request_context import current_request
from app.api.request_id import request_id
from app.api.root_path import own_path
from app.api.schemas.problem import InvalidFieldBody, ProblemBody
from app.request_ids import HEADER
from app.shown import LONGEST, bounded

MOST_FIELDS = 20
"""The most invalid fields that a response lists."""

ErrorForm = Callable[[int, str], Response]
"""Makes an error response from a status and a message."""

NO_FAULT = (
    errors.DeadlineExceeded,
    errors.ModelLoading,
    errors.JobsDatabaseUnavailable,
    errors.PicturesDatabaseUnavailable,
)
"""5xx responses that are not faults: the client's own deadline, a model that is still loading, or a database that is
away, which is logged once.
"""
MEDIA_TYPE = "application/problem+json"
INVALID_TITLE = "The request is invalid."
INTERNAL_TITLE = "Internal server error."
UNEXPECTED = "internal server error; the server's log has the details under this request_id"

_log = logging.getLogger(__name__)


def title_of(kind: type[errors.TesseraError]) -> str:
    """The title of a kind of error: the first line of its docstring."""
    return (kind.__doc__ or kind.__name__).split("\n")[0]


def register_problems(app: FastAPI, forms: Mapping[str, ErrorForm], refused: Callable[[str], None]) -> None:
    """Makes errors of routes problem details. `forms` maps path prefixes to other forms of errors.

    `refused` is called with the setting whose limit refuses a request or a picture.
    """
    app.state.error_forms, app.state.refused = dict(forms), refused
    app.add_exception_handler(errors.TesseraError, on_tessera_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


class UnexpectedErrors:
    """Turns all other exceptions into a problem without internal details, and logs them with their tracebacks.

    It is a middleware instead of an exception handler, so that the middlewares outside of it see a normal response.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_see(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        except Exception:
            if scope["type"] != "http" or started:
                raise
            _log.exception("request %s failed", request_id(scope))
            code = ProblemCode.INTERNAL_ERROR
            await _response(scope, 500, code, INTERNAL_TITLE, UNEXPECTED)(scope, receive, send)


def problem_of(scope: Scope, error: Exception) -> ProblemBody:
    """The problem of one picture of a batch. Unexpected errors are logged, and their messages are not sent."""
    if isinstance(error, errors.TesseraError):
        _observe("a picture of request", scope, error)
        return _body(scope, error.status, error.code, title_of(type(error)), str(error))
    _log.error("a picture of request %s failed", request_id(scope), exc_info=error)
    return _body(scope, 500, ProblemCode.INTERNAL_ERROR, INTERNAL_TITLE, UNEXPECTED)


def refusal(scope: Scope | None, error: errors.TesseraError) -> Response:
    """The response to a request that no route has handled.

    scope: that of the request, or None if its head did not come
    """
    if scope is not None and "app" in scope:
        response = error_response(scope, error)
        response.headers[HEADER] = request_id(scope)
        return response
    body = _body(scope or {"path": ""}, error.status, error.code, title_of(type(error)), str(error))
    body = body.model_copy(update={"request_id": uuid4().hex})
    headers = {HEADER: body.request_id} | _retry_after(error)
    return Response(body.model_dump_json(exclude_none=True), error.status, headers, MEDIA_TYPE)


async def on_tessera_error(request: Request, error: Exception) -> Response:
    """The response for a TesseraError; it is logged if it is a fault."""
    error = cast(errors.TesseraError, error)
    response = error_response(request.scope, error)
    _observe("request", request.scope, error)
    return response


def error_response(scope: Scope, error: errors.TesseraError) -> Response:
    """The response for an error, in the form of the request's protocol."""
    response = _response(scope, error.status, error.code, title_of(type(error)), str(error))
    response.headers.update(_retry_after(error) | _challenge(error))
    return response


def _challenge(error: errors.TesseraError) -> dict[str, str]:
    """The header `WWW-Authenticate` of a refused key (RFC 9110, section 11.6.1; RFC 6750, section 3)."""
    if not isinstance(error, errors.AccessDenied):
        return {}
    return {"WWW-Authenticate": "Bearer " + ", ".join(f'{name}="{value}"' for name, value in error.challenge.items())}


def _retry_after(error: errors.TesseraError) -> dict[str, str]:
    """The header `Retry-After`, if the request may succeed later."""
    if isinstance(error, errors.Overloaded):
        seconds = max(1, ceil(error.retry_after_s))
    elif error.retry_within_s:
        seconds = 1 + randbelow(error.retry_within_s)
    else:
        return {}
    return {"Retry-After": str(seconds)}


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    found = cast(RequestValidationError, error).errors()
    fields = [
        InvalidFieldBody(field=bounded(_field(each["loc"])), message=bounded(str(each["msg"])))
        for each in found[:MOST_FIELDS]
    ]
    detail = "; ".join(f"{field.field}: {field.message}" if field.field else field.message for field in fields)
    return _response(request.scope, 422, ProblemCode.INVALID_REQUEST, INVALID_TITLE, detail, fields)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    error = cast(HTTPException, error)
    if isinstance(error.__cause__, errors.TesseraError):  # raised while FastAPI was reading the body
        return await on_tessera_error(request, error.__cause__)
    status, detail, headers = HTTPStatus(error.status_code), str(error.detail), dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        if methods := _methods(request):
            headers["Allow"] = ", ".join(sorted(methods))
        detail = f"this path does not take {request.method[:20]}; it takes {headers.get('Allow', 'no method')}"
    response = _response(request.scope, status, status.name.lower(), f"{status.phrase}.", detail)
    response.headers.update(headers)
    return response


def _methods(request: Request) -> set[str]:
    """The methods of the path that the contract has; the router names those of the first route only."""
    path, found = request.scope["path"].removeprefix(request.scope.get("root_path", "")), set[str]()
    for template, operations in request.app.openapi()["paths"].items():
        if compile_path(template)[0].match(path):
            found |= {method.upper() for method in operations}
    return found


def _observe(what: str, scope: Scope, error: errors.TesseraError) -> None:
    """Counts refusals. Logs errors with a status of 500 or more: at INFO if they are in `NO_FAULT`, else at ERROR."""
    if isinstance(error, errors.LimitExceeded | errors.Overloaded):
        scope["app"].state.refused(error.limit)
    if error.status >= 500:
        level = logging.INFO if isinstance(error, NO_FAULT) else logging.ERROR
        _log.log(level, "%s %s failed (%s): %s", what, request_id(scope), error.code, bounded(str(error)))


def _type(code: str) -> str:
    return f"urn:tessera:problem:{code}"


def _field(location: Sequence[str | int]) -> str:
    """`query.version` of `("query", "version")`."""
    return ".".join(str(part) for part in location)


def _response(
    scope: Scope, status: int, code: str, title: str, detail: str, invalid: list[InvalidFieldBody] | None = None
) -> Response:
    detail = bounded(detail)
    if (context := current_request()) is not None:
        context.code = code
    forms: Mapping[str, ErrorForm] = scope["app"].state.error_forms
    for prefix, response in forms.items():
        if f"{own_path(scope)}/".startswith(f"{prefix}/"):
            return response(status, detail)
    body = _body(scope, status, code, title, detail, invalid)
    return Response(body.model_dump_json(exclude_none=True), status, media_type=MEDIA_TYPE)


def _body(
    scope: Scope, status: int, code: str, title: str, detail: str, invalid: list[InvalidFieldBody] | None = None
) -> ProblemBody:
    return ProblemBody(
        type=_type(code),
        title=title,
        status=status,
        detail=bounded(detail),
        code=ProblemCode(code),  # an undeclared code raises ValueError, which becomes an internal error
        instance=scope["path"][:LONGEST],
        request_id=request_id(scope),
        errors=invalid,
    )
