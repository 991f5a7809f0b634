"""Predictions as numbers, one per pixel."""

from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator
from starlette.responses import Response

from app.api.dependencies import Image, ModelName, PredictorDep, Timeout, Version
from app.api.openapi import PICTURE_PROBLEMS, binary_response
from app.rendering import MAP_MEDIA_TYPES, MapFormat
from app.service.pictures import map_file

router = APIRouter(tags=["predictions"])


class MapQuery(BaseModel):
    """Which map is wanted."""

    version: Version = None
    format: MapFormat = Field(
        default="npy", description="NumPy or TIFF of float32, or PNG of 16 bits: 65535 stands for 1."
    )
    normalised: bool | None = Field(
        default=None,
        description="In [0, 1] with the threshold at 0.5, or the detector's distances. By default distances, but for "
        "png16, which is always normalised.",
    )

    @model_validator(mode="after")
    def _png_is_normalised(self) -> Self:
        if self.format == "png16" and self.normalised is False:
            raise ValueError("png16 is always normalised; use format=npy or format=tiff for the detector's distances")
        return self


@router.post(
    "/v1/models/{model}/anomaly-map",
    response_class=Response,
    responses=PICTURE_PROBLEMS | binary_response(*MAP_MEDIA_TYPES.values()),
)
async def anomaly_map(
    model: ModelName,
    image: Image,
    predictor: PredictorDep,
    query: Annotated[MapQuery, Query()],
    timeout_s: Timeout = None,
) -> Response:
    """The anomaly of each pixel, as a file of the uploaded picture's size."""
    normalised = query.format == "png16" if query.normalised is None else query.normalised
    render = partial(map_file, format=query.format, normalised=normalised)
    answer = await predictor.predict(model, query.version, await image.read(), render, timeout_s)
    return Response(answer.rendered, media_type=MAP_MEDIA_TYPES[query.format])
