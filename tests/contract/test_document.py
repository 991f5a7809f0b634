"""The committed contract is current and complete, and compatible with the released one."""

import json
from typing import Any

import pytest

from scripts.contract.breaking import GROWING, breaking_changes
from scripts.contract.document import CURRENT, RELEASED, application_document, text_of

Document = dict[str, Any]
HINT = "run `make openapi`, and review the changes"


@pytest.fixture(scope="module")
def document() -> Document:
    return application_document()


def test_the_committed_document_is_that_of_the_application(document: Document) -> None:
    assert CURRENT.read_text() == text_of(document), f"openapi.json is out of date: {HINT}"


def test_a_change_that_breaks_clients_of_the_released_contract_has_a_new_version(document: Document) -> None:
    released = json.loads(RELEASED.read_text())
    found = breaking_changes(released, document)
    assert not found or _series(document) > _series(released), "\n".join(found)


def _series(document: Document) -> tuple[int, ...]:
    """The part of the version that a breaking change must raise: the major version, before 1.0 the minor one."""
    major, minor, _ = (int(part) for part in document["info"]["version"].split("."))
    return (major, 0) if major else (0, minor)


def operations(document: Document) -> list[tuple[str, Document]]:
    return [
        (f"{method} {path}", operation)
        for path, each in document["paths"].items()
        for method, operation in each.items()
    ]


def test_every_operation_is_described(document: Document) -> None:
    tags = {tag["name"] for tag in document["tags"] if tag["description"]}
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for where, operation in operations(document):
        assert operation["operationId"].isidentifier(), where
        assert operation["summary"] and operation["description"], where
        assert operation["tags"] and set(operation["tags"]) <= tags, where


def test_every_parameter_is_described_and_has_an_example(document: Document) -> None:
    for where, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (where, parameter["name"])
            assert "example" in parameter["schema"], (where, parameter["name"])
            assert "nullable" not in parameter["schema"], (where, parameter["name"])


def test_every_answer_is_described_with_an_example_and_its_codes(document: Document) -> None:
    codes = document["components"]["schemas"]["ProblemCode"]["enum"]
    for where, operation in operations(document):
        assert "500" in operation["responses"], where
        for status, response in operation["responses"].items():
            assert response["description"] and "X-Request-ID" in response["headers"], (where, status)
            for media_type, content in response.get("content", {}).items():
                if media_type == "application/problem+json":
                    assert content["schema"] == {"$ref": "#/components/schemas/ProblemBody"}, (where, status)
                    assert content["examples"] and set(content["examples"]) <= set(codes), (where, status)
                    for code, example in content["examples"].items():
                        assert (example["value"]["code"], example["value"]["status"]) == (code, int(status))
                elif content["schema"].get("format") != "binary":
                    assert "example" in content, (where, status, media_type)


def test_every_operation_declares_what_is_answered_before_its_route(document: Document) -> None:
    for where, operation in operations(document):
        statuses = {"400", "408", "421"} | ({"403"} if where.startswith("post") else set())
        assert statuses <= operation["responses"].keys(), where
        if not where.startswith("get") or "/v" in where:
            refused = operation["responses"]["503"]
            assert ("Retry-After" in refused["headers"] and "too_many_connections" in str(refused)) or "/v2" in where


def test_every_schema_and_property_is_described_and_has_an_example(document: Document) -> None:
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        if name == "JsonValue":
            continue
        assert schema["description"], name
        assert "enum" in schema or "example" in schema, name
        for key, part in schema.get("properties", {}).items():
            meant = schemas.get(part.get("$ref", "").rpartition("/")[2], {})
            assert part.get("description") or meant.get("description"), f"{name}.{key}"


def test_the_document_has_no_forms_that_only_openapi_3_1_has(document: Document) -> None:
    def found(node: object, key: str) -> list[object]:
        if isinstance(node, list):
            return [each for part in node for each in found(part, key)]
        if not isinstance(node, dict):
            return []
        own = [node[key]] if key in node else []
        return own + [each for part in node.values() for each in found(part, key)]

    assert document["openapi"] == "3.0.3"
    assert not found(document, "contentMediaType")
    assert '{"type": "null"}' not in json.dumps(document)
    assert not any(isinstance(each, list) for each in found(document, "type"))
    assert {type(each) for each in found(document, "exclusiveMinimum")} == {bool}
    assert set(document["info"]["license"]) == {"name", "url"} and "summary" not in document["info"]


def test_every_number_of_a_schema_has_a_width(document: Document) -> None:
    schemas = document["components"]["schemas"]
    numbers = [
        (f"{name}.{key}", part)
        for name, schema in schemas.items()
        for key, part in schema.get("properties", {}).items()
        if part.get("type") in ("integer", "number")
    ]
    assert len(numbers) > 50
    for where, part in numbers:
        assert part.get("format") in {"integer": ("int32", "int64"), "number": ("double",)}[part["type"]], where
    assert schemas["VersionBody"]["properties"]["version"]["format"] == "int64"  # a version may be a date and a number


def test_enumerations_have_no_constants_of_equal_names(document: Document) -> None:
    """openapi-generator declares the constants of all enumerations in one package of Go, without their types' names."""
    schemas = document["components"]["schemas"].values()
    names = [
        name for each in schemas if "enum" in each for name in each.get("x-enum-varnames", map(str.upper, each["enum"]))
    ]
    assert sorted(set(names)) == sorted(names)


def test_an_optional_property_of_an_answer_is_left_out_instead_of_null(document: Document) -> None:
    schemas = document["components"]["schemas"]
    requests = {"InferRequestBody", "InferInputBody", "RequestedOutputBody", "IndexRequestBody"}
    for name in set(schemas) - requests - {"JobRequestBody", "JobPictureRequestBody", "TeachRequestBody"}:
        for key, part in schemas[name].get("properties", {}).items():
            assert key in schemas[name].get("required", []) or not part.get("nullable"), f"{name}.{key}"


def test_lists_of_files_have_no_limits_of_their_length(document: Document) -> None:
    """The check of such a limit by openapi-generator's client in Go does not compile."""
    images = document["components"]["schemas"]["PicturesForm"]["properties"]["images"]
    assert images["items"] == {"type": "string", "format": "binary"}
    assert not {"minItems", "maxItems"} & set(images)


def test_every_enumeration_has_a_name(document: Document) -> None:
    def inline(node: object, path: str) -> list[str]:
        if isinstance(node, list):
            return [found for number, each in enumerate(node) for found in inline(each, f"{path}/{number}")]
        if not isinstance(node, dict):
            return []
        own = [path] if "enum" in node else []
        return own + [
            found for key, each in node.items() if "example" not in key for found in inline(each, f"{path}/{key}")
        ]

    named = {f"/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(inline(document, "")) <= named, "make it a StrEnum"


def test_the_document_has_licence_contact_servers_and_description(document: Document) -> None:
    assert document["info"]["license"]["name"] == "Apache 2.0"
    assert document["info"]["contact"] and document["servers"] and document["info"]["description"]


@pytest.mark.parametrize("name", sorted(GROWING))
def test_an_enumeration_that_may_gain_values_says_so(document: Document, name: str) -> None:
    description = document["components"]["schemas"][name]["description"]
    assert "may be added" in " ".join(description.split())
