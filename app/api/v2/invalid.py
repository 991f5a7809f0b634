"""Requests that are refused, and the protocol's form of errors."""

from fastapi import HTTPException
from starlette.responses import Response

from app.api.v2.schemas.error import InferenceErrorBody


def malformed(detail: str) -> HTTPException:
    """The bytes are not what their headers say, or no JSON."""
    return HTTPException(400, detail)


def invalid(detail: str) -> HTTPException:
    """The request is understood, and asks for what cannot be."""
    return HTTPException(422, detail)


def too_large(detail: str) -> HTTPException:
    """A limit is exceeded."""
    return HTTPException(413, detail)


def inference_error(status: int, detail: str) -> Response:
    """The answer to an error, in the protocol's form."""
    return Response(InferenceErrorBody(error=detail).model_dump_json(), status, media_type="application/json")
