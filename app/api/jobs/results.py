"""The results of the pictures of jobs: predictions, pyramids and their tiles."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from app.api.caching import RANGED
from app.api.conditional import IfNoneMatch, tag_matches
from app.api.dependencies import JobsDep, Viewer
from app.api.jobs.parameters import JOB_PROBLEMS, PICTURE, PREFIX, JobId, PictureNumber
from app.api.jobs.streaming import streamed, streamed_range
from app.api.openapi import BINARY, Responses, problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.job import JobRegionsBody, PyramidBody
from app.api.schemas.prediction import PredictionBody
from app.jobs import Layer
from app.store import ResultFile

router = APIRouter(prefix=PREFIX, tags=["jobs"])

RESULT_PROBLEMS = (*JOB_PROBLEMS, ProblemCode.JOB_NOT_DONE, ProblemCode.RESULTS_UNAVAILABLE)
FRESH = "private, no-cache"
KEPT = "private, max-age=3600"
"""Results do not change while they are there, and belong to one key."""
_NOT_MODIFIED: Responses = {304: {"description": "Not modified: a tag in `If-None-Match` is still current."}}
_TAG: dict[str, Any] = {"ETag": {"description": "Tag of the file.", "schema": {"type": "string"}}}

_TILE: Responses = {
    200: {
        "description": "The tile: a JPEG of the overlay, a PNG of the mask and the map.",
        "content": {"image/jpeg": {"schema": BINARY}, "image/png": {"schema": BINARY}},
    }
}

LayerName = Annotated[Layer, Path(description="`overlay`, `mask` or `map`.", examples=["overlay"])]
_MOST = 2**31 - 1
Level = Annotated[int, Path(ge=0, le=_MOST, description="Level; 0 has the picture's size.", examples=[0])]
Column = Annotated[int, Path(ge=0, le=_MOST, description="Column of the tile, from 0.", examples=[0])]
Row = Annotated[int, Path(ge=0, le=_MOST, description="Row of the tile, from 0.", examples=[0])]


def _file(media_type: str, description: str) -> Responses:
    content = {media_type: {"schema": BINARY}}
    return {200: {"description": description, "content": content, "headers": _TAG}} | _NOT_MODIFIED


@router.get(
    f"{PICTURE}/result",
    summary="Get the prediction of a picture",
    response_model=PredictionBody,
    response_description="The prediction, as of `predict`.",
    responses=_NOT_MODIFIED | problem_responses(*RESULT_PROBLEMS),
    name="get_job_result",
)
async def result(
    job: JobId, picture: PictureNumber, jobs: JobsDep, viewer: Viewer, if_none_match: IfNoneMatch = None
) -> Response:
    """Returns the prediction of a picture that is done, with all its regions."""
    file = await jobs.call(jobs.result, job, picture, viewer)
    headers = {"ETag": _tag(file), "Cache-Control": FRESH}
    if tag_matches(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    return await streamed(file, "application/json", headers)


@router.get(
    f"{PICTURE}/regions",
    summary="Get the regions of a picture that are final",
    response_model=JobRegionsBody,
    response_model_exclude_none=True,
    response_description="The regions so far.",
    responses=problem_responses(*JOB_PROBLEMS),
    name="get_job_regions",
)
async def regions(job: JobId, picture: PictureNumber, jobs: JobsDep, viewer: Viewer) -> JobRegionsBody:
    """Returns the regions that no later row can change, while the picture is still being predicted."""
    await jobs.call(jobs.picture, job, picture, viewer)
    return JobRegionsBody.model_validate({"regions": await jobs.call(jobs.regions, job, picture)})


@router.get(
    f"{PICTURE}/pyramid",
    summary="Describe the pyramids of a picture",
    response_model=PyramidBody,
    response_description="The levels and their tiles.",
    responses=problem_responses(*RESULT_PROBLEMS),
    name="get_job_pyramid",
)
async def pyramid(job: JobId, picture: PictureNumber, jobs: JobsDep, viewer: Viewer) -> PyramidBody:
    """Returns the size and the levels of the pyramids of a picture that is done."""
    return PyramidBody.of(await jobs.call(jobs.pyramid, job, picture, viewer))


@router.get(
    f"{PICTURE}/files/{{layer}}",
    summary="Get a pyramid of a picture",
    response_class=Response,
    responses=_file(RANGED, "The pyramid: a tiled BigTIFF. `Range` is supported.")
    | {206: {"description": "The requested range."}, 416: {"description": "The range is not in the file."}}
    | problem_responses(*RESULT_PROBLEMS),
    name="get_job_file",
)
async def file(
    job: JobId,
    picture: PictureNumber,
    layer: LayerName,
    jobs: JobsDep,
    viewer: Viewer,
    request: Request,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Returns a pyramid of a picture that is done: the overlay, the mask, or the map (16 bits)."""
    found = await jobs.call(jobs.pyramid_file, job, picture, layer, viewer)
    headers = {"ETag": _tag(found), "Cache-Control": FRESH}
    if tag_matches(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    return await streamed_range(found, request, RANGED, headers)


@router.get(
    f"{PICTURE}/tiles/{{layer}}/{{level}}/{{x}}/{{y}}",
    summary="Get a tile of a pyramid",
    response_class=Response,
    responses=_TILE | problem_responses(*RESULT_PROBLEMS),
    name="get_job_tile",
)
async def tile(
    job: JobId,
    picture: PictureNumber,
    layer: LayerName,
    level: Level,
    x: Column,
    y: Row,
    jobs: JobsDep,
    viewer: Viewer,
) -> Response:
    """Returns the tile in column `x` and row `y` of a level of a pyramid; level 0 has the picture's own size."""
    content = await jobs.call(jobs.tile, job, picture, layer, (level, x, y), viewer)
    media_type = "image/jpeg" if layer is Layer.overlay else "image/png"
    return Response(content, media_type=media_type, headers={"Cache-Control": KEPT})


def _tag(file: ResultFile) -> str:
    return f'"{hashlib.sha256(file.tag.encode()).hexdigest()[:32]}"'
