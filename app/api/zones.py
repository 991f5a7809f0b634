"""The route that returns the zones of a version."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from app.api.conditional import CONDITIONAL_RESPONSES, IfNoneMatch, conditional_headers, tag_matches
from app.api.dependencies import ModelName, Version, ZonesDep
from app.api.openapi import MODEL_PROBLEMS, Responses, problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.annotations import AnnotationModelBody
from app.api.schemas.zone import ZonesGeoJsonBody
from app.service.zones import VersionZones
from app.zones import document_of

MEDIA_TYPE = "application/geo+json"
_SCHEMA = {"schema": {"$ref": f"#/components/schemas/{ZonesGeoJsonBody.__name__}"}}
_SUCCESS: Responses = {
    200: CONDITIONAL_RESPONSES[200] | {"content": {MEDIA_TYPE: _SCHEMA}},
    304: CONDITIONAL_RESPONSES[304],
}


class ZonesQuery(BaseModel):
    """The version of the model."""

    version: Version = None


router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get(
    "/{model}/zones",
    summary="Show the zones of a model",
    response_class=Response,
    response_description="The zones as GeoJSON.",
    responses=_SUCCESS | problem_responses(*MODEL_PROBLEMS, ProblemCode.VERSION_NOT_FOUND, ProblemCode.MODEL_LOADING),
    name="get_model_zones",
)
async def get_zones(
    model: ModelName, editor: ZonesDep, query: Annotated[ZonesQuery, Query()], if_none_match: IfNoneMatch = None
) -> Response:
    """Returns the areas of a version that do not count, or that have thresholds of their own, as polygons.

    Send the `ETag` as `If-Match` with changed zones.
    """
    found = await asyncio.to_thread(editor.read, model, query.version)
    headers = conditional_headers(tag_of(found.digest))
    if tag_matches(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(_body(found).model_dump_json(exclude_none=True), media_type=MEDIA_TYPE, headers=headers)


def tag_of(digest: str) -> str:
    """The entity tag of the zones of the version with this digest."""
    return f'"{digest}"'


def _body(found: VersionZones) -> ZonesGeoJsonBody:
    model = AnnotationModelBody(name=found.entry.name, version=found.entry.version, digest=found.digest)
    return ZonesGeoJsonBody.of(document_of(found.zones, found.calibration), model)
