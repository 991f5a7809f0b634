"""The body of every error."""

from pydantic import BaseModel, Field


class InvalidFieldBody(BaseModel):
    """A part of the request that cannot be taken."""

    field: str = Field(description="Where it is.", examples=["query.version"])
    message: str = Field(description="What is wrong with it.")


class ProblemBody(BaseModel):
    """Problem details, RFC 9457."""

    type: str = Field(description="Names the kind of problem.", examples=["urn:tessera:problem:too_many_pixels"])
    title: str = Field(description="The kind of problem, in a sentence.")
    status: int = Field(description="The HTTP status.", examples=[413])
    detail: str = Field(description="What was wrong, which limit was met, and what would work.")
    code: str = Field(description="The kind of problem, for programs to compare.", examples=["too_many_pixels"])
    instance: str = Field(description="The path that was asked for.", examples=["/v1/models/default/predict"])
    request_id: str = Field(description="By which the request is found in the log; also in `X-Request-ID`.")
    errors: list[InvalidFieldBody] | None = Field(
        default=None, description="With `invalid_request`, each thing that is wrong."
    )
