"""The body of a request that reviews a picture."""

from typing import Annotated, Any

from fastapi import Depends, Request

from app.api.json_body import json_body, read_json
from app.api.schemas.kept import ReviewRequestBody

MAX_BYTES = 2**21
"""The limit on the body: it has room for the most points of a review."""

REVIEW_BODY: dict[str, Any] = json_body("ReviewRequestBody")
"""`openapi_extra` of the route."""


async def _review_body(request: Request) -> ReviewRequestBody:
    return await read_json(request, ReviewRequestBody, MAX_BYTES, "draw the missed areas with fewer points")


ReviewRequest = Annotated[ReviewRequestBody, Depends(_review_body)]
