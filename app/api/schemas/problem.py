"""The body of every error."""

from pydantic import BaseModel, Field

from app.api.problem_codes import ProblemCode


class InvalidFieldBody(BaseModel):
    """A part of the request that cannot be taken."""

    field: str = Field(description="Where it is.", examples=["query.version"])
    message: str = Field(description="What is wrong with it.", examples=["Input should be greater than or equal to 1"])


class ProblemBody(BaseModel):
    """Problem details, RFC 9457."""

    type: str = Field(description="Names the kind of problem.", examples=["urn:tessera:problem:too_many_pixels"])
    title: str = Field(
        description="The kind of problem, in a sentence.",
        examples=["The picture has more pixels than the limit, by its header."],
    )
    status: int = Field(description="The HTTP status.", examples=[413])
    detail: str = Field(
        description="What was wrong, which limit was met, and what would work.",
        examples=["The picture has 10000 x 8000 pixels, over the limit of 67,108,864; send a smaller one"],
    )
    code: ProblemCode = Field(description="The kind of problem, for programs to compare.", examples=["too_many_pixels"])
    instance: str = Field(description="The path that was asked for.", examples=["/v1/models/default/predict"])
    request_id: str = Field(
        description="By which the request is found in the log; also in `X-Request-ID`.",
        examples=["7d0f6c4b9f0e4a7f8a3c5e2b1d9f6a80"],
    )
    errors: list[InvalidFieldBody] | None = Field(
        default=None, description="With `invalid_request`, each thing that is wrong."
    )
