"""The body of an inference: JSON, and the binary data that may follow it."""

from dataclasses import dataclass

from fastapi import Request

from app.api.v2.document import read_document
from app.api.v2.invalid import malformed, too_large
from app.api.v2.parser import Parser
from app.api.v2.schemas.inference import InferInputBody, InferRequestBody
from app.api.v2.stream import BodyStream
from app.shown import shown

INPUT = "image"
HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_JSON_BYTES = 32 * 2**20
"""The limit on the JSON of a request. The parser keeps the interpreter lock while it checks the syntax of all of it."""


@dataclass(frozen=True, slots=True)
class Message:
    """The JSON of a request, and the bytes after it, which are not yet read.

    data: the JSON text of the tensor's data; None: it has none
    is_picture: the body has no JSON, and is the file of a picture
    """

    body: InferRequestBody
    data: memoryview | None
    binary: BodyStream
    is_picture: bool = False


async def read_message(request: Request, header_length: str | None, parser: Parser) -> Message:
    """The body of a request with this `Inference-Header-Content-Length`; raises HTTPException."""
    stream = BodyStream(request)
    if header_length is None:
        text = await _whole(request, stream)
    elif length := _length(header_length):
        text = await stream.read(length)
        if len(text) < length:
            raise malformed(
                f"{HEADER_LENGTH} is {length}, and the body has {len(text):,} bytes; give those of its JSON"
            )
    else:
        return _picture(stream)
    body, data = await parser.run(read_document, text)
    return Message(body, data, stream)


async def _whole(request: Request, stream: BodyStream) -> bytes:
    """The body, which is JSON only."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20:
        _check_length(int(announced))
    text = await stream.read(MAX_JSON_BYTES + 1)
    _check_length(len(text))
    return text


def _length(given: str) -> int:
    if not (given.isascii() and given.isdecimal()) or len(given) > 18:
        raise malformed(f"{HEADER_LENGTH} is {shown(given)}; give the number of bytes of the JSON")
    _check_length(int(given))
    return int(given)


def _check_length(length: int) -> None:
    if length > MAX_JSON_BYTES:
        raise too_large(
            f"the JSON has more than {MAX_JSON_BYTES:,} bytes, which is the limit; "
            "send the tensor as binary data after it"
        )


def _picture(stream: BodyStream) -> Message:
    """The message of a body without JSON, which is the file of a picture: the extension's raw binary request."""
    tensor = InferInputBody(name=INPUT, shape=[1], datatype="BYTES")
    body = InferRequestBody(parameters={"binary_data_output": True}, inputs=[tensor])
    return Message(body, None, stream, is_picture=True)
