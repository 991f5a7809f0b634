"""Predictions as pictures."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.answer_headers import answer_headers
from app.api.dependencies import CatalogueDep, ModelName, PredictorDep, Timeout
from app.api.openapi import PICTURE_PROBLEMS, binary_response, problem_responses
from app.api.options import DrawingQuery
from app.api.picture_body import PICTURE_BODY, PictureDep
from app.service import Upload
from app.service.pictures import Style, heatmap_png

router = APIRouter(tags=["predictions"])
StyleParameter = Annotated[
    Style,
    Query(
        description="Over the picture with the defects framed, on its own, or white where it is anomalous.",
        examples=["overlay"],
    ),
]


class HeatmapQuery(DrawingQuery):
    """What is wanted of a picture of the anomalies."""

    style: StyleParameter = "overlay"


@router.post(
    "/v1/models/{model}/heatmap",
    response_class=Response,
    summary="Draw the anomalies",
    responses=problem_responses(*PICTURE_PROBLEMS)
    | binary_response("image/png", description="A PNG of the picture's or region's size."),
    openapi_extra=PICTURE_BODY,
)
async def heatmap(
    model: ModelName,
    picture: PictureDep,
    catalogue: CatalogueDep,
    predictor: PredictorDep,
    query: Annotated[HeatmapQuery, Query()],
    timeout_s: Timeout = None,
) -> Response:
    """A picture of the anomalies, of the size of the uploaded picture, or of its region of interest."""
    render = partial(heatmap_png, style=query.style, drawing=query.drawing())
    artifact = catalogue.get(model, query.version)
    answer = await predictor.predict(artifact, Upload(picture.file), render, timeout_s, query.question())
    return Response(answer.rendered, media_type="image/png", headers=answer_headers(answer.predicted))
