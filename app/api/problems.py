"""Errors as problem details (RFC 9457), or in the form of another protocol below its paths."""

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.api.problem_codes import ProblemCode
from app.api.request_id import request_id
from app.api.root_path import own_path
from app.api.schemas.problem import InvalidFieldBody, ProblemBody

ErrorForm = Callable[[int, str], Response]
"""Makes the answer to an error of its status and its message."""

NO_FAULT = errors.DeadlineExceeded, errors.ModelLoading
"""5xx responses that are not faults: the client's own deadline, or a model that is still loading."""
MEDIA_TYPE = "application/problem+json"
INVALID_TITLE = "The request does not have the form that this route takes."
INTERNAL_TITLE = "Internal server error."
_LOADING_RETRY_AFTER_S = 5
UNEXPECTED = "something went wrong here; the server's log tells more under this request_id"

_log = logging.getLogger(__name__)


def title_of(kind: type[errors.TesseraError]) -> str:
    """The sentence that names an error's class."""
    return (kind.__doc__ or kind.__name__).split("\n")[0]


def register_problems(app: FastAPI, forms: Mapping[str, ErrorForm]) -> None:
    """Answers every error of a route as a problem detail, or in the form of its path where `forms` has one."""
    app.state.error_forms = dict(forms)
    app.add_exception_handler(errors.TesseraError, _on_tessera_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


class UnexpectedErrors:
    """Answers whatever else is raised with a problem that tells nothing of the inside, and logs it with its traceback.

    A middleware and not a handler, so that those outside of it see a response like any other.
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
    """The problem of one of several pictures. Unexpected errors are logged, and their message is not sent."""
    if isinstance(error, errors.TesseraError):
        _log_failure("a picture of request", scope, error)
        return _body(scope, error.status, error.code, title_of(type(error)), str(error))
    _log.error("a picture of request %s failed", request_id(scope), exc_info=error)
    return _body(scope, 500, ProblemCode.INTERNAL_ERROR, INTERNAL_TITLE, UNEXPECTED)


async def _on_tessera_error(request: Request, error: Exception) -> Response:
    error = cast(errors.TesseraError, error)
    status = error.status
    response = _response(request.scope, status, error.code, title_of(type(error)), str(error))
    if isinstance(error, errors.Overloaded):
        response.headers["Retry-After"] = str(max(1, ceil(error.retry_after_s)))
    elif isinstance(error, errors.ModelLoading):
        response.headers["Retry-After"] = str(_LOADING_RETRY_AFTER_S)
    _log_failure("request", request.scope, error)
    return response


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    found = cast(RequestValidationError, error).errors()
    fields = [InvalidFieldBody(field=_field(each["loc"]), message=str(each["msg"])) for each in found]
    detail = "; ".join(f"{field.field}: {field.message}" if field.field else field.message for field in fields)
    return _response(request.scope, 422, ProblemCode.INVALID_REQUEST, INVALID_TITLE, detail, fields)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    error = cast(HTTPException, error)
    if isinstance(error.__cause__, errors.TesseraError):  # raised while FastAPI was reading the body
        return await _on_tessera_error(request, error.__cause__)
    status = HTTPStatus(error.status_code)
    response = _response(request.scope, status, status.name.lower(), f"{status.phrase}.", str(error.detail))
    response.headers.update(error.headers or {})
    return response


def _log_failure(what: str, scope: Scope, error: errors.TesseraError) -> None:
    """Logs errors of the server; errors of the client are only answered."""
    if error.status >= 500:
        level = logging.INFO if isinstance(error, NO_FAULT) else logging.ERROR
        _log.log(level, "%s %s failed (%s): %s", what, request_id(scope), error.code, error)


def _field(location: Sequence[str | int]) -> str:
    """`query.version` of `("query", "version")`."""
    return ".".join(str(part) for part in location)


def _response(
    scope: Scope, status: int, code: str, title: str, detail: str, invalid: list[InvalidFieldBody] | None = None
) -> Response:
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
        type=f"urn:tessera:problem:{code}",
        title=title,
        status=status,
        detail=detail,
        code=ProblemCode(code),  # one that nobody declared is a fault, and answered as an internal error
        instance=scope["path"],
        request_id=request_id(scope),
        errors=invalid,
    )
