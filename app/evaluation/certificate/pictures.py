"""Normal pictures into which marks are drawn, and whether a model finds the marks."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from app.errors import InvalidDataset
from app.pipeline import Roi, TiledModel, predict
from app.scoring import Calibration, Largest
from app.synthesis import Mark, Place, draw_mark
from app.tiling import Size

MOST_BYTES = 2**30
"""The pictures that are held in memory have at most so many bytes, but there is at least one."""

AROUND = 32
"""Pixels around a mark that are computed: most of what the mark changes in the map lies within."""


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture [C,H,W], and where its map is over the threshold without a mark: [H,W] bool."""

    image: Tensor
    over: Tensor
    alarms: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """A mark that was drawn, where, as shares of the picture's (height, width), and whether the model found it."""

    mark: Mark
    at: tuple[float, float]
    found: bool


class MarkedPictures:
    """Normal pictures, and the model that looks for marks in them.

    A mark is found if a region over the threshold of pixels overlaps the mark, and the score of its surroundings is
    over the threshold of pictures, so that the mark alone makes the picture anomalous. Places where the picture has a
    region without a mark are not used.
    """

    def __init__(self, model: TiledModel, calibration: Calibration, batch_tiles: int = 0) -> None:
        self._model, self._calibration, self._batch_tiles = model, calibration, batch_tiles
        self._pictures: list[_Picture] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._pictures)

    @property
    def is_full(self) -> bool:
        """Whether memory for further pictures is used up."""
        return self._bytes >= MOST_BYTES

    @property
    def alarms(self) -> int:
        """The number of pictures that are called anomalous without a mark."""
        return sum(each.alarms for each in self._pictures)

    @property
    def size(self) -> Size:
        """The (height, width) of the largest picture."""
        sizes = [(int(each.image.shape[1]), int(each.image.shape[2])) for each in self._pictures]
        return max(sizes, key=lambda size: size[0] * size[1])

    @property
    def shortest_edge(self) -> int:
        """The shortest edge of all pictures in pixels."""
        return min(min(each.image.shape[1:]) for each in self._pictures)

    def add(self, image: Tensor) -> None:
        """Adds a normal picture [C,H,W] uint8 or uint16."""
        outcome = predict(self._model, image, self._batch_tiles)
        over = outcome.anomaly_map > self._calibration.pixel_threshold
        self._pictures.append(_Picture(image, over, outcome.raw_score > self._calibration.image_threshold))
        self._bytes += image.nbytes + over.nbytes

    def require_some(self) -> None:
        """Raises InvalidDataset if there are no pictures."""
        if not self._pictures:
            raise InvalidDataset("none of the normal pictures could be read; name others by data.root")

    def try_mark(self, number: int, mark: Mark, cell: Roi, grid: Size, generator: Generator) -> Sight | None:
        """Draws a mark whose centre is in a cell of a grid over the picture of this number, and looks for it.

        None: the mark does not fit into the picture, the picture has a region there without a mark, or no print.
        """
        picture = self._pictures[number]
        place = _place(picture.image, mark, cell, grid, generator)
        if place is None or _part(picture.over, place, mark.edge).any():
            return None
        height, width = picture.image.shape[1:]
        window = _window(place, mark.edge, (height, width))
        marked = picture.image.clone()
        mask = draw_mark(marked, mark, place, generator)
        if mask is None:
            return None
        at = (place[0] + mark.edge / 2) / height, (place[1] + mark.edge / 2) / width
        return Sight(mark, at, self._finds(marked, mask, place, window))

    def _finds(self, marked: Tensor, mask: Tensor, place: Place, window: Roi) -> bool:
        roi = window if self._is_local(marked) else None
        outcome = predict(self._model, marked, self._batch_tiles, roi)
        top, left = (window.top, window.left) if roi else (0, 0)
        own = _part(outcome.anomaly_map, (place[0] - top, place[1] - left), mask.shape[0])
        over = (own > self._calibration.pixel_threshold) & mask
        return bool(over.any()) and outcome.raw_score > self._calibration.image_threshold

    def _is_local(self, picture: Tensor) -> bool:
        """Whether the score of a part is at most that of the whole picture, as the largest value is."""
        score = self._model.detector.map_score(picture.shape[1] * picture.shape[2])
        return not self._model.tiling.thumbnail and (score is None or isinstance(score, Largest))


def _place(image: Tensor, mark: Mark, cell: Roi, grid: Size, generator: Generator) -> Place | None:
    """The corner of a mark whose centre is at random in a cell, moved into the picture where it would leave it."""
    found = []
    edges = zip(image.shape[1:], grid, (cell.top, cell.left), strict=True)
    for (length, cells, first), share in zip(edges, torch.rand(2, generator=generator).tolist(), strict=True):
        if mark.edge > length:
            return None
        centre = (first + share) / cells * length
        found.append(min(max(round(centre - mark.edge / 2), 0), length - mark.edge))
    return found[0], found[1]


def _window(place: Place, edge: int, size: Size) -> Roi:
    """The square of a mark with its surroundings, within the picture."""
    (top, bottom), (left, right) = (
        (max(first - AROUND, 0), min(first + edge + AROUND, end)) for first, end in zip(place, size, strict=True)
    )
    return Roi(top, left, bottom - top, right - left)


def _part(values: Tensor, place: Place, edge: int) -> Tensor:
    return values[place[0] : place[0] + edge, place[1] : place[1] + edge]


def cells(grid: Size) -> Iterable[Roi]:
    """The cells of a grid, row by row, each as a rectangle of one cell."""
    return (Roi(row, column, 1, 1) for row in range(grid[0]) for column in range(grid[1]))
