"""The route that returns a prediction as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator, Field

from app.api.answer_headers import described_partial_header, partial_header
from app.api.dependencies import CatalogueDep, ModelName, PredictorDep, Timeout, VerdictsDep
from app.api.openapi import PICTURE_PROBLEMS, problem_responses
from app.api.options import PartialQuery, split
from app.api.picture_body import PICTURE_BODY, PictureDep
from app.api.problem_codes import ProblemCode
from app.api.schemas.prediction import PredictionBody
from app.service import Upload
from app.service.pictures import Include, rendered_extras

router = APIRouter(tags=["predictions"])


Includes = Annotated[
    list[Include],
    BeforeValidator(split),
    Query(
        description="Optional parts of the response. Repeat the parameter, or separate several values by commas.",
        examples=[["heatmap", "tiles"]],
    ),
]


class PredictionQuery(PartialQuery):
    """Query parameters of a prediction as JSON."""

    include: Includes = Field(default=[])


@router.post(
    "/v1/models/{model}/predict",
    summary="Predict",
    response_description="The prediction for the picture.",
    responses=problem_responses(*PICTURE_PROBLEMS, ProblemCode.PARTIAL_UNSUPPORTED)
    | {200: {"headers": described_partial_header()}},
    response_model_exclude_none=True,
    name="predict",
    openapi_extra=PICTURE_BODY,
)
async def predict(
    model: ModelName,
    picture: PictureDep,
    catalogue: CatalogueDep,
    predictor: PredictorDep,
    verdicts: VerdictsDep,
    query: Annotated[PredictionQuery, Query()],
    response: Response,
    timeout_s: Timeout = None,
) -> PredictionBody:
    """Returns the score, the label and the defect regions of a picture."""
    rendering = rendered_extras(frozenset(query.include), query.drawing())
    artifact = catalogue.get(model, query.version)
    answer = await predictor.predict(artifact, Upload(picture.file), rendering, timeout_s, query.question())
    await verdicts.tell(answer.predicted, picture.filename)
    response.headers.update(partial_header(answer.predicted.prediction.coverage))
    return PredictionBody.of(answer.predicted.judged, answer.timings, answer.rendered)
