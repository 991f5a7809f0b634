"""The body of every error under `/v2`."""

from pydantic import BaseModel, Field


class InferenceErrorBody(BaseModel):
    """An error in the Open Inference Protocol's form."""

    error: str = Field(
        description="What was wrong, which limit was exceeded, and what would work.",
        examples=["there is no model 'screw'; available: demo"],
    )
