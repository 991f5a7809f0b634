"""The route that replaces the zones of a model."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field

from app.api.access import user_of
from app.api.conditional import tag_matches
from app.api.dependencies import ModelName, Services, ServicesDep, ZonesDep
from app.api.json_body import read_body
from app.api.openapi import MODEL_PROBLEMS, Responses, problem_responses
from app.api.picture_body import media_type, unsupported
from app.api.problem_codes import ProblemCode
from app.api.reload import reload_everywhere
from app.api.schemas.zone import ZoneBody, ZonesWrittenBody
from app.api.zones import MEDIA_TYPE, ZonesQuery, tag_of
from app.errors import TagRequired
from app.service.zones import VersionZones, ZonesChange
from app.zones import MOST_BYTES

router = APIRouter(prefix="/v1/models", tags=["models"])

JSON = "application/json"
TAKEN = (MEDIA_TYPE, JSON)

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="`ETag` of the zones as they were read, or `*` to replace any. If another version serves since, "
        "the response is 412, and nothing is written.",
        examples=['W/"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"'],
    ),
]
_EXAMPLE = {
    "type": "FeatureCollection",
    "image": {"width": 1280, "height": 960},
    "features": [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1280, 0], [1280, 40], [0, 40], [0, 0]]]},
            "properties": {"name": "clamp", "ignore": True},
        }
    ],
}
_SCHEMA = {"schema": {"type": "object", "additionalProperties": True, "example": _EXAMPLE}}
"""Any object: the documents of several programs are taken."""
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The zones, which replace all: GeoJSON as `GET` answers it, or as QuPath and QGIS write "
        f"it, also as `{MEDIA_TYPE}`; or a document of labelme. Without a polygon, the version has no zones.",
        "content": {JSON: _SCHEMA},  # one type, because generators of clients disagree on several with one schema
    }
}
_TAGGED: Responses = {
    200: {"headers": {"ETag": {"description": "Tag of the zones of `version`.", "schema": {"type": "string"}}}}
}


class ZonesChangeQuery(ZonesQuery):
    """Query parameters of new zones."""

    ignore: bool = Field(
        default=False,
        description="Ignore the areas for which the body says nothing else, such as the regions of an answer.",
        examples=[False],
    )


async def _content(request: Request) -> bytes:
    if media_type(request) not in TAKEN:
        raise unsupported(media_type(request), TAKEN)
    return await read_body(request, MOST_BYTES, "draw the zones with fewer points")


@router.put(
    "/{model}/zones",
    summary="Replace the zones of a model",
    response_model=ZonesWrittenBody,
    response_description="The version that was written.",
    responses=_TAGGED
    | problem_responses(
        *MODEL_PROBLEMS,
        ProblemCode.VERSION_NOT_FOUND,
        ProblemCode.MODEL_LOADING,
        ProblemCode.INVALID_ZONES,
        ProblemCode.ZONES_CONFLICT,
        ProblemCode.ZONES_REFUSED,
        ProblemCode.TAG_REQUIRED,
        ProblemCode.TOO_MANY_BYTES,
        ProblemCode.UNSUPPORTED_MEDIA_TYPE,
        ProblemCode.OVERLOADED,
        ProblemCode.ENGINE_STOPPED,
        ProblemCode.UNREADABLE_REPOSITORY,
    ),
    openapi_extra=_BODY,
    name="put_model_zones",
)
async def put_zones(
    model: ModelName,
    content: Annotated[bytes, Depends(_content)],
    query: Annotated[ZonesChangeQuery, Query()],
    request: Request,
    services: ServicesDep,
    editor: ZonesDep,
    response: Response,
    if_match: IfMatch = None,
) -> ZonesWrittenBody:
    """Writes the next version of a model, which shares the weights of `version` and has these zones.

    The answer comes when this server, and on a cluster every replica, has loaded the version, which then serves unless
    another one is pinned. Other servers of the repository find it with their next scan. `tessera models rollback`
    returns to the version before.
    """
    if if_match is None:
        raise TagRequired("send the ETag of the zones as If-Match, so that no other zones are overwritten unseen")
    change = ZonesChange(
        content,
        query.ignore,
        matches=lambda digest: tag_matches(tag_of(digest), if_match),
        by=user_of(request.scope),
    )
    source, found = await asyncio.to_thread(editor.write, model, query.version, change)
    response.headers["ETag"] = tag_of(found.digest)
    return await _answer(services, source.version, found)


async def _answer(services: Services, source: int, found: VersionZones) -> ZonesWrittenBody:
    """The body for the zones of a version, after all servers have looked for new versions."""
    name, version = found.entry.name, found.entry.version
    (own,), replicas = await reload_everywhere(services, name)
    refused = next((each.error for each in own.failed if each.version == version), None)
    return ZonesWrittenBody(
        model=name,
        version=version,
        source=source,
        written=version != source,
        live=own.newest,
        error=refused,
        zones=[ZoneBody.of(zone, found.calibration) for zone in found.zones.zones] if found.zones else [],
        replicas=replicas,
    )
