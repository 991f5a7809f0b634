"""The body of a response to a batch."""

from pydantic import BaseModel, Field

from app.api.schemas.prediction import PredictionBody
from app.api.schemas.problem import ProblemBody


class BatchItemBody(BaseModel):
    """The result of one picture: either a prediction or a problem."""

    index: int = Field(ge=0, description="Position of the picture in the form, counted from 0.", examples=[0])
    file: str = Field(description="File name of the picture in the form; may be empty.", examples=["screw-017.png"])
    prediction: PredictionBody | None = Field(default=None, description="Prediction; absent if there is a problem.")
    problem: ProblemBody | None = Field(default=None, description="Problem; absent if there is a prediction.")


class BatchBody(BaseModel):
    """The results of all pictures of a batch."""

    items: list[BatchItemBody] = Field(description="One result for each picture, in the order of the form.")
