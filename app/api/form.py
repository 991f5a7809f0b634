"""Multipart forms (RFC 7578)."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from email.message import Message
from email.utils import collapse_rfc2231_value

from fastapi import HTTPException, Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from app.api.charset import unknown_charset
from app.errors import InsufficientStorage
from app.shown import shown

MOST_FILES = 100
MOST_FIELDS = 16
"""The most parts of a form that are text. No route reads such parts, but all name the one that is wrong."""
MOST_TEXT_BYTES = 2**16
"""The limit on a part that is text."""
MOST_EPILOGUE_BYTES = 2**16
"""The limit on the bytes after the closing boundary, which are read and ignored."""


@asynccontextmanager
async def read_form(request: Request, max_files: int = MOST_FILES) -> AsyncIterator[FormData]:
    """The multipart form in the body. Its files are closed at the end of the context.

    Raises HTTPException for a form that is malformed, incomplete, or has more than `max_files` files, and
    InsufficientStorage.
    """
    try:
        with storing():
            async with aclosing(request.stream()) as stream:
                form = await _Parser(request.headers, stream, max_files).parse()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from error
    try:
        yield form
    finally:
        await form.close()


@contextmanager
def storing() -> Iterator[None]:
    """Converts the system's errors inside the `with` block, which stores an upload, to InsufficientStorage."""
    try:
        yield
    except OSError as error:
        raise InsufficientStorage(
            f"the upload cannot be stored: {error.strerror}; try again later, or make room in the server's temporary "
            "folder (TMPDIR)"
        ) from error


class _Parser(MultiPartParser):
    """Starlette's parser, which also refuses incomplete forms, and also reads `filename*` (RFC 5987).

    Without a check of the end, the part that is cut off counts as absent. RFC 7578 forbids `filename*` in forms, but
    older HTTP libraries send it for names beyond ASCII, often without `filename`.

    The number and the sizes of everything but files are limited. python-multipart limits the headers of a part to 8 of
    4 KiB. It reads lines that begin like a boundary byte by byte, so that their number is limited, too.
    """

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes, None], max_files: int) -> None:
        super().__init__(
            headers,
            self._whole(stream),
            max_files=max_files,
            max_fields=MOST_FIELDS,
            max_part_size=MOST_TEXT_BYTES,
        )
        self._has_ended = False
        _, parameters = parse_options_header(headers["Content-Type"])
        self._delimiter = b"\r\n--" + parameters.get(b"boundary", b"")
        self._delimiters_left = 2 * (max_files + MOST_FIELDS)

    async def _whole(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        epilogue = 0
        async for chunk in stream:
            self._delimiters_left -= chunk.count(self._delimiter)
            if self._delimiters_left < 0:
                raise MultiPartException("the form has too many parts, or lines that begin like its boundary")
            yield chunk
            if self._has_ended:
                epilogue += len(chunk) - (0 if epilogue else max(chunk.find(self._delimiter + b"--"), 0))
            if epilogue > MOST_EPILOGUE_BYTES:
                raise MultiPartException("the form goes on after its closing boundary; send nothing after it")
        if not self._has_ended:
            raise MultiPartException(
                "the form is incomplete: it ends before its closing boundary; send all of it, with a Content-Length "
                "that counts every byte"
            )

    def on_end(self) -> None:
        self._has_ended = True

    def on_headers_finished(self) -> None:
        part = self._current_part
        for header, value in part.item_headers:
            if header == b"content-type" and (charset := unknown_charset(value)) is not None:
                raise MultiPartException(f"the charset {shown(charset)} of a part is not known; send utf-8, or none")
        name = _extended_file_name(part.content_disposition or b"")
        if name is not None:
            part.content_disposition = (part.content_disposition or b"") + b'; filename=""'
        super().on_headers_finished()
        if name is not None and part.file is not None:
            part.file.filename = name


def _extended_file_name(disposition: bytes) -> str | None:
    """The value of `filename*`, or of its continuations `filename*0` and so on (RFC 2231); None if there is none.

    Empty if it cannot be decoded.
    """
    if b"filename*" not in disposition.lower():
        return None
    header = Message()
    try:
        header["Content-Disposition"] = disposition.decode("latin-1")
        parameters: list[tuple[str, str | tuple[str | None, str | None, str]]] = header.get_params(
            [], "Content-Disposition"
        )  # type: ignore[assignment]  # typeshed omits the tuples
        _, plain = parse_options_header(disposition)
        found = [
            collapse_rfc2231_value(value)
            for key, value in parameters
            if key.lower() == "filename" and (isinstance(value, tuple) or b"filename" not in plain)
        ]
    except (ValueError, TypeError, LookupError):  # what the standard library raises for malformed values
        return ""
    return found[0].encode("utf-8", "replace").decode() if found else None
