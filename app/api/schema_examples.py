"""Examples of the objects in the OpenAPI document, built from the examples of their properties."""

from typing import Any

_PREFIX = "#/components/schemas/"


def with_examples(document: dict[str, Any]) -> dict[str, Any]:
    """Adds an example to each object among the components, and to each JSON response; returns the document."""
    components = document["components"]["schemas"]
    for component in components.values():
        if component.get("type") == "object":
            component.setdefault("examples", [example(component, components)])
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                for media_type, content in response.get("content", {}).items():
                    if is_json(media_type) and "example" not in content and "examples" not in content:
                        content["example"] = example(content["schema"], components)
    return document


def is_json(media_type: str) -> bool:
    """Whether documents of this media type are JSON (RFC 6839, section 3.1)."""
    return media_type == "application/json" or media_type.endswith("+json")


def example(schema: dict[str, Any], components: dict[str, Any]) -> Any:
    """A value that a schema allows: its own example, or one that is built from its parts."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example(components[schema["$ref"].removeprefix(_PREFIX)], components)
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], components)
    if schema.get("type") == "array":
        return [example(schema["items"], components)]
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        shown = (name for name, each in properties.items() if not _is_left_out(each))
        return {name: example(properties[name], components) for name in shown}
    return schema.get("default")


def _is_left_out(schema: dict[str, Any]) -> bool:
    return "examples" in schema and schema["examples"] == [None]
