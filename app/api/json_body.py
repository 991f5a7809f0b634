"""Reads JSON bodies with a limit of their own: FastAPI itself would read up to `max_image_bytes` on the event loop."""

from typing import TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from app.errors import TooManyBytes

Body = TypeVar("Body", bound=BaseModel)


async def read_json(request: Request, kind: type[Body], most_bytes: int, advice: str, empty: str = "") -> Body:
    """The body of a request; an empty one counts as the text `empty`.

    Raises TooManyBytes with the advice, and RequestValidationError.
    """
    text = await read_body(request, most_bytes, advice)
    try:
        return kind.model_validate_json(text or empty)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in found]) from error


async def read_body(request: Request, most_bytes: int, advice: str) -> bytes:
    """The bytes of a request's body. Raises TooManyBytes with the advice."""
    text = bytearray()
    async for chunk in request.stream():
        text += chunk
        if len(text) > most_bytes:
            raise TooManyBytes(f"the body has more than {most_bytes:,} bytes; {advice}")
    return bytes(text)


def json_body(name: str, *, required: bool = True) -> dict[str, object]:
    """`openapi_extra` of a route whose body is the schema of this name."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {"requestBody": {"required": required, "content": content}}
