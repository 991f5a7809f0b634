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
    """Where a picture is anomalous, [H,W] of the picture's size; and the size of the mask's file, if there is one."""

    inside: NDArray[np.bool_]
    file_size: Size | None


def read_mask(picture: LabelledPicture, size: Size) -> Mask | None:
    """True where the file is not black; all false for a good picture without a file, None for other ones.

    A mask of another size is resized to `size` by nearest pixels. Raises InvalidDataset if its aspect ratio is another
    (by more than a pixel along an edge of the smaller of the two), or if it cannot be read.
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
