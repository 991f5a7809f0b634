"""The EXIF orientation: the rotation and flip that turn the stored pixels upright (EXIF 2.32, tag 0x0112).

This module parses the tag itself, because Pillow's `getexif` first decodes all pixels of a PNG, and warns about or
refuses other tags, which do not matter here.
"""

import struct

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8 | np.uint16]

_TAG = 0x0112
_LONG = 4
_MAX_ENTRIES = 1024  # entries are sorted, and few tags are smaller
# Axes of [C,H,W] along which the upright picture is flipped; 5 and above also swap rows and columns.
_FLIPPED: dict[int, tuple[int, ...]] = {2: (2,), 3: (1, 2), 4: (1,), 6: (2,), 7: (1, 2), 8: (1,)}


def read_orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, in an EXIF block with or without its "Exif" prefix; 1 if none can be read."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + 12 * min(count, _MAX_ENTRIES), 12):
            tag, kind = struct.unpack_from(order + "HH", tiff, entry)
            if tag == _TAG:
                (value,) = struct.unpack_from(order + ("I" if kind == _LONG else "H"), tiff, entry + 8)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass  # a damaged EXIF block does not affect the pixels
    return 1


def swaps_edges(orientation: int) -> bool:
    """Whether the stored rows are the columns of the upright picture."""
    return orientation >= 5


def as_stored(upright: Pixels, orientation: int) -> Pixels:
    """A view of the upright picture [C,H,W] with rows and columns in the order of the file; nothing is copied."""
    view = np.flip(upright, _FLIPPED.get(orientation, ()))
    return view.transpose(0, 2, 1) if swaps_edges(orientation) else view
