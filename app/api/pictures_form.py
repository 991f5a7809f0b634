"""Forms with several pictures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.api.form import read_form
from app.api.picture_body import FORM, media_type, unsupported
from app.errors import TooManyPictures

Item = tuple[str, UploadFile | str]
"""The name of a field, and its file or its text."""


@asynccontextmanager
async def read_pictures_form(request: Request, most: int) -> AsyncIterator[list[Item]]:
    """The fields of the form in the body, in their order. Their files are closed at the end of the context.

    Raises TooManyPictures for more than `most` files, HTTPException for a body that is no whole form, and
    InsufficientStorage.
    """
    content_type = media_type(request)
    if content_type != FORM:
        raise unsupported(content_type, (FORM,))
    try:
        async with read_form(request, most) as form:
            yield form.multi_items()
    except ClientDisconnect as error:
        raise HTTPException(400, "the body ended before it was complete") from error
    except HTTPException as error:
        if not str(error.detail).startswith("Too many files"):  # Starlette has no class for this error
            raise
        raise TooManyPictures(
            f"the form has more than {most} files; send at most {most} with a request (the server's batch_pictures)"
        ) from error
