"""The mask of a picture's defects."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.data import LabelledPicture
from app.data.headers import REFUSALS, reason
from app.decoding import decode_mask, read_header
from app.decoding.opening import open_picture
from app.errors import InvalidDataset
from app.tiling import Size

MAX_PIXELS = 2**26
"""The largest number of pixels of a mask, 8192 x 8192, if its picture has no more."""


@dataclass(frozen=True, slots=True)
class MaskFile:
    """What was read from the file of a mask. `app.decoding.mask` has the rules.

    size: (height, width) of the file
    defect_pixels: the number of pixels in defects, at the size of the picture
    lossy: whether the file is lossy, and was cut at half
    soft: whether the file has soft edges, or traces of a lossy file, and was cut at half
    """

    size: Size
    defect_pixels: int
    lossy: bool = False
    soft: bool = False


@dataclass(frozen=True, slots=True)
class Mask:
    """The defects of a picture.

    inside: [H,W], the picture's size, true in defects; None: it is not known where the defects are
    file: None if there is no file
    """

    inside: NDArray[np.bool_] | None
    file: MaskFile | None


def read_mask(picture: LabelledPicture, size: Size) -> Mask:
    """The mask of a picture of this (height, width).

    A good picture has no defects, whatever its mask's file says. Where the defects of an anomalous picture are is not
    known without a file, and with a file that has no pixel of a defect. A mask of another size is resized to `size` by
    nearest pixels. Raises InvalidDataset if the file cannot be read, has too many pixels, or has an aspect ratio that
    differs by more than a pixel along an edge of the smaller of the two.
    """
    if not picture.anomalous:
        return Mask(np.zeros(size, bool), None)
    if picture.mask is None:
        return Mask(None, None)
    try:
        data = picture.mask.read_bytes()
        limit = max(MAX_PIXELS, size[0] * size[1])
        header = read_header(data, max_pixels=limit)
        _require_aspect_ratio(picture, data, (header.height, header.width), size)
        found = decode_mask(data, max_pixels=limit)
    except REFUSALS as error:
        raise InvalidDataset(f"the mask {picture.mask} cannot be read: {reason(error)}") from error
    inside = _resized(found.inside, size)
    pixels = int(np.count_nonzero(inside))
    file = MaskFile((header.height, header.width), pixels, found.lossy, found.soft)
    return Mask(inside if pixels else None, file)


def _require_aspect_ratio(picture: LabelledPicture, mask: bytes, mask_size: Size, size: Size) -> None:
    (rows, columns), (height, width) = mask_size, size
    if abs(rows * width - columns * height) <= max(min(height, rows), min(width, columns)):
        return
    raise InvalidDataset(
        f"the mask {picture.mask} has {columns} x {rows} pixels and its picture {width} x {height}: another aspect "
        f"ratio; use masks of the size of their pictures{_turned(picture.path, mask)}"
    )


def _turned(picture: Path, mask: bytes) -> str:
    """A sentence about EXIF orientations, if the mask or the picture has one."""
    try:
        data = {"picture": picture.read_bytes(), "mask": mask}
        turned = [name for name, each in data.items() if open_picture(each, max_pixels=2**62).orientation != 1]
    except REFUSALS:
        return ""
    if not turned:
        return ""
    return (
        f". The EXIF orientation of the {' and of the '.join(turned)} is applied: draw masks on the upright picture, "
        "and save them upright, without an orientation"
    )


def _resized(inside: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    if inside.shape == size:
        return inside
    down, across = ((np.arange(new) * 2 + 1) * old // (2 * new) for new, old in zip(size, inside.shape, strict=True))
    return inside[np.ix_(down, across)]
