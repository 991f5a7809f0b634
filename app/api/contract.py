"""The OpenAPI document that `/openapi.json` returns. Clients are generated from it."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.api.access import SCHEME
from app.api.admission import PROBES
from app.api.batch_body import PICTURES_FORM
from app.api.common_problems import declare_common_problems
from app.api.openapi_3_0 import in_openapi_3_0
from app.api.picture_body import PICTURE_FORM
from app.api.schema_examples import with_examples
from app.api.schemas.annotations import CocoBody, GeoJsonBody, LabelmeBody
from app.api.schemas.job import JobPictureRequestBody, JobRequestBody
from app.api.schemas.kept import MissedBody, ReviewedRegionBody, ReviewRequestBody
from app.api.schemas.problem import InvalidFieldBody, ProblemBody
from app.api.schemas.shadow import ShadowRequestBody
from app.api.schemas.stream import StreamLineBody
from app.api.schemas.teaching import DecisionRequestBody, TeachRequestBody
from app.api.schemas.zone import ZonesGeoJsonBody
from app.api.trainings.body import FIRST_MODEL_FORM
from app.api.v2.describe import TAG as INFERENCE_TAG
from app.api.v2.schemas.inference import InferRequestBody
from app.api.v2.schemas.server import IndexRequestBody

DESCRIPTION = """\
Finds small defects in large pictures by dividing the pictures into tiles.

Post a picture to a model. The response is a score, a label and the defect regions; or the regions as polygons for
annotation tools; or a heatmap; or an anomaly map with one value for each pixel. Scores are in [0, 1] and higher when
more anomalous. By default, a picture is anomalous if its score exceeds 0.5.

Errors are problem details (RFC 9457). Their `code` identifies the kind of problem for programs. Errors under `/v2` have
the form of the Open Inference Protocol. Every response has an `X-Request-ID` header, which identifies the request in
the server's log. A client may send its own `X-Request-ID`. Every GET operation also answers HEAD.

A server may require an API key, as `Authorization: Bearer KEY`. Keys have the scope `predict`, `review` or `admin`;
each includes those before it. The probes `/livez`, `/readyz`, `/v2/health/live` and `/v2/health/ready` need no key.

Query parameters and form fields that an operation does not have are refused. A parameter that is not a list may be
given once.
"""
CONTACT = {"name": "The Tessera project"}
LICENCE = {"name": "Apache 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}
TAGS = [
    {"name": "models", "description": "The served models, their versions, and the reasons why versions are refused."},
    {"name": "predictions", "description": "Predictions for pictures: as JSON, as a heatmap, or as an anomaly map."},
    {
        "name": "jobs",
        "description": "Predictions of pictures of any size, which outlive their request: uploads in parts, progress, "
        "regions as they become final, and results as pyramids.",
    },
    {
        "name": "trainings",
        "description": "First models: trainings on ten or more normal pictures, if the operator allows them.",
    },
    {
        "name": "teachings",
        "description": "Reviewed pictures become a new version of a model, which is proved before it serves.",
    },
    {
        "name": "reviews",
        "description": "Pictures that the server has kept with their verdicts, for people to review.",
    },
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
TAG_REQUIRED = "428"
_REQUEST_ID = {
    "description": "ID of the request in the server's log.",
    "schema": {"type": "string", "examples": ["7d0f6c4b9f0e4a7f8a3c5e2b1d9f6a80"]},
}
_REFERENCE = "#/components/schemas/{model}"
_COMPONENTS: tuple[type[BaseModel], ...] = (
    *(ProblemBody, InvalidFieldBody, InferRequestBody, IndexRequestBody),
    *(DecisionRequestBody, JobPictureRequestBody, JobRequestBody, ShadowRequestBody, StreamLineBody, TeachRequestBody),
    *(MissedBody, ReviewedRegionBody, ReviewRequestBody),
    *(GeoJsonBody, CocoBody, LabelmeBody, ZonesGeoJsonBody),
)
_PREFIXED = frozenset(
    {"Codes", "Include", "JobState", "Layer", "ProofResult", "ShadowState", "TeachingState", "TrainingState"}
)
"""Enumerations with values that other enumerations have as well.

openapi-generator makes constants of one Go package from the values of all enumerations, so equal names collide.
"""


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
        for name, part in described.pop("$defs", {}).items():
            components.setdefault(name, part)
        components[body.__name__] = described
    components.update(PICTURE_FORM | PICTURES_FORM | FIRST_MODEL_FORM)
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    schema["components"]["headers"] = {"X-Request-ID": _REQUEST_ID}
    schema["paths"] = dict(sorted(schema["paths"].items(), key=lambda each: each[0] in PROBES))  # the probes last
    operations = []
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            declare_common_problems(path, method, operation)
            _complete_operation(operation)
            _complete_security(operation)
            operations.append(operation)
    sent = _references([operation.get("requestBody") for operation in operations], components)
    responses = [each for operation in operations for each in operation["responses"].values()]
    answered = _references([response.get("content") for response in responses], components)
    for name, component in components.items():
        if name not in sent or name in answered:
            _complete_answer(component)
        if name in _PREFIXED:
            component["x-enum-varnames"] = [f"{name}_{value}".upper() for value in component["enum"]]
    return in_openapi_3_0(with_examples(schema))


def _references(node: object, components: dict[str, Any]) -> set[str]:
    """The names of the components that a part of the document refers to, directly or through other components."""
    if isinstance(node, list):
        return {name for each in node for name in _references(each, components)}
    if not isinstance(node, dict):
        return set()
    found = _references([value for key, value in node.items() if key != "$ref"], components)
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        found |= {name} | _references(components[name], components)
    return found


def _complete_answer(component: dict[str, Any]) -> None:
    """Removes null from the optional properties: responses leave out a property instead of setting it to null."""
    properties = component.get("properties", {})
    for name in properties.keys() - set(component.get("required", [])):
        properties[name] = _without_null(properties[name])


def _complete_operation(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _without_null(parameter["schema"])  # it can be absent, but not null
        if parameter["name"] == "If-Match" and TAG_REQUIRED in operation["responses"]:
            parameter["required"] = True  # a request without it has an answer of its own (RFC 6585, section 3)
    if "HTTPValidationError" in str(operation["responses"].get("422")):  # FastAPI adds it for every parameter
        del operation["responses"]["422"]
    operation["responses"] = dict(sorted(operation["responses"].items()))
    for response in operation["responses"].values():
        response.setdefault("headers", {})["X-Request-ID"] = {"$ref": "#/components/headers/X-Request-ID"}


def _complete_security(operation: dict[str, Any]) -> None:
    """Describes the key that an operation needs if the server has keys.

    OpenAPI 3.0 has no scopes for this scheme, so that the description names the scope. The empty alternative stands for
    servers without keys.
    """
    for needed in operation.get("security", []):
        scopes = ", ".join(f"`{scope}`" for scope in needed[SCHEME])
        operation["description"] += f"\n\nNeeds an API key with the scope {scopes}, if the server has keys."
        operation["security"] = [{}, {SCHEME: []}]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without the alternative null."""
    kinds = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    others = {key: value for key, value in schema.items() if key != "anyOf" and (key, value) != ("default", None)}
    return {**kinds[0], **others}
