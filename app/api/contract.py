"""The document that `/openapi.json` answers with, and from which clients are generated."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.api.batch_body import PICTURES_FORM
from app.api.named_enums import with_named_enums
from app.api.picture_body import PICTURE_FORM
from app.api.schema_examples import with_examples
from app.api.schemas.problem import InvalidFieldBody, ProblemBody
from app.api.v2.describe import TAG as INFERENCE_TAG
from app.api.v2.schemas.inference import InferRequestBody

DESCRIPTION = """\
Small defects in large pictures, found by the tile.

Post a picture to a model; the answer is a score, a label and the regions of the defects, a heatmap, or the anomaly of
each pixel. Scores are in [0, 1] and higher when more anomalous; over 0.5 a picture is anomalous.

Errors are problem details (RFC 9457) whose `code` names the reason for programs; those under `/v2` have that
protocol's own form. Every response has an `X-Request-ID`,
under which the request is found in the server's log; a client may send its own.
"""
CONTACT = {"name": "The Tessera project"}
LICENCE = {"name": "Apache 2.0", "identifier": "Apache-2.0"}
TAGS = [
    {"name": "models", "description": "What is served: models, their versions, and why a version is refused."},
    {"name": "predictions", "description": "What a model says of a picture: as JSON, as a picture, or pixel by pixel."},
    {
        "name": INFERENCE_TAG,
        "description": "Version 2 of the protocol that gateways and dashboards speak, with binary tensor data. Its "
        'errors have its own form, `{"error": "..."}`.',
    },
    {
        "name": "probes",
        "description": "For those who watch the server: whether it lives, is ready, and what it measured.",
    },
]
_REQUEST_ID = {
    "description": "By which the request is found in the server's log.",
    "schema": {"type": "string", "examples": ["7d0f6c4b9f0e4a7f8a3c5e2b1d9f6a80"]},
}
_REFERENCE = "#/components/schemas/{model}"
_COMPONENTS: tuple[type[BaseModel], ...] = (ProblemBody, InvalidFieldBody, InferRequestBody)


def servers(root_path: str) -> list[dict[str, Any]]:
    """Where the routes are, relative to the document's host: under a proxy's prefix, if there is one."""
    return [{"url": root_path or "/", "description": "The server that answered with this document."}]


def describe(app: FastAPI) -> None:
    """Completes what FastAPI says of the routes."""
    generate = app.openapi
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not described:
            described.update(complete(generate()))
        return described

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def complete(schema: dict[str, Any]) -> dict[str, Any]:
    """The document with problems in place of FastAPI's own errors, named enumerations, examples and headers."""
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for body in _COMPONENTS:
        described = body.model_json_schema(ref_template=_REFERENCE)
        components.update(described.pop("$defs", {}))
        components[body.__name__] = described
    components.update(PICTURE_FORM | PICTURES_FORM)
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    schema["components"]["headers"] = {"X-Request-ID": _REQUEST_ID}
    for path in schema["paths"].values():
        for operation in path.values():
            _complete_operation(operation)
    return with_examples(with_named_enums(schema))


def _complete_operation(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        _without_null(parameter)
    if "HTTPValidationError" in str(operation["responses"].get("422")):  # FastAPI expects it of every parameter
        del operation["responses"]["422"]
    for response in operation["responses"].values():
        response.setdefault("headers", {})["X-Request-ID"] = {"$ref": "#/components/headers/X-Request-ID"}


def _without_null(parameter: dict[str, Any]) -> None:
    """A parameter is left out, and never null: a URL and a header have no way to say that."""
    kinds = parameter["schema"].get("anyOf", [])
    (kind, *others) = [each for each in kinds if each != {"type": "null"}] or [None]
    if kind is not None and not others:
        rest = {key: value for key, value in parameter["schema"].items() if key != "anyOf"}
        parameter["schema"] = kind | rest
