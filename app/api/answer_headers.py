"""The headers of responses that are files: the model and the prediction."""

from math import floor
from typing import Any

from app.pipeline import Coverage
from app.service import Predicted

_SCHEMAS: dict[str, dict[str, Any]] = {
    "Tessera-Model": {"description": "Name of the model that made the prediction.", "schema": {"type": "string"}},
    "Tessera-Model-Version": {"description": "Version of the model.", "schema": {"type": "integer"}},
    "Tessera-Model-Digest": {
        "description": "SHA-256 of the version's manifest, which contains the SHA-256 of each of the version's files.",
        "schema": {"type": "string"},
    },
    "Tessera-Score": {
        "description": "Normalised anomaly score of the picture, or of its region of interest.",
        "schema": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "Tessera-Label": {
        "description": "`anomalous` if the score exceeds the threshold, else `normal`; `undecided` instead of `normal` "
        "if not all of the picture was looked at.",
        "schema": {"$ref": "#/components/schemas/Label"},
    },
    "Tessera-Threshold": {
        "description": "Scores above this threshold are anomalous.",
        "schema": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "Tessera-Notes": {
        "description": "Codes of the notes on the prediction (`NoteCode`), separated by commas; empty if there is "
        "none.",
        "schema": {"type": "string", "examples": ["unseen_size"]},
    },
}
_PARTIAL = "Tessera-Partial"
_PARTIAL_SCHEMA: dict[str, Any] = {
    "description": "With `partial=true`: the share of the picture, or of its region of interest, that was looked at; "
    "less than 1 unless all of it was.",
    "schema": {"type": "string", "examples": ["share=0.43"]},
}
ANSWER_HEADERS = (*_SCHEMAS, _PARTIAL)


def answer_headers(predicted: Predicted) -> dict[str, str]:
    """The headers of a prediction, by name."""
    artifact, prediction = predicted.artifact, predicted.prediction
    return {
        "Tessera-Model": artifact.name,
        "Tessera-Model-Version": str(artifact.version),
        "Tessera-Model-Digest": artifact.digest,
        "Tessera-Score": repr(float(prediction.score)),
        "Tessera-Label": prediction.label.value,
        "Tessera-Threshold": repr(prediction.criteria.threshold),
        "Tessera-Notes": ", ".join(note.code for note in predicted.judged.notes),
        **partial_header(prediction.coverage),
    }


def partial_header(coverage: Coverage | None) -> dict[str, str]:
    """The header of an answer to a request with `partial`, by its name; empty for other requests.

    The share is rounded down, so that it is 1 only if all was looked at.
    """
    return {} if coverage is None else {_PARTIAL: f"share={floor(coverage.share * 10_000) / 10_000:g}"}


def described_partial_header() -> dict[str, dict[str, Any]]:
    """The OpenAPI description of the header of `partial`, by its name."""
    return {_PARTIAL: _PARTIAL_SCHEMA}


def described_headers() -> dict[str, dict[str, Any]]:
    """The OpenAPI description of each header of a file, by name."""
    return {name: {"required": True, **schema} for name, schema in _SCHEMAS.items()}
