"""Answering only what has changed: entity tags (RFC 9110, sections 8.8.3 and 13.1.2)."""

import hashlib
import re
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Header

from app.service import ServedModel

CONDITIONAL_RESPONSES: dict[int | str, dict[str, Any]] = {  # FastAPI's own type
    200: {
        "headers": {
            "ETag": {
                "description": "Of a model with one version that is ready: its digest, as the weak tag "
                '`W/"<digest>"`, since answers may be compressed. It changes with what is served, and with what is '
                "told of versions that are not.",
                "schema": {"type": "string"},
            },
            "Cache-Control": {
                "description": "`no-cache`: ask with `If-None-Match` before using a copy.",
                "schema": {"type": "string"},
            },
        }
    },
    304: {"description": "What `If-None-Match` names is still so; there is no body."},
}

IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="The `ETag` of an earlier answer: 304 without a body if nothing has changed since.",
        examples=['W/"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"'],
    ),
]

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def model_etag(model: ServedModel) -> str:
    """The digest of the only version if that is ready and has no problem, or else a hash of what there is to tell.

    `CacheHeaders` makes tags weak, and what compares them here takes both kinds for one.
    """
    if len(model.versions) == 1 and model.newest is not None and model.versions[0].error is None:
        return f'"{model.newest.digest}"'
    return _hashed(
        f"{status.entry.version} {status.state} {status.artifact and status.artifact.digest} {status.error!r}"
        for status in model.versions
    )


def list_etag(models: Iterable[ServedModel]) -> str:
    """A hash of all models' tags."""
    return _hashed(f"{model.name} {model.default} {model_etag(model)}" for model in models)


def conditional_headers(etag: str) -> dict[str, str]:
    """What goes with an answer, and with 304 in its place."""
    return {"ETag": etag, "Cache-Control": "no-cache"}


def is_known(etag: str, if_none_match: str | None) -> bool:
    """Whether the client has what this tag names."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)


def _hashed(lines: Iterable[str]) -> str:
    joined = "\n".join(lines)
    return f'"{hashlib.sha256(joined.encode()).hexdigest()}"'
