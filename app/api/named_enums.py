"""The enumerations of the document: with a line here, clients have a class of its name."""

from dataclasses import dataclass
from typing import Any, get_args

from app.api.schemas.model import (
    BlendName,
    CodesName,
    KernelsName,
    PrecisionName,
    RuntimeName,
    SearchMethodName,
    SearchModeName,
    StateName,
    TilingModeName,
)
from app.rendering import MapFormat
from app.service.pictures import Include, Style


@dataclass(frozen=True, slots=True)
class NamedEnum:
    """The values that a schema may have, and what they are."""

    name: str
    values: tuple[str, ...]
    description: str


NAMED_ENUMS = (
    NamedEnum("MapFormat", get_args(MapFormat), "The file format of an anomaly map: float32, or 16 bits for png16."),
    NamedEnum("HeatmapStyle", get_args(Style), "What a heatmap shows."),
    NamedEnum("Include", get_args(Include), "What a prediction may carry besides."),
    NamedEnum("VersionState", get_args(StateName), "Whether a version is served."),
    NamedEnum("TilingMode", get_args(TilingModeName), "How a picture is brought to a whole number of tiles."),
    NamedEnum("Blend", get_args(BlendName), "How overlapping tiles are weighed."),
    NamedEnum("Runtime", get_args(RuntimeName), "A library that runs networks."),
    NamedEnum("Kernels", get_args(KernelsName), "What runs a network."),
    NamedEnum("SearchMode", get_args(SearchModeName), "How exactly a memory bank is to be searched."),
    NamedEnum("SearchMethod", get_args(SearchMethodName), "How a memory bank is searched."),
    NamedEnum("Codes", get_args(CodesName), "The number format of the codes by which rows are ruled out."),
    NamedEnum("Precision", get_args(PrecisionName), "What a network is computed in."),
)


def with_named_enums(schema: dict[str, Any]) -> dict[str, Any]:
    """The document with every enumeration that has a name among its components, and a reference where it stood."""
    named = _replaced(schema)
    for each in NAMED_ENUMS:
        named["components"]["schemas"][each.name] = {
            "type": "string",
            "enum": list(each.values),
            "title": each.name,
            "description": each.description,
        }
    return dict(named)


def _replaced(node: Any) -> Any:
    if isinstance(node, list):
        return [_replaced(each) for each in node]
    if not isinstance(node, dict):
        return node
    replaced = {key: _replaced(value) for key, value in node.items()}
    found = next((each for each in NAMED_ENUMS if replaced.get("enum") == list(each.values)), None)
    if found is None:
        return replaced
    rest = {key: value for key, value in replaced.items() if key not in ("enum", "type", "title")}
    return {"$ref": f"#/components/schemas/{found.name}"} | rest
