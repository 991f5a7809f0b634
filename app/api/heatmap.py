"""The route that returns a heatmap as a PNG."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.answer_headers import answer_headers
from app.api.dependencies import CatalogueDep, ModelName, PredictorDep, Timeout, VerdictsDep
from app.api.loading import loaded
from app.api.openapi import PICTURE_PROBLEMS, binary_response, problem_responses
from app.api.options import PartialQuery
from app.api.picture_body import PICTURE_BODY, PictureDep
from app.api.problem_codes import ProblemCode
from app.service import Rendering, Upload
from app.service.pictures import STYLE_BYTES, HeatmapStyle, heatmap_png

router = APIRouter(tags=["predictions"])
StyleParameter = Annotated[
    HeatmapStyle,
    Query(
        description="`overlay`: the colours over the picture, with the contour of each defect region. `heatmap`: the "
        "colours alone. `mask`: white inside the defect regions, black elsewhere.",
        examples=["overlay"],
    ),
]


class HeatmapQuery(PartialQuery):
    """Query parameters of a heatmap."""

    style: StyleParameter = HeatmapStyle.overlay


@router.post(
    "/v1/models/{model}/heatmap",
    response_class=Response,
    summary="Render a heatmap",
    responses=problem_responses(*PICTURE_PROBLEMS, ProblemCode.PARTIAL_UNSUPPORTED)
    | binary_response("image/png", description="PNG with the size of the picture or of the region.", partial=True),
    openapi_extra=PICTURE_BODY,
)
async def heatmap(
    model: ModelName,
    picture: PictureDep,
    catalogue: CatalogueDep,
    predictor: PredictorDep,
    verdicts: VerdictsDep,
    query: Annotated[HeatmapQuery, Query()],
    timeout_s: Timeout = None,
) -> Response:
    """Returns a PNG that shows the anomalies, with the size of the uploaded picture or of its region of interest.

    With `partial`, parts that were not looked at are hatched, and grey (128) with `style=mask`.
    """
    draw = partial(heatmap_png, style=query.style, drawing=query.drawing())
    rendering = Rendering(draw, STYLE_BYTES[query.style])
    artifact, timeout_s = await loaded(catalogue, model, query.version, timeout_s)
    answer = await predictor.predict(
        artifact, Upload(picture.file, picture.filename or ""), rendering, timeout_s, query.question()
    )
    await verdicts.tell(answer.predicted, picture.filename)
    return Response(answer.rendered, media_type="image/png", headers=answer_headers(answer.predicted))
