"""Exceptions for refused requests, and the protocol's form of errors."""

from fastapi import HTTPException
from starlette.responses import Response

from app.api.v2.schemas.error import InferenceErrorBody


def malformed(detail: str) -> HTTPException:
    """400: the body does not match its headers, or is not JSON."""
    return HTTPException(400, detail)


def invalid(detail: str) -> HTTPException:
    """422: the request can be parsed, but has an invalid or unsupported value."""
    return HTTPException(422, detail)


def too_large(detail: str) -> HTTPException:
    """413: the request exceeds a limit."""
    return HTTPException(413, detail)


def inference_error(status: int, detail: str) -> Response:
    """An error response in the protocol's form."""
    return Response(InferenceErrorBody(error=detail).model_dump_json(), status, media_type="application/json")
