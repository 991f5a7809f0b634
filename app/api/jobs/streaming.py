"""Responses that stream a stored file, or a range of it (RFC 9110, section 14)."""

import asyncio
import re
from collections.abc import AsyncIterator

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from app.store import ResultFile

CHUNK_BYTES = 2**20
_RANGE = re.compile(r"bytes=(?P<first>\d{0,19})-(?P<last>\d{0,19})")


async def streamed(file: ResultFile, media_type: str, headers: dict[str, str]) -> Response:
    """A response with the whole file. Raises ResultsUnavailable."""
    return StreamingResponse(await _pieces(file, 0, file.size), media_type=media_type, headers=headers)


async def streamed_range(file: ResultFile, request: Request, media_type: str, headers: dict[str, str]) -> Response:
    """A response with the range that the request names, or the whole file. Raises ResultsUnavailable.

    Of several ranges, the whole file is sent, as RFC 9110 allows. `headers` has the tag of the file.
    """
    headers = headers | {"Accept-Ranges": "bytes"}
    is_current = request.headers.get("If-Range", headers["ETag"]) == headers["ETag"]
    found = _limits(request.headers.get("Range", ""), file.size) if is_current else None
    start, end = found or (0, file.size)
    if start >= end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{file.size}"})
    if found:
        headers |= {"Content-Range": f"bytes {start}-{end - 1}/{file.size}"}
    headers |= {"Content-Length": str(end - start)}
    return StreamingResponse(await _pieces(file, start, end), 206 if found else 200, headers, media_type)


def _limits(header: str, size: int) -> tuple[int, int] | None:
    """The first byte of a range, and the one after its last; None: the header has no range, or not one."""
    found = _RANGE.fullmatch(header.strip())
    if found is None or found["first"] + found["last"] == "":
        return None
    if not found["first"]:
        return max(size - int(found["last"]), 0), size
    first, last = int(found["first"]), int(found["last"] or size)
    return None if last < first and found["last"] else (first, min(last + 1, size))


async def _pieces(file: ResultFile, start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes of a file. The first ones are read now, so that a store that is away is an error of its own."""
    first = await asyncio.to_thread(file.read, start, min(start + CHUNK_BYTES, end))

    async def rest() -> AsyncIterator[bytes]:
        yield first
        for at in range(start + CHUNK_BYTES, end, CHUNK_BYTES):
            yield await asyncio.to_thread(file.read, at, min(at + CHUNK_BYTES, end))

    return rest()
