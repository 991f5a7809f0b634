"""Connected components of the pixels of a map over a threshold, found band by band: no labels of the whole map."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

BAND_PIXELS = 2**20
"""The largest number of pixels that are labelled at once, but at least one row."""
_NEIGHBOURS = np.ones((3, 3))

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Piece:
    """The pixels over the threshold within a band of rows, in components of their own.

    window: the rows and columns of the map that contain these pixels
    labels: the number of each pixel's component, from 1 on; 0: not over the threshold
    count: the number of components
    """

    window: tuple[slice, slice]
    labels: NDArray[np.signedinteger]
    count: int

    def moved(self, rows: int) -> "Piece":
        """The same piece, this number of rows further down."""
        down, across = self.window
        return replace(self, window=(slice(down.start + rows, down.stop + rows), across))


@dataclass(frozen=True, slots=True)
class Components:
    """The components of the whole map, in the order of their first pixels, row by row.

    numbers: for each component of each piece, in their order, the number of its component of the map, from 0 on
    areas: the number of pixels of each component
    """

    numbers: Integers
    areas: Integers


def pieces(anomaly_map: NDArray[np.float32], threshold: float) -> Iterator[Piece]:
    """The pieces of a map [H,W], from top to bottom. Bands without a pixel over the threshold have none."""
    height, width = anomaly_map.shape
    step = max(1, BAND_PIXELS // max(1, width))
    for top in range(0, height, step):
        over = anomaly_map[top : top + step] > threshold
        rows, columns = np.flatnonzero(over.any(1)), np.flatnonzero(over.any(0))
        if len(rows):
            down, across = (slice(int(each[0]), int(each[-1]) + 1) for each in (rows, columns))
            labels, count = ndimage.label(over[down, across], structure=_NEIGHBOURS)
            yield Piece((slice(top + down.start, top + down.stop), across), labels, count)


class Joining:
    """Joins the components of pieces, which are added from top to bottom, where they touch at the edge of a band."""

    def __init__(self) -> None:
        self._count = 0
        self._last: tuple[Piece, int] | None = None  # the piece before, and the number of its first component
        self._pairs: list[Integers] = []  # components that touch, [2,n] each
        self._areas: list[Integers] = []

    def add(self, piece: Piece) -> None:
        """Takes the next piece."""
        if self._last is not None and self._last[0].window[0].stop == piece.window[0].start:
            self._pairs.append(touching(*self._last, piece, self._count))
        self._last = piece, self._count
        self._areas.append(np.bincount(piece.labels.ravel(), minlength=piece.count + 1)[1:])
        self._count += piece.count

    def finish(self) -> Components:
        """The components of all pieces together."""
        areas = np.concatenate([np.zeros(0, np.int64), *self._areas])
        above, below = np.concatenate([np.zeros((2, 0), np.int64), *self._pairs], 1)
        graph = coo_array((np.ones(len(above), np.bool_), (above, below)), (self._count, self._count))
        count, found = connected_components(graph, directed=False) if self._count else (0, np.zeros(0, np.int32))
        _, first, numbers = np.unique(found, return_index=True, return_inverse=True)
        rank = np.empty(count, np.int64)
        rank[np.argsort(first)] = np.arange(count)
        numbers = rank[numbers]
        joined = np.zeros(count, np.int64)
        np.add.at(joined, numbers, areas)
        return Components(numbers, joined)


def components(anomaly_map: NDArray[np.float32], threshold: float) -> Components:
    """The components of a map [H,W]."""
    joining = Joining()
    for piece in pieces(anomaly_map, threshold):
        joining.add(piece)
    return joining.finish()


def touching(above: Piece, first_above: int, below: Piece, first_below: int) -> Integers:
    """The pairs [2,n] of components of two pieces that touch, also at corners, each pair once.

    The components of each piece have numbers from `first_above` and `first_below` on.
    """
    left = min(above.window[1].start, below.window[1].start)
    right = max(above.window[1].stop, below.window[1].stop)
    upper, lower = np.zeros((2, right - left + 2), np.int64)  # one column more at each side
    for row, piece, labels, first in (
        (upper, above, above.labels[-1], first_above),
        (lower, below, below.labels[0], first_below),
    ):
        begin = piece.window[1].start - left + 1
        row[begin : begin + len(labels)] = np.where(labels, labels.astype(np.int64) + first, 0)
    shifted = [np.stack([upper[1 + shift : len(upper) - 1 + shift], lower[1:-1]]) for shift in (-1, 0, 1)]
    pairs = np.concatenate(shifted, 1)
    pairs = pairs[:, (pairs > 0).all(0)] - 1
    repeated = np.zeros(pairs.shape[1], np.bool_)
    repeated[1:] = (pairs[:, 1:] == pairs[:, :-1]).all(0)  # along runs; few are left to be sorted
    return np.unique(pairs[:, ~repeated], axis=1)
