"""Declares the problems that every operation can answer, because they arise before its route."""

from http import HTTPStatus
from typing import Any

from app.api.admission import PROBES
from app.api.openapi import problem_responses
from app.api.origins import SAFE
from app.api.problem_codes import ProblemCode
from app.api.problem_examples import PROBLEMS

_EVERYWHERE = (ProblemCode.INVALID_HTTP, ProblemCode.CLIENT_TOO_SLOW, ProblemCode.UNKNOWN_HOST)
_INFERENCE_ERROR = {"$ref": "#/components/schemas/InferenceErrorBody"}


def declare_common_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    """Adds these problems to the responses of an operation, in the form of its protocol."""
    codes = list(_EVERYWHERE)
    if path not in PROBES:  # which have places of their own
        codes.append(ProblemCode.TOO_MANY_CONNECTIONS)
    if method.upper() not in SAFE:
        codes.append(ProblemCode.CROSS_SITE)
    responses = operation["responses"]
    if path == "/v2" or path.startswith("/v2/"):
        for code in codes:
            responses.setdefault(str(PROBLEMS[code].status), _inference_error(code))
        return
    for status, added in problem_responses(*codes).items():
        declared = responses.setdefault(str(status), added)
        if declared is not added:
            _merge(declared, added)


def _inference_error(code: ProblemCode) -> dict[str, Any]:
    problem = PROBLEMS[code]
    example = {"error": problem.detail}
    return {
        "description": f"{HTTPStatus(problem.status).phrase}.",
        "content": {"application/json": {"schema": _INFERENCE_ERROR, "example": example}},
    }


def _merge(declared: dict[str, Any], added: dict[str, Any]) -> None:
    """Adds the codes, examples and headers of a response to a declared response of the same status."""
    codes = added["description"].partition(": ")[2]
    declared["description"] = f"{declared['description'].removesuffix('.')}, {codes}"
    declared["headers"] = added.get("headers", {}) | declared.get("headers", {})
    for media_type, content in added["content"].items():
        examples = declared["content"].setdefault(media_type, content)["examples"]
        examples.update(content["examples"])
