"""Chooses the page of a TIFF that is the picture."""

import struct
from collections.abc import Iterator

from app.decoding.tiff.directory import Directory, first_directory, pages, read_directory
from app.decoding.tiff.tags import Tag
from app.errors import UnsupportedImage

_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2  # a value of SubfileType
_MAX_PAGES = 64
_MAX_CHILDREN = 16


def picture_page(data: bytes) -> Directory:
    """The first page, unless its tags say that it is a thumbnail or a mask: then the first that is neither.

    Such a page can be in the chain of pages or among the children (SubIFDs) of the first page. If there is none, the
    first page is all that the file has. Raises ValueError or struct.error for a damaged file.
    """
    first = first_directory(data)
    if not _is_auxiliary(first):
        return first
    number = 0
    for number, page in enumerate(pages(first, _MAX_PAGES), 1):  # noqa: B007 - read after the loop
        if not _is_auxiliary(page):
            return page
    if number >= _MAX_PAGES:
        raise UnsupportedImage(
            f"{Tag.NewSubfileType} says that each of the first {_MAX_PAGES} pages is a thumbnail or a mask; "
            "save the picture as a TIFF of one page"
        )
    return next((child for child in _children(first) if not _is_auxiliary(child)), first)


def _is_auxiliary(page: Directory) -> bool:
    kind = page.integer(Tag.NewSubfileType, 0)
    return bool(kind & (_REDUCED | _MASK)) or page.integer(Tag.SubfileType, 0) == _OLD_REDUCED


def _children(page: Directory) -> Iterator[Directory]:
    for offset in page.integers(Tag.SubIFDs, _MAX_CHILDREN):
        try:
            yield read_directory(page.data, page.order, page.big, offset)
        except (ValueError, struct.error):
            continue
