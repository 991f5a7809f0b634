"""The OpenAPI document that `/openapi.json` returns. Clients are generated from it."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.api.batch_body import PICTURES_FORM
from app.api.picture_body import PICTURE_FORM
from app.api.schema_examples import with_examples
from app.api.schemas.problem import InvalidFieldBody, ProblemBody
from app.api.v2.describe import TAG as INFERENCE_TAG
from app.api.v2.schemas.inference import InferRequestBody

DESCRIPTION = """\
Finds small defects in large pictures by dividing the pictures into tiles.

Post a picture to a model. The response is a score, a label and the defect regions; or a heatmap; or an anomaly map with
one value for each pixel. Scores are in [0, 1] and higher when more anomalous. By default, a picture is anomalous if its
score exceeds 0.5.

Errors are problem details (RFC 9457). Their `code` identifies the kind of problem for programs. Errors under `/v2` have
the form of the Open Inference Protocol. Every response has an `X-Request-ID` header, which identifies the request in
the server's log. A client may send its own `X-Request-ID`. Every GET operation also answers HEAD.

Query parameters and form fields that an operation does not have are refused. A parameter that is not a list may be
given once.
"""
CONTACT = {"name": "The Tessera project"}
LICENCE = {"name": "Apache 2.0", "identifier": "Apache-2.0"}
TAGS = [
    {"name": "models", "description": "The served models, their versions, and the reasons why versions are refused."},
    {"name": "predictions", "description": "Predictions for pictures: as JSON, as a heatmap, or as an anomaly map."},
    {
        "name": INFERENCE_TAG,
        "description": "The Open Inference Protocol, version 2, with binary tensor data, for gateways and dashboards. "
        'Its errors have the form `{"error": "..."}`.',
    },
    {
        "name": "probes",
        "description": "Monitoring of the server: liveness, readiness and metrics.",
    },
]
_REQUEST_ID = {
    "description": "ID of the request in the server's log.",
    "schema": {"type": "string", "examples": ["7d0f6c4b9f0e4a7f8a3c5e2b1d9f6a80"]},
}
_REFERENCE = "#/components/schemas/{model}"
_COMPONENTS: tuple[type[BaseModel], ...] = (ProblemBody, InvalidFieldBody, InferRequestBody)


def servers(root_path: str) -> list[dict[str, Any]]:
    """The `servers` of the document: a URL relative to the document's host, which is a proxy's prefix or `/`."""
    return [{"url": root_path or "/", "description": "The server that returned this document."}]


def describe(app: FastAPI) -> None:
    """Makes `app.openapi()` return FastAPI's document, completed; it is generated once."""
    generate = app.openapi
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not described:
            described.update(complete(generate()))
        return described

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def complete(schema: dict[str, Any]) -> dict[str, Any]:
    """The document with problem details in place of FastAPI's errors, examples and headers."""
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
    return with_examples(schema)


def _complete_operation(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        _without_null(parameter)
    if "HTTPValidationError" in str(operation["responses"].get("422")):  # FastAPI adds it for every parameter
        del operation["responses"]["422"]
    for response in operation["responses"].values():
        response.setdefault("headers", {})["X-Request-ID"] = {"$ref": "#/components/headers/X-Request-ID"}


def _without_null(parameter: dict[str, Any]) -> None:
    """Removes null from the schema: a parameter in a URL or a header can be absent, but not null."""
    kinds = parameter["schema"].get("anyOf", [])
    (kind, *others) = [each for each in kinds if each != {"type": "null"}] or [None]
    if kind is not None and not others:
        rest = {key: value for key, value in parameter["schema"].items() if key != "anyOf"}
        parameter["schema"] = kind | rest
