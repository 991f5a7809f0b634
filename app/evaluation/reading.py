"""Labelled pictures and their pixels."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from app.data import LabelledPicture, Loader, OnUnreadable, UnreadablePolicy
from app.errors import InvalidDataset
from app.evaluation.mask import Mask, read_mask
from app.evaluation.result import Unreadable

Labelled = tuple[LabelledPicture, Tensor, Mask | None]
"""A picture, its pixels [C,H,W], and its mask if what is anomalous in it is known."""


def read(
    pictures: Sequence[LabelledPicture], workers: int, on_unreadable: OnUnreadable
) -> Iterator[Labelled | Unreadable]:
    """The pictures in order; those that cannot be read, or whose masks cannot, raise InvalidDataset or are reported."""
    lost: list[Unreadable] = []
    policy = UnreadablePolicy(
        on_unreadable, lambda path, reason: lost.append(Unreadable(path, f"{path} cannot be read: {reason}"))
    )
    with Loader([picture.path for picture in pictures], workers, policy, keep_bytes=0) as loader:
        for number, image in loader.numbered():
            yield from lost
            lost.clear()
            picture = pictures[number]
            try:
                mask = read_mask(picture, (image.shape[1], image.shape[2]))
            except InvalidDataset as error:
                if on_unreadable == "stop":
                    raise
                yield Unreadable(picture.path, str(error))
            else:
                yield picture, image, mask
    yield from lost
