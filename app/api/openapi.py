"""What `/openapi.json` says of answers that FastAPI cannot describe by itself."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.api.answer_headers import described_headers
from app.api.schemas.problem import InvalidFieldBody, ProblemBody

Responses = dict[int | str, dict[str, Any]]  # FastAPI's own type

_COMPONENTS: dict[str, type[BaseModel]] = {"ProblemBody": ProblemBody, "InvalidFieldBody": InvalidFieldBody}
_REFERENCE = "#/components/schemas/{model}"


def problem_responses(*statuses: int) -> Responses:
    """Problem details for these statuses."""
    content = {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(model="ProblemBody")}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def binary_response(*media_types: str) -> Responses:
    """A file of one of these types."""
    schema = {"type": "string", "format": "binary"}
    content = {media_type: {"schema": schema} for media_type in media_types}
    return {200: {"description": "The file", "content": content, "headers": described_headers()}}


PICTURE_PROBLEMS = problem_responses(400, 404, 413, 415, 422, 429, 500, 503, 504)


def describe_problems(app: FastAPI) -> None:
    """Adds the schema that `problem_responses` refers to, in place of FastAPI's own errors."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        components = schema.setdefault("components", {}).setdefault("schemas", {})
        for name, body in _COMPONENTS.items():
            described = body.model_json_schema(ref_template=_REFERENCE)
            described.pop("$defs", None)
            components[name] = described
        for name in ("HTTPValidationError", "ValidationError"):
            components.pop(name, None)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
