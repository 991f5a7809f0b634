"""The body of a request for the repository index."""

from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import ValidationError

from app.api.v2.invalid import invalid, malformed, too_large
from app.api.v2.schemas.server import IndexRequestBody
from app.api.v2.stream import BodyStream

MAX_BYTES = 2**12
"""The limit on the body. FastAPI itself would read up to `max_image_bytes` and parse them on the event loop."""

JSON_SPACE = b" \t\n\r"
"""White space of JSON (RFC 8259, section 2). Python strips other characters, too."""

INDEX_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [{"$ref": "#/components/schemas/IndexRequestBody"}, {"type": "null"}],
                    "title": "Request",
                }
            }
        }
    }
}
"""`openapi_extra` of the route."""


async def _index_body(request: Request) -> IndexRequestBody:
    text = await BodyStream(request).read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise too_large(f"the body has more than {MAX_BYTES:,} bytes; send JSON such as {{}}")
    if text.strip(JSON_SPACE) in (b"", b"null"):
        return IndexRequestBody()
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise malformed(f"the body is not JSON in UTF-8 ({error}); send JSON such as {{}}") from error
    try:
        return IndexRequestBody.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise invalid(": ".join([*map(str, first["loc"]), first["msg"]])) from error


IndexRequest = Annotated[IndexRequestBody, Depends(_index_body)]
