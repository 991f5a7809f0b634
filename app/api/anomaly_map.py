"""The route that returns an anomaly map as a file."""

from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import Field, model_validator
from starlette.responses import Response

from app.admission import MAP_FILE_BYTES
from app.api.answer_headers import answer_headers
from app.api.dependencies import CatalogueDep, ModelName, PredictorDep, Timeout, VerdictsDep
from app.api.loading import loaded
from app.api.openapi import PICTURE_PROBLEMS, binary_response, problem_responses
from app.api.options import ThresholdQuery
from app.api.picture_body import PICTURE_BODY, PictureDep
from app.rendering import MAP_MEDIA_TYPES, MapFormat
from app.service import Rendering, Upload
from app.service.pictures import map_file

router = APIRouter(tags=["predictions"])


class MapQuery(ThresholdQuery):
    """Query parameters of an anomaly map."""

    format: MapFormat = Field(
        default=MapFormat.npy,
        description="File format. `npy` (NumPy) and `tiff` hold float32 values; `png16` is a 16-bit grey PNG in which "
        "65535 stands for 1.",
        examples=["npy"],
    )
    normalised: bool | None = Field(
        default=None,
        description="true: values are in [0, 1], with the calibrated threshold at 0.5. false: values are the "
        "detector's distances. Default: false, except for `png16`, which is always normalised.",
        examples=[True],
    )

    @model_validator(mode="after")
    def _png_is_normalised(self) -> Self:
        if self.format is MapFormat.png16 and self.normalised is False:
            raise ValueError("png16 is always normalised; use format=npy or format=tiff for the detector's distances")
        return self


@router.post(
    "/v1/models/{model}/anomaly-map",
    response_class=Response,
    summary="Compute an anomaly map",
    responses=problem_responses(*PICTURE_PROBLEMS)
    | binary_response(*MAP_MEDIA_TYPES.values(), description="The anomaly map, in the requested file format."),
    openapi_extra=PICTURE_BODY,
)
async def anomaly_map(
    model: ModelName,
    picture: PictureDep,
    catalogue: CatalogueDep,
    predictor: PredictorDep,
    verdicts: VerdictsDep,
    query: Annotated[MapQuery, Query()],
    timeout_s: Timeout = None,
) -> Response:
    """Returns one anomaly value for each pixel of the uploaded picture, or of its region of interest, as a file."""
    normalised = query.format is MapFormat.png16 if query.normalised is None else query.normalised
    rendering = Rendering(partial(map_file, format=query.format, normalised=normalised), MAP_FILE_BYTES)
    artifact, timeout_s = await loaded(catalogue, model, query.version, timeout_s)
    answer = await predictor.predict(
        artifact, Upload(picture.file, picture.filename or ""), rendering, timeout_s, query.question()
    )
    await verdicts.tell(answer.predicted, picture.filename)
    headers = answer_headers(answer.predicted)
    return Response(answer.rendered, media_type=MAP_MEDIA_TYPES[query.format], headers=headers)
