"""The body of error responses, except those under `/v2`."""

from pydantic import BaseModel, Field

from app.api.problem_codes import ProblemCode


class InvalidFieldBody(BaseModel):
    """An invalid field or parameter of the request."""

    field: str = Field(description="Location of the field or parameter.", examples=["query.version"])
    message: str = Field(description="Error message.", examples=["Input should be greater than or equal to 1"])


class ProblemBody(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(description="URN of the kind of problem.", examples=["urn:tessera:problem:too_many_pixels"])
    title: str = Field(
        description="Kind of problem, as a sentence.",
        examples=["The picture has more pixels than the limit, by its header."],
    )
    status: int = Field(description="HTTP status of the problem.", examples=[413])
    detail: str = Field(
        description="What was wrong, which limit was exceeded, and what would work.",
        examples=["The picture has 10,000 x 8,000 = 80,000,000 pixels, the limit is 67,108,864 (max_pixels)"],
    )
    code: ProblemCode = Field(description="Kind of problem, for programs to compare.", examples=["too_many_pixels"])
    instance: str = Field(description="Path of the request.", examples=["/v1/models/default/predict"])
    request_id: str = Field(
        description="ID of the request in the server's log; also in the header `X-Request-ID`.",
        examples=["7d0f6c4b9f0e4a7f8a3c5e2b1d9f6a80"],
    )
    errors: list[InvalidFieldBody] | None = Field(
        default=None, description="With `invalid_request`: each invalid field or parameter."
    )
