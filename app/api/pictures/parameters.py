"""The parameters and problems that the routes of kept pictures share."""

from typing import Annotated

from fastapi import Header, Path

from app.api.conditional import tag_matches
from app.api.openapi import Responses
from app.api.problem_codes import ProblemCode
from app.errors import ReviewConflict, TagRequired
from app.store.kept import KeptPicture

PREFIX = "/v1/pictures"

PictureId = Annotated[str, Path(description="Id of the kept picture.", examples=["8f14e45fceea167a"])]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="`ETag` of the picture as it was read. If somebody else has reviewed it since, the response is "
        "412, and nothing is changed.",
        examples=['W/"8f14e45fceea167a-0"'],
    ),
]

COMMON_PROBLEMS = (
    ProblemCode.PICTURES_UNAVAILABLE,
    ProblemCode.PICTURES_DATABASE_UNAVAILABLE,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.INTERNAL_ERROR,
)
PICTURE_PROBLEMS = (*COMMON_PROBLEMS, ProblemCode.PICTURE_NOT_FOUND)
CHANGE_PROBLEMS = (*PICTURE_PROBLEMS, ProblemCode.TAG_REQUIRED, ProblemCode.REVIEW_CONFLICT)
_TAG = {"description": "Tag of the picture: it changes with its review.", "schema": {"type": "string"}}
TAGGED_RESPONSE: Responses = {200: {"headers": {"ETag": _TAG}}}
"""A response with the tag of the picture."""


def tag_of(picture: KeptPicture) -> str:
    """The entity tag of a picture with its review."""
    return f'"{picture.id}-{picture.revision}"'


def require_match(picture: KeptPicture, if_match: str | None) -> None:
    """Raises TagRequired without a tag, and ReviewConflict unless it is the picture's."""
    if if_match is None:
        raise TagRequired("send the ETag of the picture as If-Match, so that no other review is overwritten unseen")
    if not tag_matches(tag_of(picture), if_match):
        raise ReviewConflict(
            f"the tag is not that of the picture {picture.id!r} as it is now: somebody else has reviewed it meanwhile, "
            "or the tag is of another picture; read it again, then decide"
        )
