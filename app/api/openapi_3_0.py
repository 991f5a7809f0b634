"""The OpenAPI 3.0 form of a document that FastAPI generated in the form of OpenAPI 3.1.

Generators of clients agree on OpenAPI 3.0; several of them (NSwag, AutoRest, oapi-codegen, progenitor) do not read all
of 3.1. The forms differ in the Schema Object: https://spec.openapis.org/oas/v3.0.4.html#schema-object
"""

from typing import Any

Schema = dict[str, Any]

VERSION = "3.0.3"
_NULL = {"type": "null"}
_VALUES = frozenset({"example", "examples"})
_LARGEST_INT32 = 2**31 - 1


def in_openapi_3_0(document: dict[str, Any]) -> dict[str, Any]:
    """The document in the form of OpenAPI 3.0. A document that has this form already stays the same."""
    return {**_converted(document), "openapi": VERSION}


def schema_in_3_0(schema: Schema) -> Schema:
    """The schema in the form of OpenAPI 3.0, with a format for each number.

    `null` becomes `nullable`; an exclusive limit becomes a limit and a flag; examples become one example. In OpenAPI
    3.0, keywords beside `$ref` have no effect, so a reference with keywords becomes `allOf`.
    """
    if "anyOf" in schema and _NULL in schema["anyOf"]:
        schema = _nullable(schema)
    converted = {key: _part(key, value) for key, value in schema.items() if key != "examples"}
    if schema.get("examples", [None])[0] is not None:
        converted["example"] = schema["examples"][0]
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if not isinstance(schema.get(exclusive, False), bool):
            converted |= {limit: schema[exclusive], exclusive: True}
    if "type" in schema and "format" not in schema:
        converted |= _number_format(schema)
    if "$ref" in converted and len(converted) > 1:
        converted = {"allOf": [{"$ref": converted.pop("$ref")}]} | converted
    return converted


def _nullable(schema: Schema) -> Schema:
    """The schema with `nullable` in place of the alternative `null`."""
    kinds = [kind for kind in schema["anyOf"] if kind != _NULL]
    others = {key: value for key, value in schema.items() if key != "anyOf" and (key, value) != ("default", None)}
    others |= {"nullable": True}
    return kinds[0] | others if len(kinds) == 1 else {"anyOf": kinds} | others


def _part(key: str, value: Any) -> Any:
    if key in ("items", "additionalProperties") and isinstance(value, dict):
        return schema_in_3_0(value)
    if key == "properties":
        return {name: schema_in_3_0(each) for name, each in value.items()}
    if key in ("anyOf", "allOf", "oneOf"):
        return [schema_in_3_0(each) for each in value]
    return value


def _number_format(schema: Schema) -> Schema:
    """The width of a number. Without it, generators choose 32 bits for any number."""
    if schema["type"] == "number":
        return {"format": "double"}
    if schema["type"] == "integer":
        narrow = "minimum" in schema and schema.get("maximum", _LARGEST_INT32 + 1) <= _LARGEST_INT32
        return {"format": "int32" if narrow else "int64"}
    return {}


def _converted(node: Any) -> Any:
    """A part of the document outside of schemas."""
    if isinstance(node, list):
        return [_converted(each) for each in node]
    if not isinstance(node, dict):
        return node
    converted = {}
    for key, value in node.items():
        if key == "schema":
            converted[key] = schema_in_3_0(value)
        elif key == "schemas":
            converted[key] = {name: schema_in_3_0(each) for name, each in value.items()}
        else:
            converted[key] = value if key in _VALUES else _converted(value)
    return converted
