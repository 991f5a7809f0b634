"""Every change that breaks clients is reported; compatible changes are not."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from scripts.contract.breaking import breaking_changes

Document = dict[str, Any]
OLD: Document = {
    "paths": {
        "/things/{name}": {
            "post": {
                "operationId": "make",
                "parameters": [
                    {"in": "path", "name": "name", "required": True, "schema": {"type": "string"}},
                    {"in": "query", "name": "count", "schema": {"type": "integer", "minimum": 1, "maximum": 9}},
                    {"in": "query", "name": "kind", "schema": {"$ref": "#/components/schemas/Kind"}},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Wish"}}}},
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                    "404": {"content": {"application/problem+json": {"schema": {"type": "object"}}}},
                },
            }
        }
    },
    "components": {
        "schemas": {
            "Kind": {"type": "string", "enum": ["red", "blue"]},
            "ProblemCode": {"type": "string", "enum": ["lost"]},
            "Wish": {"type": "object", "properties": {"size": {"type": "number"}, "note": {"type": "string"}}},
            "Thing": {
                "type": "object",
                "required": ["id", "kind", "code"],
                "properties": {
                    "id": {"type": "integer"},
                    "kind": {"$ref": "#/components/schemas/Kind"},
                    "code": {"$ref": "#/components/schemas/ProblemCode"},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                },
            },
        }
    },
}


def operation(document: Document) -> Document:
    found: Document = document["paths"]["/things/{name}"]["post"]
    return found


def schema(document: Document, name: str) -> Document:
    found: Document = document["components"]["schemas"][name]
    return found


def changed(change: Callable[[Document], object]) -> list[str]:
    new = deepcopy(OLD)
    change(new)
    return breaking_changes(OLD, new)


BREAKING: dict[str, tuple[Callable[[Document], object], str]] = {
    "operation": (lambda new: new["paths"].clear(), "POST /things/{name} is gone"),
    "operation-id": (lambda new: operation(new).update(operationId="create"), "is called create and was make"),
    "parameter": (lambda new: operation(new)["parameters"].pop(1), "query count is gone"),
    "new-required-parameter": (
        lambda new: operation(new)["parameters"].append(
            {"in": "query", "name": "key", "required": True, "schema": {"type": "string"}}
        ),
        "query key is required now",
    ),
    "parameter-becomes-required": (
        lambda new: operation(new)["parameters"][1].update(required=True),
        "query count is required now",
    ),
    "higher-minimum": (lambda new: operation(new)["parameters"][1]["schema"].update(minimum=2), "minimum 1"),
    "lower-maximum": (lambda new: operation(new)["parameters"][1]["schema"].update(maximum=8), "maximum 9"),
    "new-limit": (lambda new: operation(new)["parameters"][0]["schema"].update(maxLength=8), "maxLength none"),
    "new-pattern": (lambda new: operation(new)["parameters"][0]["schema"].update(pattern="a"), "pattern 'none'"),
    "narrowed-type": (lambda new: schema(new, "Wish")["properties"]["size"].update(type="integer"), "body.size is"),
    "enum-loses-a-value": (lambda new: schema(new, "Kind").update(enum=["red"]), "query kind may be blue"),
    "enum-of-answers-gains-a-value": (
        lambda new: schema(new, "Kind").update(enum=["red", "blue", "green"]),
        "200.kind may be green",
    ),
    "new-required-field": (lambda new: schema(new, "Wish").update(required=["size"]), "body.size is required"),
    "body-becomes-required": (lambda new: operation(new)["requestBody"].update(required=True), "a body is required"),
    "body-type": (
        lambda new: operation(new)["requestBody"].update(content={"text/plain": {"schema": {"type": "string"}}}),
        "a body of application/json is not taken",
    ),
    "field-of-a-body": (lambda new: schema(new, "Wish")["properties"].pop("note"), "schema Wish has no property note"),
    "response": (lambda new: operation(new)["responses"].pop("404"), "status 404 is gone"),
    "response-type": (
        lambda new: operation(new)["responses"]["200"].update(content={"image/png": {}}),
        "status 200 has no application/json",
    ),
    "field-of-an-answer-may-be-absent": (
        lambda new: schema(new, "Thing").update(required=["kind", "code"]),
        "200.id is required",
    ),
    "field-of-an-answer-may-be-null": (
        lambda new: schema(new, "Thing")["properties"].update(id={"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        "200.id is null on one side only",
    ),
    "widened-type-of-an-answer": (
        lambda new: schema(new, "Thing")["properties"].update(id={"type": "number"}),
        "200.id is integer or number",
    ),
    "schema": (lambda new: new["components"]["schemas"].update(Object=new["components"]["schemas"].pop("Thing"))
               or operation(new)["responses"].update({"200": {"content": {"application/json": {"schema": {
                   "$ref": "#/components/schemas/Object"}}}}})
               or new["components"]["schemas"]["Object"]["properties"].pop("parts"), "schema Thing is gone"),
}  # fmt: skip
COMPATIBLE: dict[str, Callable[[Document], object]] = {
    "nothing": lambda new: None,
    "new-operation": lambda new: new["paths"].update({"/new": {"get": {"operationId": "new", "responses": {}}}}),
    "new-parameter": lambda new: operation(new)["parameters"].append(
        {"in": "query", "name": "more", "schema": {"type": "string"}}
    ),
    "lower-minimum": lambda new: operation(new)["parameters"][1]["schema"].update(minimum=0),
    "new-optional-field": lambda new: schema(new, "Wish")["properties"].update(more={"type": "string"}),
    "new-field-of-an-answer": lambda new: schema(new, "Thing")["properties"].update(more={"type": "string"}),
    "always-there": lambda new: schema(new, "Thing")["required"].append("parts"),
    "new-body-type": lambda new: operation(new)["requestBody"]["content"].update({"text/plain": {"schema": {}}}),
    "new-status": lambda new: operation(new)["responses"].update({"409": {}}),
    "new-code": lambda new: schema(new, "ProblemCode")["enum"].append("found"),
    "widened-type": lambda new: schema(new, "Wish")["properties"].update(
        note={"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
    "descriptions": lambda new: schema(new, "Wish").update(description="What is wished for."),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_change_that_breaks_clients_is_reported(name: str) -> None:
    change, words = BREAKING[name]
    found = changed(change)
    assert any(words in sentence for sentence in found), found


@pytest.mark.parametrize("name", COMPATIBLE)
def test_a_compatible_change_is_not_reported(name: str) -> None:
    assert changed(COMPATIBLE[name]) == []
