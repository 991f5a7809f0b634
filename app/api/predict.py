"""The route that returns a prediction as JSON, or its regions in the format of an annotation tool."""

from dataclasses import replace
from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, BeforeValidator, Field, model_validator

from app.admission import OUTLINE_BYTES
from app.api.answer_headers import described_partial_header, partial_header
from app.api.dependencies import CatalogueDep, ModelName, PredictorDep, Timeout, VerdictsDep
from app.api.loading import loaded
from app.api.openapi import PICTURE_PROBLEMS, Responses, problem_responses
from app.api.options import PartialQuery, split
from app.api.picture_body import PICTURE_BODY, PictureDep
from app.api.problem_codes import ProblemCode
from app.api.schemas.annotations import CocoBody, GeoJsonBody, LabelmeBody
from app.api.schemas.prediction import PredictionBody
from app.pipeline import Question
from app.service import Rendering, Upload
from app.service.annotations import FORMATS, AnnotationFormat, annotation_file
from app.service.pictures import Include, rendered_extras

router = APIRouter(tags=["predictions"])
_BODIES: dict[AnnotationFormat, type[BaseModel]] = {
    AnnotationFormat.geojson: GeoJsonBody,
    AnnotationFormat.coco: CocoBody,
    AnnotationFormat.labelme: LabelmeBody,
}
_SUCCESS: Responses = {
    200: {
        "headers": described_partial_header(),
        "content": {
            FORMATS[format].media_type: {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}}
            for format, body in _BODIES.items()
        },
    }
}


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

    @model_validator(mode="after")
    def _has_time(self) -> Self:
        if self.partial and Include.evidence in self.include:
            raise ValueError(
                "evidence is computed after the picture, for which partial leaves no time; leave out one of them"
            )
        return self

    def question(self) -> Question:
        return replace(super().question(), evidence=Include.evidence in self.include)


class FormatQuery(PredictionQuery):
    """Query parameters of a prediction as JSON or in the format of an annotation tool."""

    format: AnnotationFormat | None = Field(
        default=None,
        description="Answers with the regions as polygons instead: `geojson` (for QuPath and QGIS), `coco` or "
        "`labelme`. Polygons follow the edges of pixels exactly. Default: the prediction as JSON, with boxes.",
        examples=["geojson"],
    )

    @model_validator(mode="after")
    def _has_no_parts(self) -> Self:
        if self.format is not None and self.include:
            raise ValueError("include has no effect on annotations; leave out include, or leave out format")
        if self.format is not None and self.partial:
            raise ValueError("annotations cannot say what was not looked at; leave out partial, or leave out format")
        return self


@router.post(
    "/v1/models/{model}/predict",
    summary="Predict",
    response_description="The prediction for the picture.",
    responses=problem_responses(*PICTURE_PROBLEMS, ProblemCode.PARTIAL_UNSUPPORTED, ProblemCode.TOO_MANY_POINTS)
    | _SUCCESS,
    response_model=PredictionBody,
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
    query: Annotated[FormatQuery, Query()],
    response: Response,
    timeout_s: Timeout = None,
) -> PredictionBody | Response:
    """Returns the score, the label and the defect regions of a picture.

    With `format`, the response is a document of an annotation tool, which has the regions as polygons.
    """
    artifact, timeout_s = await loaded(catalogue, model, query.version, timeout_s)
    if query.format is not None:
        draw = partial(annotation_file, format=query.format, picture=picture.filename or "")
        file = Rendering(draw, OUTLINE_BYTES)
        written = await predictor.predict(
            artifact, Upload(picture.file, picture.filename or ""), file, timeout_s, query.question()
        )
        await verdicts.tell(written.predicted, picture.filename)
        return Response(written.rendered, media_type=FORMATS[query.format].media_type)
    rendering = rendered_extras(frozenset(query.include), query.drawing())
    answer = await predictor.predict(
        artifact, Upload(picture.file, picture.filename or ""), rendering, timeout_s, query.question()
    )
    await verdicts.tell(answer.predicted, picture.filename)
    response.headers.update(partial_header(answer.predicted.prediction.coverage))
    return PredictionBody.of(answer.predicted.judged, answer.timings, answer.rendered, answer.evidence)
