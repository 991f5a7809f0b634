"""Predictions as JSON."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BeforeValidator

from app.api.dependencies import Image, ModelName, PredictorDep, Timeout, Version
from app.api.openapi import PICTURE_PROBLEMS
from app.api.schemas.prediction import PredictionBody
from app.service.pictures import Include, extras

router = APIRouter(tags=["predictions"])


def _split(values: object) -> object:
    """`include=heatmap,mask` means the same as `include=heatmap&include=mask`."""
    return [part for value in values for part in str(value).split(",") if part] if isinstance(values, list) else values


Includes = Annotated[
    list[Include],
    BeforeValidator(_split),
    Query(description="What to add to the answer; several may be repeated or separated by commas."),
]


@router.post("/v1/models/{model}/predict", responses=PICTURE_PROBLEMS, response_model_exclude_none=True, name="predict")
async def predict(
    model: ModelName,
    image: Image,
    predictor: PredictorDep,
    version: Version = None,
    include: Includes = [],  # noqa: B006
    timeout_s: Timeout = None,
) -> PredictionBody:
    """Score, label and defect regions of a picture."""
    render = partial(extras, include=frozenset(include))
    answer = await predictor.predict(model, version, await image.read(), render, timeout_s)
    return PredictionBody.of(answer.predicted, answer.timings, answer.rendered)
