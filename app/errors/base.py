"""The base of all errors."""

from collections.abc import Iterator
from typing import ClassVar


class TesseraError(Exception):
    """Anything that Tessera refuses; `code` names the reason for programs, the message for people."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    """The HTTP status of the response."""
    retry_within_s: ClassVar[int] = 0
    """If the same request may succeed later: the longest of the random times to wait, so that clients do not all return
    at once. 0: it will not succeed.
    """
    when: ClassVar[str] = ""
    """The condition of the response, for the documentation; empty: no response has this code."""
    example: ClassVar[str] = ""
    """An example of a message, for the documentation."""


def every_error(base: type[TesseraError] = TesseraError) -> Iterator[type[TesseraError]]:
    """All classes derived from `base`, each before the classes derived from it."""
    for kind in base.__subclasses__():
        yield kind
        yield from every_error(kind)
