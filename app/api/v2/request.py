"""The body of an inference: JSON, and the binary data that may follow it."""

import asyncio
from dataclasses import dataclass

from fastapi import Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from app.api.v2.invalid import invalid, malformed, too_large
from app.api.v2.pictures import INPUT
from app.api.v2.schemas.inference import InferInputBody, InferRequestBody

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_JSON_BYTES = 32 * 2**20
"""The limit on the JSON of a request. Larger JSON takes seconds to parse and many times its size in memory."""


@dataclass(frozen=True, slots=True)
class Message:
    """The JSON of a request, and the bytes after it."""

    body: InferRequestBody
    binary: memoryview


async def read_message(request: Request, header_length: str | None) -> Message:
    """The parsed body of a request with this `Inference-Header-Content-Length`; raises HTTPException."""
    try:
        body = await request.body()
    except ClientDisconnect as error:
        raise malformed("the body ended before it was complete") from error
    return await asyncio.to_thread(_parse, body, header_length)


def _parse(body: bytes, length: str | None) -> Message:
    end = len(body) if length is None else _length(length, len(body))
    if length is not None and end == 0:
        return _picture(body)
    if end > MAX_JSON_BYTES:
        raise too_large(
            f"the JSON has {end:,} bytes, and {MAX_JSON_BYTES:,} are read; send the tensor as binary data after it"
        )
    try:
        parsed = InferRequestBody.model_validate_json(body[:end])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "json_invalid":
            raise malformed(
                f"the body is not JSON ({first['msg']}); if binary data follows it, {HEADER_LENGTH} says where it ends"
            ) from error
        raise invalid(f"{place}: {first['msg']}" if place else first["msg"]) from error
    return Message(parsed, memoryview(body)[end:])


def _length(given: str, available: int) -> int:
    if not (given.isascii() and given.isdecimal()) or len(given) > 18:
        raise malformed(f"{HEADER_LENGTH} is {given[:40]!r}; give the number of bytes of the JSON")
    if int(given) > available:
        raise malformed(f"{HEADER_LENGTH} is {given}, and the body has {available:,} bytes; give those of its JSON")
    return int(given)


def _picture(data: bytes) -> Message:
    """The message of a body without JSON, which is the file of a picture: the extension's raw binary request."""
    binary = len(data).to_bytes(4, "little") + data
    parameters = {"binary_data_size": len(binary)}
    tensor = InferInputBody(name=INPUT, shape=[1], datatype="BYTES", parameters=dict(parameters))
    return Message(InferRequestBody(parameters={"binary_data_output": True}, inputs=[tensor]), memoryview(binary))
