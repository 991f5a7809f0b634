"""Labelled pictures and their pixels."""

from collections.abc import Iterator, Sequence
from typing import Literal

from torch import Tensor

from app.data import LabelledPicture, decoded
from app.errors import InvalidDataset
from app.evaluation.mask import Mask, read_mask
from app.evaluation.result import Unreadable

OnUnreadable = Literal["stop", "skip"]
Labelled = tuple[LabelledPicture, Tensor, Mask | None]
"""A picture, its pixels [C,H,W], and its mask if what is anomalous in it is known."""


def read(
    pictures: Sequence[LabelledPicture], workers: int, on_unreadable: OnUnreadable
) -> Iterator[Labelled | Unreadable]:
    """The pictures in order; those that cannot be read, or whose masks cannot, raise InvalidDataset or are reported."""
    number = 0
    while number < len(pictures):
        pixels = decoded([picture.path for picture in pictures[number:]], workers)
        try:
            for image in pixels:
                picture = pictures[number]
                mask = read_mask(picture, (image.shape[1], image.shape[2]))
                number += 1
                yield picture, image, mask
        except InvalidDataset as error:
            if on_unreadable == "stop":
                raise
            yield Unreadable(pictures[number].path, str(error))
            number += 1  # the following ones are read anew
