"""Conditional requests with entity tags (RFC 9110, sections 8.8.3 and 13.1.2)."""

import hashlib
import re
from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel

CONDITIONAL_RESPONSES: dict[int | str, dict[str, Any]] = {  # FastAPI's own type
    200: {
        "headers": {
            "ETag": {
                "description": "Weak entity tag, because responses may be compressed. It changes "
                "whenever the body changes.",
                "schema": {"type": "string"},
            },
            "Cache-Control": {
                "description": "`no-cache`: revalidate a cached copy with `If-None-Match` before using it.",
                "schema": {"type": "string"},
            },
        }
    },
    304: {"description": "Not modified: a tag in `If-None-Match` is still current. There is no body."},
}

IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="`ETag` of an earlier response. If nothing has changed since, the response is 304 without a body.",
        examples=['W/"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"'],
    ),
]

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def entity_tag(body: BaseModel) -> str:
    """A hash of the body's JSON.

    The tag is strong; `CacheHeaders` makes it weak. `tag_matches` accepts weak and strong tags.
    """
    return f'"{hashlib.sha256(body.model_dump_json().encode()).hexdigest()}"'


def conditional_headers(etag: str) -> dict[str, str]:
    """The headers of a response with this tag, and of a 304 instead of it."""
    return {"ETag": etag, "Cache-Control": "no-cache"}


def tag_matches(etag: str, if_none_match: str | None) -> bool:
    """Whether an `If-None-Match` header contains this tag, weak or strong, or is `*`."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)
