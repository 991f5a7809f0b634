"""Finds changes of an OpenAPI document that break clients of the old document, written by hand or generated."""

from collections.abc import Iterator
from typing import Any

from app.api.openapi_3_0 import in_openapi_3_0
from scripts.contract.schemas import Comparison

Document = dict[str, Any]
GROWING = frozenset(
    {"ProblemCode", "RefusalCode", "NoteCode", "Label"}
    | {"TilingMode", "PaddingFill", "Blend", "Precision", "Kernels", "SearchMethod", "Codes"}
)
"""Enumerations in responses that may gain values: the documentation tells clients to expect new values.

`Label` gains values only for requests with parameters that old clients do not know.
"""


def breaking_changes(old: Document, new: Document) -> list[str]:
    """A sentence for each change that may break a client. Additions that clients can ignore are not reported."""
    old, new = in_openapi_3_0(old), in_openapi_3_0(new)
    return sorted({*_components(old, new), *_operations(old, new)})


def _components(old: Document, new: Document) -> Iterator[str]:
    before, after = (each.get("components", {}).get("schemas", {}) for each in (old, new))
    for name, schema in before.items():
        if name not in after:
            yield f"schema {name} is gone"
            continue
        for key in schema.get("properties", {}):
            if key not in after[name].get("properties", {}):
                yield f"schema {name} has no property {key} any more"


def _operations(old: Document, new: Document) -> Iterator[str]:
    for path, operations in old["paths"].items():
        for method, operation in operations.items():
            where = f"{method.upper()} {path}"
            other = new["paths"].get(path, {}).get(method)
            if other is None:
                yield f"{where} is gone"
                continue
            if operation["operationId"] != other["operationId"]:
                yield f"{where} is called {other['operationId']} and was {operation['operationId']}"
            sent = Comparison(old, new)
            yield from _parameters(operation, other, sent, where)
            yield from _bodies(operation, other, sent, where)
            yield from _responses(operation, other, Comparison(new, old, GROWING), where)


def _parameters(old: Document, new: Document, sent: Comparison, where: str) -> Iterator[str]:
    before, after = ({(each["in"], each["name"]): each for each in side.get("parameters", [])} for side in (old, new))
    for key, parameter in before.items():
        name = f"{where}: {' '.join(key)}"
        if key not in after:
            yield f"{name} is gone"
        else:
            yield from sent.misfits(parameter["schema"], after[key]["schema"], name)
    for key, parameter in after.items():
        if parameter.get("required") and not before.get(key, {}).get("required"):
            yield f"{where}: {' '.join(key)} is required now"


def _bodies(old: Document, new: Document, sent: Comparison, where: str) -> Iterator[str]:
    before, after = old.get("requestBody", {}), new.get("requestBody", {})
    if after.get("required") and not before.get("required"):
        yield f"{where}: a body is required now"
    for media_type, content in before.get("content", {}).items():
        other = after.get("content", {}).get(media_type)
        if other is None:
            yield f"{where}: a body of {media_type} is not taken any more"
        else:
            yield from sent.misfits(content.get("schema", {}), other.get("schema", {}), f"{where}: body")


def _responses(old: Document, new: Document, answered: Comparison, where: str) -> Iterator[str]:
    for status, response in old["responses"].items():
        other = new["responses"].get(status)
        if other is None:
            yield f"{where}: status {status} is gone"
            continue
        for media_type, content in response.get("content", {}).items():
            given = other.get("content", {}).get(media_type)
            if given is None:
                yield f"{where}: status {status} has no {media_type} any more"
            else:
                yield from answered.misfits(given.get("schema", {}), content.get("schema", {}), f"{where}: {status}")
