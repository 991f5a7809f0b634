"""The routes that set and remove the review of a kept picture."""

from time import time

from fastapi import APIRouter, Request, Response

from app.api.access import key_of
from app.api.dependencies import PicturesDep
from app.api.openapi import problem_responses
from app.api.pictures.body import REVIEW_BODY, ReviewRequest
from app.api.pictures.parameters import (
    CHANGE_PROBLEMS,
    PREFIX,
    TAGGED_RESPONSE,
    IfMatch,
    PictureId,
    require_match,
    tag_of,
)
from app.api.problem_codes import ProblemCode
from app.api.schemas.kept import KeptPictureBody

router = APIRouter(prefix=PREFIX, tags=["reviews"])


@router.put(
    "/{picture}/review",
    summary="Review a kept picture",
    response_model=KeptPictureBody,
    response_model_exclude_none=True,
    response_description="The picture with its review.",
    responses=TAGGED_RESPONSE
    | problem_responses(*CHANGE_PROBLEMS, ProblemCode.INVALID_REVIEW, ProblemCode.TOO_MANY_BYTES),
    openapi_extra=REVIEW_BODY,
    name="put_review",
)
async def put(
    picture: PictureId,
    pictures: PicturesDep,
    request: Request,
    body: ReviewRequest,
    response: Response,
    if_match: IfMatch = None,
) -> KeptPictureBody:
    """Sets what a person says about a picture. The review before is replaced as a whole."""
    found = await pictures.call(pictures.store.get, picture)
    require_match(found, if_match)
    key = key_of(request.scope)
    review = body.review(key.name if key else "", time())
    changed = await pictures.call(pictures.store.review, picture, found.revision, review)
    response.headers["ETag"] = tag_of(changed)
    return KeptPictureBody.of(changed, tag_of(changed))


@router.delete(
    "/{picture}/review",
    summary="Remove a review",
    response_model=KeptPictureBody,
    response_model_exclude_none=True,
    response_description="The picture without a review.",
    responses=TAGGED_RESPONSE | problem_responses(*CHANGE_PROBLEMS),
    name="delete_review",
)
async def remove(
    picture: PictureId, pictures: PicturesDep, response: Response, if_match: IfMatch = None
) -> KeptPictureBody:
    """Removes the review of a picture, which then counts as not reviewed."""
    found = await pictures.call(pictures.store.get, picture)
    require_match(found, if_match)
    changed = await pictures.call(pictures.store.review, picture, found.revision, None)
    response.headers["ETag"] = tag_of(changed)
    return KeptPictureBody.of(changed, tag_of(changed))
