"""Predictions as pictures."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.dependencies import Image, ModelName, PredictorDep, Timeout, Version
from app.api.openapi import PICTURE_PROBLEMS, binary_response
from app.service.pictures import Style, heatmap_png

router = APIRouter(tags=["predictions"])
StyleParameter = Annotated[
    Style, Query(description="Over the picture with the defects framed, on its own, or white where it is anomalous.")
]


@router.post(
    "/v1/models/{model}/heatmap",
    response_class=Response,
    responses=PICTURE_PROBLEMS | binary_response("image/png"),
)
async def heatmap(
    model: ModelName,
    image: Image,
    predictor: PredictorDep,
    version: Version = None,
    style: StyleParameter = "overlay",
    timeout_s: Timeout = None,
) -> Response:
    """A picture of the anomalies, of the uploaded picture's size."""
    render = partial(heatmap_png, style=style)
    answer = await predictor.predict(model, version, await image.read(), render, timeout_s)
    return Response(answer.rendered, media_type="image/png")
