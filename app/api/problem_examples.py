"""The status, title, condition and example of each problem code."""

from dataclasses import dataclass

from app.api.problem_codes import ProblemCode
from app.api.problems import INTERNAL_TITLE, INVALID_TITLE, UNEXPECTED, title_of
from app.api.schemas.problem import InvalidFieldBody, ProblemBody
from app.errors import every_error


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of problem.

    when: the condition under which it is returned
    detail: an example of its message
    is_temporary: whether the response has `Retry-After`
    """

    status: int
    title: str
    when: str
    detail: str
    is_temporary: bool = False


_OF_HTTP: dict[ProblemCode, Problem] = {
    ProblemCode.INVALID_REQUEST: Problem(
        422,
        INVALID_TITLE,
        "a field or parameter is missing, unknown, repeated or has an invalid value; `errors` lists each of them",
        "query.version: Input should be greater than or equal to 1",
    ),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: Problem(
        415,
        "Unsupported Media Type.",
        "the body's `Content-Type` or `Content-Encoding` is not accepted; the header `Accept` or `Accept-Encoding` "
        "lists the accepted ones",
        "a body of the Content-Type 'text/plain' is not taken; send image/png",
    ),
    ProblemCode.BAD_REQUEST: Problem(
        400,
        "Bad Request.",
        "the body is incomplete, or is not the multipart form or the encoding that its headers announce",
        "the form is incomplete: it ends before its closing boundary; send all of it",
    ),
    ProblemCode.NOT_FOUND: Problem(404, "Not Found.", "there is no such route", "Not Found"),
    ProblemCode.METHOD_NOT_ALLOWED: Problem(
        405, "Method Not Allowed.", "the path does not take this method", "this path does not take GET; it takes POST"
    ),
    ProblemCode.INTERNAL_ERROR: Problem(
        500, INTERNAL_TITLE, "a fault of the server; it is logged with the ID of the request", UNEXPECTED
    ),
}
"""The problems without a class in `app.errors`."""
PROBLEMS: dict[ProblemCode, Problem] = {
    **{
        ProblemCode(kind.code): Problem(kind.status, title_of(kind), kind.when, kind.example, bool(kind.retry_within_s))
        for kind in every_error()
        if "when" in vars(kind)
    },
    **_OF_HTTP,
}
"""All problems. A class of `app.errors` that defines `when` must have a code of ProblemCode."""


def example_of(code: ProblemCode) -> ProblemBody:
    """An example of a problem with this code."""
    problem = PROBLEMS[code]
    field, _, message = problem.detail.partition(": ")
    return ProblemBody(
        type=f"urn:tessera:problem:{code}",
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        code=code,
        instance="/v1/models/default/predict",
        request_id="7d0f6c4b9f0e4a7f8a3c5e2b1d9f6a80",
        errors=[InvalidFieldBody(field=field, message=message)] if code is ProblemCode.INVALID_REQUEST else None,
    )
