"""Checks that a schema allows all values that another schema allows (the Schema Object of OpenAPI 3.0)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]
_LOWER, _UPPER = (
    ("minimum", "exclusiveMinimum", "minLength", "minItems"),
    ("maximum", "exclusiveMaximum", "maxLength", "maxItems"),
)
_SAME = ("format", "pattern", "contentMediaType", "multipleOf", "const")


@dataclass
class Comparison:
    """Compares schemas of values that a producer sends with the schemas of the consumer.

    For requests, the producer is a client of the old document, and the consumer a server of the new document. For
    responses, the producer is the server, and the consumer the client.

    producer, consumer: the OpenAPI documents, whose components resolve references
    growing: the names of enumerations that may gain values
    """

    producer: Schema
    consumer: Schema
    growing: frozenset[str] = frozenset()
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def misfits(self, produced: Schema, consumed: Schema, where: str) -> Iterator[str]:
        """A sentence for each reason why the consumer may not accept a produced value."""
        produced, consumed = _unwrapped(produced), _unwrapped(consumed)
        if produced.get("nullable") and not consumed.get("nullable") and _types(_resolved(consumed, self.consumer)):
            yield f"{where} is null on one side only"
        references = (str(produced.get("$ref", "")), str(consumed.get("$ref", "")))
        if all(references):
            if references in self._seen:
                return
            self._seen.add(references)
        if references[1].rpartition("/")[2] in self.growing:
            return
        produced, consumed = _resolved(produced, self.producer), _resolved(consumed, self.consumer)
        if "anyOf" in produced or "anyOf" in consumed:
            yield from self._union_misfits(produced, consumed, where)
            return
        yield from _value_misfits(produced, consumed, where)
        yield from self._object_misfits(produced, consumed, where)
        if "items" in consumed and "items" in produced:
            yield from self.misfits(produced["items"], consumed["items"], f"{where}[]")

    def _union_misfits(self, produced: Schema, consumed: Schema, where: str) -> Iterator[str]:
        for kind in produced.get("anyOf", [produced]):
            found = [list(self.misfits(kind, other, where)) for other in consumed.get("anyOf", [consumed])]
            if all(found):
                yield from min(found, key=len)

    def _object_misfits(self, produced: Schema, consumed: Schema, where: str) -> Iterator[str]:
        for name in set(consumed.get("required", [])) - set(produced.get("required", [])):
            yield f"{where}.{name} is required on one side only"
        for name, schema in produced.get("properties", {}).items():
            other = consumed.get("properties", {}).get(name)
            if other is not None:
                yield from self.misfits(schema, other, f"{where}.{name}")
            elif consumed.get("additionalProperties") is False:
                yield f"{where}.{name} is not taken"
        more, other = produced.get("additionalProperties"), consumed.get("additionalProperties")
        if isinstance(more, dict) and isinstance(other, dict):
            yield from self.misfits(more, other, f"{where}.*")


def _value_misfits(produced: Schema, consumed: Schema, where: str) -> Iterator[str]:
    types, allowed = _types(produced), _types(consumed)
    number = bool(allowed & {"integer", "number"})
    if allowed and not (types and types <= allowed):
        yield f"{where} is {_or(types)} on one side and {_or(allowed)} on the other"
    if "enum" in consumed:
        lost = [value for value in produced.get("enum", ["other values"]) if value not in consumed["enum"]]
        if lost:
            yield f"{where} may be {_or(map(str, lost))} on one side only"
    for key in (*_LOWER, *_UPPER):
        if key in consumed and not _within(produced.get(key), consumed[key], key in _LOWER):
            yield f"{where} has {key} {produced.get(key, 'none')} on one side and {consumed[key]} on the other"
    for key in _SAME:
        if number and key == "format":  # the width of a number: its limits are compared
            continue
        if key in consumed and produced.get(key) != consumed[key]:
            yield f"{where} has {key} {produced.get(key, 'none')!r} on one side and {consumed[key]!r} on the other"


def _within(bound: float | None, limit: float, lower: bool) -> bool:
    return bound is not None and (bound >= limit if lower else bound <= limit)


def _unwrapped(schema: Schema) -> Schema:
    """The schema with the keywords of its `allOf`, if `allOf` has one schema, as for a reference with keywords."""
    if len(schema.get("allOf", [])) != 1:
        return schema
    (part,) = schema["allOf"]
    return {**part, **{key: value for key, value in schema.items() if key != "allOf"}}


def _resolved(schema: Schema, document: Schema) -> Schema:
    schema = _unwrapped(schema)
    if "$ref" not in schema:
        return schema
    target: Any = document
    for part in schema["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return _resolved(target, document) | {key: value for key, value in schema.items() if key != "$ref"}


def _types(schema: Schema) -> set[str]:
    named = schema.get("type", [])
    types = {named} if isinstance(named, str) else set(named)
    return types | {"integer"} if "number" in types else types


def _or(names: Any) -> str:
    return " or ".join(sorted(names)) or "anything"
