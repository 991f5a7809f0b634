"""Divides the features of a picture into parts that are measured at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from app.detectors import Features
from app.errors import InvalidTiling
from app.tiling import Kept, Size, Stitcher, TilePlan


@dataclass(frozen=True, slots=True)
class Part:
    """n parts of a picture, of one size."""

    features: Features  # [n,C,h,w] each
    places: tuple[Size, ...]  # the positions of the parts on the canvas, in pixels


class FeatureStitcher:
    """Stitches the features of a picture's tiles. Yields complete rows of a strip, and the cell at which they begin.

    `kept` has an entry for each feature, see Stitcher; None: the plan has all rows of tiles.
    """

    def __init__(self, plan: TilePlan, kept: Sequence[Kept] | None = None) -> None:
        self._plan, self._kept = plan, kept
        self._stitchers: list[Stitcher] = []

    def add(self, features: Features) -> Iterator[tuple[Features, tuple[int, int]]]:
        """Takes the next tiles' features, [n,C,h,w] each, and yields rows [C,rows,w] each with their (top, left).

        The first feature's cells are counted. Rows are valid until the generator continues.
        """
        if not self._stitchers:
            kept = [None for _ in features] if self._kept is None else self._kept
            self._stitchers = [Stitcher(self._plan, own) for own in kept]
        streams = [stitcher.add(feature) for stitcher, feature in zip(self._stitchers, features, strict=True)]
        for bands in zip(*streams, strict=True):
            yield tuple(band.rows for band in bands), (bands[0].top, bands[0].left)


class PartMaker:
    """Makes parts from the features of a picture's tiles. Overlapping tiles are stitched first; disjoint tiles are not.

    With `whole_rows`, all tiles are stitched. `strides` are the strides of the features. A part has at most `cells`
    cells of the first feature, but at least one row of cells of the deepest layer. Cells that lie wholly in the padding
    belong to no part. `kept` has an entry for each feature, see Stitcher.
    """

    def __init__(
        self,
        plan: TilePlan,
        strides: Sequence[int],
        cells: int,
        whole_rows: bool = False,
        kept: Sequence[Kept] | None = None,
    ) -> None:
        self._plan, self._strides, self._cells = plan, tuple(strides), cells
        self._stitcher = FeatureStitcher(plan, kept)
        self._skips_stitching = plan.disjoint and not whole_rows
        self._next = 0

    def add(self, features: Features) -> Iterator[Part]:
        """Takes the next tiles' features, [n,C,h,w] each. A part is valid until the generator continues."""
        whole = self._tiles(features) if self._skips_stitching else self._bands(features)
        for part in whole:
            yield from self._split(part)

    def _tiles(self, features: Features) -> Iterator[Part]:
        """Parts of tiles without their halo, for each run of tiles with their visible cells at the same place."""
        plan, first = self._plan, self._next
        self._next += len(features[0])
        if self._next > plan.in_grid:
            raise InvalidTiling(f"got {self._next} tiles, the plan has {plan.in_grid}")
        for (size, context), group in groupby(
            range(first, self._next), lambda index: (plan.shown(index), plan.context(index))
        ):
            indices = list(group)
            own = slice(indices[0] - first, indices[-1] - first + 1)
            pairs = zip(features, self._strides, strict=True)
            shown = tuple(feature[own, :, *_inside(size, context, stride)] for feature, stride in pairs)
            yield Part(shown, tuple(plan.place(index) for index in indices))

    def _bands(self, features: Features) -> Iterator[Part]:
        stride, (y, x) = self._strides[0], self._plan.origin
        for rows, (top, left) in self._stitcher.add(features):
            yield Part(tuple(each.unsqueeze(0) for each in rows), ((y + top * stride, x + left * stride),))

    def _split(self, part: Part) -> Iterator[Part]:
        height, width = part.features[0].shape[-2:]
        at_once, count = self._cells // (height * width), len(part.places)
        if at_once >= count:
            yield part
        elif at_once:
            for first in range(0, count, at_once):
                own = slice(first, first + at_once)
                yield Part(tuple(each[own] for each in part.features), part.places[own])
        else:
            for number in range(count):
                yield from self._rows(part, number, height, width)

    def _rows(self, part: Part, number: int, height: int, width: int) -> Iterator[Part]:
        """Divides one of the parts into bands of rows with whole cells of every layer."""
        (top, left), deepest = part.places[number], max(self._strides)
        step = max(self._cells * self._strides[0] // (width * deepest), 1) * deepest  # pixels
        for offset in range(0, height * self._strides[0], step):
            pairs = zip(part.features, self._strides, strict=True)
            rows = tuple(
                each[number : number + 1, :, offset // stride : (offset + step) // stride] for each, stride in pairs
            )
            yield Part(rows, ((top + offset, left),))


def _inside(size: Size, context: Size, stride: int) -> tuple[slice, slice]:
    """The rows and columns of a tile's cells that show the picture, for a tile that shows this size of it.

    context: the pixels above and to the left of the tile in its window
    """
    pairs = zip(context, size, strict=True)
    rows, columns = (slice(before // stride, before // stride - -edge // stride) for before, edge in pairs)
    return rows, columns
