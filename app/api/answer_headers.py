"""What answers that are files tell beside the file."""

from typing import Any

from app.service import Predicted

_SCHEMAS: dict[str, dict[str, Any]] = {
    "Tessera-Model": {"description": "The name of the model that answered.", "schema": {"type": "string"}},
    "Tessera-Model-Version": {"description": "Its version.", "schema": {"type": "integer"}},
    "Tessera-Model-Digest": {
        "description": "SHA-256 of the version's manifest, which holds those of its files.",
        "schema": {"type": "string"},
    },
    "Tessera-Score": {
        "description": "The picture's normalised score.",
        "schema": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "Tessera-Label": {
        "description": "What the picture is taken for.",
        "schema": {"$ref": "#/components/schemas/Label"},
    },
    "Tessera-Threshold": {
        "description": "Over it, scores are anomalous.",
        "schema": {"type": "number", "minimum": 0, "maximum": 1},
    },
}
ANSWER_HEADERS = tuple(_SCHEMAS)


def answer_headers(predicted: Predicted) -> dict[str, str]:
    """The headers' values."""
    artifact, prediction = predicted.artifact, predicted.prediction
    return {
        "Tessera-Model": artifact.name,
        "Tessera-Model-Version": str(artifact.version),
        "Tessera-Model-Digest": artifact.digest,
        "Tessera-Score": repr(float(prediction.score)),
        "Tessera-Label": prediction.label.value,
        "Tessera-Threshold": repr(prediction.criteria.threshold),
    }


def described_headers() -> dict[str, dict[str, Any]]:
    """The headers, for OpenAPI."""
    return {name: {"required": True, **schema} for name, schema in _SCHEMAS.items()}
