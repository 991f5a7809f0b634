"""Reads labelled pictures and their masks."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from app.data import LabelledPicture, Loader, OnUnreadable, UnreadablePolicy
from app.errors import InvalidDataset
from app.evaluation.mask import Mask, read_mask
from app.evaluation.result import Unreadable

Labelled = tuple[LabelledPicture, Tensor, Mask]
"""A picture, its pixels [C,H,W], and its mask."""


def read(
    pictures: Sequence[LabelledPicture], workers: int, on_unreadable: OnUnreadable
) -> Iterator[Labelled | Unreadable]:
    """Yields the pictures in order.

    A picture that cannot be read, or whose mask cannot be read, raises InvalidDataset (`stop`) or is yielded as
    Unreadable (`skip`).
    """
    unreadable: list[Unreadable] = []
    policy = UnreadablePolicy(
        on_unreadable, lambda path, reason: unreadable.append(Unreadable(path, f"{path} cannot be read: {reason}"))
    )
    with Loader([picture.path for picture in pictures], workers, policy, keep_bytes=0) as loader:
        for number, image in loader.numbered():
            yield from unreadable
            unreadable.clear()
            picture = pictures[number]
            try:
                mask = read_mask(picture, (image.shape[1], image.shape[2]))
            except InvalidDataset as error:
                if on_unreadable == "stop":
                    raise
                yield Unreadable(picture.path, str(error))
            else:
                yield picture, image, mask
    yield from unreadable
