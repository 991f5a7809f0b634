"""Uploads of the pictures of jobs, in parts, by the core of the protocol tus 1.0.0 (https://tus.io/protocols).

A job's pictures are made with it, with their lengths, so that its extension `creation` is not needed. A picture is the
resource: HEAD tells the offset, and PATCH sends the next part.
"""

import asyncio
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from app.api.dependencies import JobsDep, Viewer
from app.api.jobs.parameters import ADMISSION_PROBLEMS, JOB_PROBLEMS, PICTURE, PREFIX, JobId, PictureNumber
from app.api.openapi import BINARY, Responses, problem_responses
from app.api.picture_body import media_type
from app.api.problem_codes import ProblemCode
from app.api.schemas.job import JobPictureBody
from app.jobs import Jobs, Part
from app.store import JobPicture

router = APIRouter(prefix=PREFIX, tags=["jobs"])

PART = "application/offset+octet-stream"
VERSION = "1.0.0"
WRITTEN_BYTES = 2**20
"""Bytes of a part are written when there are so many."""

_COUNT = {"type": "integer", "minimum": 0}
OFFSET_HEADERS: dict[str, Any] = {
    "Upload-Offset": {"description": "Bytes that the server has on its disk.", "schema": _COUNT},
    "Upload-Length": {"description": "Bytes of the whole file.", "schema": _COUNT},
    "Tus-Resumable": {"description": "Version of the protocol tus.", "schema": {"type": "string"}},
}
_SHOWN: Responses = {200: {"headers": OFFSET_HEADERS}}
_STORED: Responses = {204: {"headers": OFFSET_HEADERS}}
PART_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {PART: {"schema": BINARY}}}}

Offset = Annotated[
    int,
    Header(alias="Upload-Offset", ge=0, le=2**53, description="Offset of the part's first byte.", examples=[0]),
]


@router.get(
    PICTURE,
    summary="Show a picture of a job",
    response_model=JobPictureBody,
    response_model_exclude_none=True,
    response_description="The picture. HEAD returns the headers only: an upload goes on at `Upload-Offset`.",
    responses=_SHOWN | problem_responses(*JOB_PROBLEMS),
    name="get_job_picture",
)
async def show(job: JobId, picture: PictureNumber, jobs: JobsDep, viewer: Viewer, response: Response) -> JobPictureBody:
    """Returns a picture of a job with its progress, and how much of its upload has arrived."""
    found = await jobs.call(jobs.picture, job, picture, viewer)
    response.headers.update(_headers(found))
    return JobPictureBody.of(found)


@router.patch(
    PICTURE,
    status_code=204,
    response_class=Response,
    summary="Upload a part of a picture",
    response_description="The part is on the disk.",
    responses=_STORED
    | problem_responses(
        *JOB_PROBLEMS,
        *ADMISSION_PROBLEMS,
        ProblemCode.UPLOAD_CONFLICT,
        ProblemCode.UNSUPPORTED_MEDIA_TYPE,
        ProblemCode.BAD_REQUEST,
    ),
    openapi_extra=PART_BODY,
    name="upload_job_part",
)
async def upload(
    job: JobId, picture: PictureNumber, request: Request, jobs: JobsDep, viewer: Viewer, offset: Offset
) -> Response:
    """Takes the next part of a picture (tus 1.0.0). After the last one the picture is read, and queued.

    What arrived of a part that broke off counts: HEAD returns where to go on. If a complete picture cannot be queued
    for lack of room, send an empty part at its end to try again.
    """
    if media_type(request) != PART:
        raise HTTPException(415, f"the part must have the Content-Type {PART} (tus 1.0.0)")
    if (version := request.headers.get("Tus-Resumable", VERSION)) != VERSION:
        raise HTTPException(400, f"the server speaks tus {VERSION}, and the request tus {version[:20]}")
    part = await jobs.call(jobs.intake.part, job, picture, viewer, offset)
    try:
        await _receive(request, part, jobs)
    except ClientDisconnect:
        return Response(status_code=204)  # nobody reads it
    found = await jobs.call(jobs.intake.accept, job, picture, viewer)
    return Response(status_code=204, headers=_headers(found))


async def _receive(request: Request, part: Part, jobs: Jobs) -> None:
    """Writes the body, and makes it durable, also if it breaks off."""
    held = bytearray()
    try:
        async with aclosing(request.stream()) as stream:
            async for chunk in stream:
                held += chunk
                if len(held) >= WRITTEN_BYTES:
                    data, held = bytes(held), bytearray()
                    await jobs.call(part.write, data)
        await jobs.call(part.write, bytes(held))
        held.clear()
    except ClientDisconnect:
        await jobs.call(part.write, bytes(held))
        raise
    finally:
        await asyncio.shield(jobs.call(part.close))


def _headers(picture: JobPicture) -> dict[str, str]:
    return {
        "Upload-Offset": str(picture.offset),
        "Upload-Length": str(picture.length),
        "Tus-Resumable": VERSION,
        "Cache-Control": "no-store",
    }
