"""The mask of a picture's defects."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.data import MAX_PIXELS, LabelledPicture
from app.decoding import decode
from app.errors import InvalidDataset, InvalidImage, TooManyPixels
from app.tiling import Size


@dataclass(frozen=True, slots=True)
class Mask:
    """The defects of a picture."""

    inside: NDArray[np.bool_]  # [H,W], the picture's size, true in defects
    file_size: Size | None  # (height, width) of the mask's file; None: there is no file


def read_mask(picture: LabelledPicture, size: Size) -> Mask | None:
    """The mask of a picture of this (height, width): true where the mask's file is not black.

    Without a file, a good picture has a mask that is all false, and an anomalous picture has none: None. A mask of
    another size is resized to `size` by nearest pixels. Raises InvalidDataset if the file cannot be read, or if its
    aspect ratio differs by more than a pixel along an edge of the smaller of the two.
    """
    if picture.mask is None:
        return None if picture.anomalous else Mask(np.zeros(size, bool), None)
    try:
        pixels = decode(picture.mask.read_bytes(), max_pixels=MAX_PIXELS).numpy()
    except (InvalidImage, TooManyPixels, OSError) as error:
        raise InvalidDataset(f"the mask {picture.mask} cannot be read: {error}") from error
    mask = np.asarray(pixels.any(0), bool)
    rows, columns = mask.shape
    if (rows, columns) == size:
        return Mask(mask, size)
    height, width = size
    if abs(rows * width - columns * height) > max(min(height, rows), min(width, columns)):
        raise InvalidDataset(
            f"the mask {picture.mask} has {columns} x {rows} pixels and its picture {width} x {height}: another aspect "
            "ratio; use masks of the size of their pictures"
        )
    down, across = ((np.arange(new) * 2 + 1) * old // (2 * new) for new, old in zip(size, mask.shape, strict=True))
    return Mask(mask[np.ix_(down, across)], (rows, columns))
