"""The routes that list, show and delete kept pictures, and return their files."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.api.conditional import IfNoneMatch, tag_matches
from app.api.dependencies import PicturesDep
from app.api.openapi import BINARY, Responses, problem_responses
from app.api.pictures.cursor import cursor_of, place_of
from app.api.pictures.parameters import (
    CHANGE_PROBLEMS,
    COMMON_PROBLEMS,
    PICTURE_PROBLEMS,
    PREFIX,
    TAGGED_RESPONSE,
    IfMatch,
    PictureId,
    require_match,
    tag_of,
)
from app.api.schemas.kept import KeptPictureBody, PictureListBody
from app.pipeline import Label
from app.store.kept import Order, PictureFile, PictureQuery

router = APIRouter(prefix=PREFIX, tags=["reviews"])
MOST_PICTURES = 200
KEPT = "private, max-age=3600"
"""The files of a kept picture do not change."""
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WebP": "image/webp",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
}
_NOT_MODIFIED: Responses = {304: {"description": "Not modified: a tag in `If-None-Match` is still current."}}
_FILE: Responses = {
    200: {"description": "The file.", "content": {each: {"schema": BINARY} for each in sorted(MEDIA_TYPES.values())}}
}
_PNG: Responses = {200: {"description": "The file.", "content": {"image/png": {"schema": BINARY}}}}


class PictureListQuery(BaseModel):
    """Query parameters of the list of kept pictures."""

    model: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_.-]{1,200}$", description="Only of this model.", examples=["demo"]
    )
    label: Label | None = Field(default=None, description="Only with this label.", examples=["anomalous"])
    reviewed: bool | None = Field(default=None, description="Only with, or without, a review.", examples=[False])
    order: Order = Field(
        default=Order.uncertain,
        description="`uncertain`: the nearest to the threshold first. `newest`: the newest first.",
        examples=["uncertain"],
    )
    limit: int = Field(default=50, ge=1, le=MOST_PICTURES, description="Most pictures in the answer.", examples=[50])
    cursor: str | None = Field(
        default=None,
        max_length=100,
        description="`next` of the page before. Default: the first page.",
        examples=["0x1.47ae147ae147bp-6_17"],
    )

    def asked(self) -> PictureQuery:
        label = None if self.label is None else self.label.value
        return PictureQuery(self.model, label, self.reviewed, self.order, place_of(self.cursor), self.limit)


@router.get(
    "",
    summary="List kept pictures",
    response_model=PictureListBody,
    response_model_exclude_none=True,
    response_description="A page of pictures.",
    responses=problem_responses(*COMMON_PROBLEMS),
    name="list_pictures",
)
async def list_pictures(pictures: PicturesDep, query: Annotated[PictureListQuery, Query()]) -> PictureListBody:
    """Returns kept pictures with their verdicts and reviews."""
    asked = query.asked()
    found, place = await pictures.call(pictures.store.find, asked)
    total = await pictures.call(pictures.store.count, asked)
    return PictureListBody(
        pictures=[KeptPictureBody.of(each, tag_of(each)) for each in found], total=total, next=cursor_of(place)
    )


@router.get(
    "/{picture}",
    summary="Show a kept picture",
    response_model=KeptPictureBody,
    response_model_exclude_none=True,
    response_description="The picture's verdict and review.",
    responses=TAGGED_RESPONSE | _NOT_MODIFIED | problem_responses(*PICTURE_PROBLEMS),
    name="get_picture",
)
async def show(
    picture: PictureId, pictures: PicturesDep, response: Response, if_none_match: IfNoneMatch = None
) -> KeptPictureBody | Response:
    """Returns the verdict on a kept picture, and its review."""
    found = await pictures.call(pictures.store.get, picture)
    headers = {"ETag": tag_of(found), "Cache-Control": "private, no-cache"}
    if tag_matches(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return KeptPictureBody.of(found, headers["ETag"])


@router.get(
    "/{picture}/file",
    summary="Get the file of a kept picture",
    response_class=Response,
    responses=_FILE | problem_responses(*PICTURE_PROBLEMS),
    name="get_picture_file",
)
async def file(picture: PictureId, pictures: PicturesDep) -> Response:
    """Returns the picture's file as it came."""
    found = await pictures.call(pictures.store.get, picture)
    content = await pictures.call(pictures.store.read, picture, PictureFile.picture)
    return Response(content, media_type=MEDIA_TYPES[found.format], headers={"Cache-Control": KEPT})


@router.get(
    "/{picture}/shown",
    summary="Get a kept picture for a browser",
    response_class=Response,
    responses=_FILE | problem_responses(*PICTURE_PROBLEMS),
    name="get_picture_shown",
)
async def shown(picture: PictureId, pictures: PicturesDep) -> Response:
    """Returns the picture in a format that browsers show: its file, or a PNG of a TIFF."""
    found = await pictures.call(pictures.store.get, picture)
    is_made = await pictures.call(pictures.store.has, picture, PictureFile.shown)
    content = await pictures.call(pictures.store.read, picture, PictureFile.shown if is_made else PictureFile.picture)
    media_type = "image/png" if is_made else MEDIA_TYPES[found.format]
    return Response(content, media_type=media_type, headers={"Cache-Control": KEPT})


@router.get(
    "/{picture}/heatmap",
    summary="Get the heatmap of a kept picture",
    response_class=Response,
    responses=_PNG | problem_responses(*PICTURE_PROBLEMS),
    name="get_picture_heatmap",
)
async def heatmap(picture: PictureId, pictures: PicturesDep) -> Response:
    """Returns the heatmap of the verdict as a PNG of the whole picture, at most 1,024 pixels wide and high.

    Heat begins at 0.8 of the threshold; what is below is dark.
    """
    await pictures.call(pictures.store.get, picture)
    content = await pictures.call(pictures.store.read, picture, PictureFile.heatmap)
    return Response(content, media_type="image/png", headers={"Cache-Control": KEPT})


@router.delete(
    "/{picture}",
    status_code=204,
    summary="Delete a kept picture",
    response_description="The picture was removed, with its review.",
    responses=problem_responses(*CHANGE_PROBLEMS),
    name="delete_picture",
)
async def delete(picture: PictureId, pictures: PicturesDep, if_match: IfMatch = None) -> Response:
    """Removes a kept picture, its files and its review."""
    found = await pictures.call(pictures.store.get, picture)
    require_match(found, if_match)
    await pictures.call(pictures.store.delete, picture, found.revision)
    return Response(status_code=204)
