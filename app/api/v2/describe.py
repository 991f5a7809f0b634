"""The OpenAPI descriptions of the protocol's routes."""

from http import HTTPStatus
from typing import Any

from app.api.openapi import Responses
from app.api.v2.request import HEADER_LENGTH
from app.api.v2.schemas.error import InferenceErrorBody

TAG = "open inference protocol"

_BINARY = {"type": "string", "format": "binary"}
_RETRY_AFTER = {
    "description": "Seconds after which the client should try again.",
    "schema": {"type": "integer", "minimum": 1, "examples": [5]},
}
_EXAMPLES = {
    400: "Inference-Header-Content-Length is 900, and the body has 512 bytes; give those of its JSON",
    401: "send an API key in the header Authorization, as `Bearer KEY`",
    403: "the key 'camera-3' has the scope predict, and this needs admin",
    404: "there is no model 'screw'; available: demo",
    413: "the maps have 536,870,912 bytes, the limit is 285,212,672; ask for fewer at once",
    415: "Content-Encoding 'br' is not known; send gzip, deflate, or no encoding",
    422: "there is no output 'scores'; available: score, raw_score, label, threshold, anomaly_map",
    429: "the picture has 63 tiles, 4096 of at most 4096 are waiting or running; there should be room in 1.5 s",
    500: "internal server error; the server's log has the details under this request_id",
    503: "version 1 of model 'demo' is still being loaded; try again in a few seconds",
    504: "the picture was not answered within 2.5 s, and is given up; allow more time",
}


def error_responses(*statuses: int) -> Responses:
    """The error responses with these statuses, in the protocol's form."""
    return {status: _error(status) for status in statuses}


def _error(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "model": InferenceErrorBody,
        "description": f"{HTTPStatus(status).phrase}.",
        "content": {"application/json": {"example": {"error": _EXAMPLES[status]}}},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": _RETRY_AFTER}
    return response


INFER_RESPONSES: Responses = error_responses(400, 404, 413, 415, 422, 429, 500, 503, 504) | {
    200: {
        "description": "The outputs, in the JSON or as binary data after it.",
        "content": {"application/octet-stream": {"schema": _BINARY}},
        "headers": {
            HEADER_LENGTH: {
                "description": "With binary data: number of bytes of the JSON at the start of the body.",
                "schema": {"type": "integer", "examples": [312]},
            }
        },
    }
}
INFER_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "JSON, optionally followed by binary data. The body may be compressed with gzip or deflate.",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/InferRequestBody"}},
            "application/octet-stream": {"schema": _BINARY},
        },
    }
}
"""`openapi_extra` of the inference routes."""
