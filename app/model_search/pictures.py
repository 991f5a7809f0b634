"""The pictures of a search: those to train on, and those to draw marks into, which no trial trains on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.data import DataModule, LabelledSplit, Report, UnreadablePolicy, read_headers, spread
from app.errors import InvalidDataset
from app.tiling import Size
from app.training.selection import alike

LEAST_FIT, LEAST_MARKED = 8, 4
MOST_MARKED = 24
HELD_OUT = 0.25
"""The share of the normal pictures that is held out if the data set has too few normal pictures for testing."""


class PartOf(DataModule):
    """Some of the normal pictures of a data set, resized to `image_size` (None: not resized)."""

    def __init__(self, data: DataModule, pictures: Sequence[Path], num_workers: int, image_size: Size | None) -> None:
        super().__init__(image_size=image_size, num_workers=num_workers, on_unreadable=data.on_unreadable)
        self._name, self._pictures = data.description, list(pictures)

    @property
    def description(self) -> str:
        return self._name

    def find_normal(self) -> list[Path]:
        return self._pictures

    def find_labelled(self) -> LabelledSplit:
        return LabelledSplit([], [])


@dataclass(frozen=True, slots=True)
class SearchPictures:
    """The pictures of a search, all of which can be read.

    fit, marked: those to train on, and those to draw marks into
    sizes: all different (height, width) of them in pixels
    """

    fit: tuple[Path, ...]
    marked: tuple[Path, ...]
    sizes: tuple[Size, ...]

    @property
    def size(self) -> Size:
        """The (height, width) of the largest picture in pixels."""
        return max(self.sizes, key=lambda size: size[0] * size[1])

    @property
    def shortest_edge(self) -> int:
        """The shortest edge of all pictures in pixels."""
        return min(map(min, self.sizes))

    def scaled(self, image_size: Size | None, scale: float) -> Size | None:
        """The size to which pictures are resized so that their edges are multiplied by `scale`; None: to none.

        image_size: the size to which the data set is resized anyway; None: to none. Raises InvalidDataset if pictures
        have different sizes, because then one size would distort them.
        """
        if scale == 1:
            return image_size
        if image_size is None and not alike(self.sizes):
            raise InvalidDataset("pictures have different sizes, and a model resizes all to one; give data.image_size")
        height, width = image_size or self.size
        return max(round(height * scale), 1), max(round(width * scale), 1)

    @property
    def fingerprint(self) -> str:
        """Differs for other pictures: the SHA-256 of names, sizes and times of change."""
        found = hashlib.sha256()
        for path in (*self.fit, *self.marked):
            status = path.stat()
            found.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
        return found.hexdigest()

    def some(self, fit: int, marked: int) -> "SearchPictures":
        """So many of both at most, spread evenly."""
        return replace(self, fit=_some(self.fit, fit), marked=_some(self.marked, marked))


def _some(every: tuple[Path, ...], count: int) -> tuple[Path, ...]:
    return tuple(spread(every, count)[1]) if count < len(every) else every


def search_pictures(data: DataModule, report: Report) -> SearchPictures:
    """Divides the normal pictures of a data set. Raises InvalidDataset if there are too few.

    Marks are drawn into normal pictures for testing. If there are too few of them, a quarter of the pictures for
    training is held out for this, also from the training of the choice: marks in pictures that the model was fitted to
    are found more easily. Calls `report` for pictures that are left out because they cannot be read.
    """
    fit = data.train_pictures()
    marked = [each.path for each in data.test_pictures() if not each.anomalous]
    headers = read_headers([*fit, *(path for path in marked if path not in set(fit))], _policy(data, report))
    fit, marked = ([path for path in paths if path in headers] for paths in (fit, marked))
    if len(marked) < LEAST_MARKED:
        total = len(fit)
        if total < LEAST_FIT + LEAST_MARKED:
            raise InvalidDataset(
                f"{data.description} has {total} normal pictures to train on; a search needs "
                f"{LEAST_FIT + LEAST_MARKED} or more: {LEAST_FIT} to train on, and {LEAST_MARKED} others to draw marks "
                "into"
            )
        fit, marked = spread(fit, min(MOST_MARKED, max(LEAST_MARKED, round(total * HELD_OUT))))
    if len(fit) < LEAST_FIT:
        raise InvalidDataset(
            f"{data.description} has {len(fit)} normal pictures to train on; a search needs {LEAST_FIT} or more"
        )
    if len(marked) > MOST_MARKED:
        _, marked = spread(marked, MOST_MARKED)
    sizes = {(headers[path].height, headers[path].width) for path in (*fit, *marked)}
    return SearchPictures(tuple(fit), tuple(marked), tuple(sorted(sizes)))


def _policy(data: DataModule, report: Report) -> UnreadablePolicy:
    return UnreadablePolicy(data.on_unreadable, report)
