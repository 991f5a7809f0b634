"""The responses that routes declare; `contract.py` completes the OpenAPI document."""

from collections import defaultdict
from http import HTTPStatus
from typing import Any

from app.api.answer_headers import described_headers, described_partial_header
from app.api.problem_codes import ProblemCode
from app.api.problem_examples import PROBLEMS, example_of
from app.api.problems import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]  # FastAPI's own type

BINARY = {"type": "string", "format": "binary"}
_PROBLEM = {"$ref": "#/components/schemas/ProblemBody"}
_RETRY_AFTER = {
    "description": "Seconds after which the client should try again.",
    "schema": {"type": "integer", "minimum": 1, "examples": [5]},
}
_CHALLENGE = {
    "description": "The scheme and what was wrong (RFC 6750).",
    "schema": {"type": "string", "examples": ['Bearer realm="tessera"']},
}

ACCESS_PROBLEMS = (ProblemCode.KEY_REQUIRED, ProblemCode.INVALID_KEY, ProblemCode.INSUFFICIENT_SCOPE)
"""The problems of routes that need an API key."""
MODEL_PROBLEMS = (ProblemCode.MODEL_NOT_FOUND, ProblemCode.INVALID_REQUEST, ProblemCode.INTERNAL_ERROR)
"""The problems of routes that take the name of a model."""

PICTURE_PROBLEMS = (
    *MODEL_PROBLEMS,
    ProblemCode.BAD_REQUEST,
    ProblemCode.VERSION_NOT_FOUND,
    ProblemCode.TOO_MANY_BYTES,
    ProblemCode.TOO_MANY_PIXELS,
    ProblemCode.DECODING_LIMIT,
    ProblemCode.TOO_COSTLY,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.UNSUPPORTED_IMAGE,
    ProblemCode.DAMAGED_IMAGE,
    ProblemCode.INVALID_IMAGE,
    ProblemCode.INVALID_REGION,
    ProblemCode.OVERLOADED,
    ProblemCode.RATE_LIMITED,
    ProblemCode.MODEL_LOADING,
    ProblemCode.INSUFFICIENT_MEMORY,
    ProblemCode.NOT_FINITE,
    ProblemCode.DEVICE_FAILED,
    ProblemCode.INSUFFICIENT_STORAGE,
    ProblemCode.ENGINE_STOPPED,
    ProblemCode.DEADLINE_EXCEEDED,
)
"""The problems of routes that take a picture."""


def problem_responses(*codes: ProblemCode) -> Responses:
    """The responses with these codes, grouped by status, with an example of each code."""
    by_status: dict[int, list[ProblemCode]] = defaultdict(list)
    for code in codes:
        by_status[PROBLEMS[code].status].append(code)
    return {status: _problem_response(status, by_status[status]) for status in sorted(by_status)}


def _problem_response(status: int, codes: list[ProblemCode]) -> dict[str, Any]:
    examples = {
        code.value: {
            "summary": PROBLEMS[code].title,
            "value": example_of(code).model_dump(mode="json", exclude_none=True),
        }
        for code in codes
    }
    listed = ", ".join(f"`{code}`" for code in codes)
    response: dict[str, Any] = {
        "description": f"{HTTPStatus(status).phrase}: {listed}.",
        "content": {MEDIA_TYPE: {"schema": _PROBLEM, "examples": examples}},
    }
    headers: dict[str, Any] = {}
    if 401 in {PROBLEMS[code].status for code in codes}:
        headers["WWW-Authenticate"] = _CHALLENGE
    if any(PROBLEMS[code].is_temporary for code in codes):
        headers["Retry-After"] = _RETRY_AFTER
    if headers:
        response["headers"] = headers
    return response


def binary_response(*media_types: str, description: str, partial: bool = False) -> Responses:
    """The 200 response of a route that returns a file of one of these media types; of a part of a picture, if asked."""
    content = {each: {"schema": BINARY} for each in media_types}
    headers = described_headers() | (described_partial_header() if partial else {})
    return {200: {"description": description, "content": content, "headers": headers}}
