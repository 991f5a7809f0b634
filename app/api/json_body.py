"""Reads small JSON bodies. FastAPI itself would read up to `max_image_bytes`, and parse them on the event loop."""

from typing import TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from app.errors import TooManyBytes

B = TypeVar("B", bound=BaseModel)


async def read_json(request: Request, kind: type[B], max_bytes: int, advice: str) -> B:
    """The body of a request; raises RequestValidationError, or TooManyBytes with what would work (`advice`)."""
    text = bytearray()
    async for chunk in request.stream():
        text += chunk
        if len(text) > max_bytes:
            raise TooManyBytes(f"the body has more than {max_bytes:,} bytes; {advice}")
    try:
        return kind.model_validate_json(bytes(text))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in found]) from error
