"""The body of a batch."""

from pydantic import BaseModel, Field

from app.api.schemas.prediction import PredictionBody
from app.api.schemas.problem import ProblemBody


class BatchItemBody(BaseModel):
    """What came of one picture: a prediction or a problem, and never both."""

    index: int = Field(ge=0, description="The picture's place in the form, from 0 on.", examples=[0])
    file: str = Field(description="The name that the form gave it.", examples=["screw-017.png"])
    prediction: PredictionBody | None = Field(default=None, description="Absent if there is a problem.")
    problem: ProblemBody | None = Field(default=None, description="Absent if there is a prediction.")


class BatchBody(BaseModel):
    """What came of each picture."""

    items: list[BatchItemBody] = Field(description="One for each picture, in the order of the form.")
