"""Defect regions: the connected parts of a map over a threshold, whole or row by row."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from app.scoring.components import Joining, Piece, components, pieces, touching
from app.scoring.outlines import Outline, Tracer

TRACED_PIXELS = 2**17
"""The largest number of pixels whose outlines are traced at once: up to two corners a pixel, and 200 bytes a corner."""


@dataclass(frozen=True, slots=True)
class Region:
    """Connected pixels (8 neighbours) over a threshold. Positions and sizes are in pixels of the map.

    top, left, height, width: the bounding box
    area: the number of connected pixels
    peak_value: the highest map value
    peak: the (row, column) of the highest map value
    """

    top: int
    left: int
    height: int
    width: int
    area: int
    peak_value: float
    peak: tuple[int, int]


@dataclass(frozen=True, slots=True)
class OutlinedRegion:
    """A region with its outline, in pixels of the map."""

    region: Region
    outline: Outline


def region_masks(
    bands: Callable[[], Iterable[NDArray[np.float32]]], threshold: float, min_area: int = 1
) -> Iterator[NDArray[np.bool_]]:
    """The mask [n,W] of the regions that `find_regions` finds, for each band of rows of a map.

    `bands` yields the bands from top to bottom, the same each time. It is called twice unless `min_area` is 1, because
    a region's area is known only after its last row.
    """
    kept = _large_enough(bands(), threshold, min_area) if min_area > 1 else None
    numbered = 0
    for band in bands():
        over: NDArray[np.bool_] = band > threshold
        if kept is not None:
            for piece in pieces(band, threshold):
                own = np.concatenate([[False], kept[numbered : numbered + piece.count]])
                over[piece.window] = own[piece.labels]
                numbered += piece.count
        yield over


def _large_enough(bands: Iterable[NDArray[np.float32]], threshold: float, min_area: int) -> NDArray[np.bool_]:
    """For each component of each piece of the bands, whether its region has this area."""
    joining, added = Joining(), 0
    for band in bands:
        for piece in pieces(band, threshold):
            joining.add(piece.moved(added))
        added += len(band)
    found = joining.finish()
    enough: NDArray[np.bool_] = found.areas[found.numbers] >= min_area
    return enough


def over_threshold(anomaly_map: NDArray[np.float32], threshold: float, min_area: int = 1) -> NDArray[np.bool_]:
    """The mask [H,W] of the regions that `find_regions` finds with the same arguments."""
    return next(region_masks(lambda: [anomaly_map], threshold, min_area))


def find_regions(anomaly_map: NDArray[np.float32], threshold: float, min_area: int = 1) -> list[Region]:
    """The regions of a map [H,W] whose values exceed `threshold`, of at least `min_area` pixels, highest peak first."""
    finder = RegionFinder(threshold, min_area)
    finder.add(anomaly_map)
    return finder.finish()


def outlined_regions(
    bands: Iterable[NDArray[np.float32]], threshold: float, min_area: int, most_points: int
) -> Iterator[OutlinedRegion]:
    """The regions that `find_regions` finds, with their outlines, for a map that comes in bands of rows.

    They come in the order of their last rows, and of their first pixels within a row, whatever the bands are. Raises
    TooManyPoints if outlines of more than `most_points` points are needed at once, see Tracer.
    """
    finder = RegionFinder(threshold, min_area, Tracer(most_points))
    for band in bands:
        step = max(1, TRACED_PIXELS // max(1, band.shape[1]))
        for top in range(0, len(band), step):
            finder.add(band[top : top + step])
            yield from finder.outlined()
    finder.end()
    yield from finder.outlined()


def region_areas(anomaly_map: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """The areas, [n] in pixels, of the regions that `find_regions` finds with the same arguments, in another order."""
    return components(anomaly_map, threshold).areas


Parts = NDArray[np.void]
"""Components, or parts of them: [n] of `_PART`."""

_PART = np.dtype(
    [
        *((name, np.int64) for name in ("number", "top", "left", "bottom", "right", "row", "column", "area")),
        ("value", np.float32),
    ]
)
"""The number of a component in the order of first pixels, row by row; its box; its peak's place; its area and peak."""


class RegionFinder:
    """Finds the regions of a map whose rows are added from top to bottom.

    Memory holds the regions that were found, and those that reach the last row that was added. With a tracer, regions
    have outlines: ask for `outlined` instead of `final`, and `end` the map before the last call.
    """

    def __init__(self, threshold: float, min_area: int = 1, tracer: Tracer | None = None) -> None:
        self._threshold, self._min_area, self._tracer = threshold, min_area, tracer
        self._rows = self._count = 0
        self._last: Piece | None = None  # the piece that reaches the last row, if there is one
        self._open: NDArray[np.signedinteger] = np.zeros(
            0, np.int64
        )  # for each of its components, the place of its part in `_parts`
        self._parts = np.zeros(0, _PART)  # of regions that reach the last row
        self._found: list[Parts] = []
        self._outlines: list[Outline] = []  # of all parts in `_found`, in their order

    def add(self, anomaly_map: NDArray[np.float32]) -> None:
        """Takes the next rows [n,W]."""
        for piece in pieces(anomaly_map, self._threshold):
            self._take(piece, anomaly_map[piece.window])
        self._rows += len(anomaly_map)
        if self._last is not None and self._last.window[0].stop != self._rows:
            self.end()

    def final(self) -> list[Region]:
        """The regions that no later row can change, each returned once; highest peak first."""
        found, self._found = np.concatenate([np.zeros(0, _PART), *self._found]), []
        return _regions(found[np.lexsort((found["number"], -found["value"]))])

    def cut(self, longest: int) -> list[Region]:
        """Ends the regions that reach the last row and have at least `longest` rows, and returns them.

        What touches them below begins another region. So a map without an end has no region without an end.
        """
        long: NDArray[np.bool_] = self._rows - self._parts["top"] >= longest
        if not long.any():
            return []
        assert self._last is not None
        labels = self._last.labels.copy()
        below = labels[-1]
        below[np.concatenate([[False], long[self._open]])[below]] = 0
        self._last = replace(self._last, labels=labels)
        found, self._found = self._found, []
        self._close(long)
        cut, self._found = self.final(), found
        return cut

    def outlined(self) -> list[OutlinedRegion]:
        """The regions that `final` would return, with outlines; by their last rows, and by their first pixels."""
        found, self._found = np.concatenate([np.zeros(0, _PART), *self._found]), []
        outlines, self._outlines = self._outlines, []
        order = np.lexsort((found["number"], found["bottom"]))
        regions = _regions(found[order])
        return [OutlinedRegion(region, outlines[at]) for region, at in zip(regions, order, strict=True)]

    def end(self) -> None:
        """Ends all regions at the last row that was added."""
        if self._tracer is not None:
            self._tracer.end()
        self._close(np.ones(len(self._parts), np.bool_))

    def finish(self) -> list[Region]:
        """The regions that `final` did not return, after the last row; highest peak first."""
        self.end()
        return self.final()

    def _take(self, piece: Piece, values: NDArray[np.float32]) -> None:
        """Joins the components of the next piece with those that touch it, and closes all that do not reach its end."""
        piece = piece.moved(self._rows)
        before = len(self._parts)
        parts = np.concatenate([self._parts, _described(piece, values, self._count)])
        self._count += piece.count
        pairs = np.zeros((2, 0), np.int64)
        if self._last is not None and self._last.window[0].stop == piece.window[0].start:
            above, below = touching(self._last, 0, piece, 0)
            pairs = np.stack([self._open[above], below + before])
        graph = coo_array((np.ones(pairs.shape[1], np.bool_), (pairs[0], pairs[1])), (len(parts), len(parts)))
        _, group = connected_components(graph, directed=False)
        self._parts = _joined(parts, group)
        self._last, self._open = piece, group[before:]
        if self._tracer is not None:
            self._tracer.take(piece, group.astype(np.int64))
        reaching = np.zeros(len(self._parts), np.bool_)
        at_end = np.unique(piece.labels[-1])
        reaching[self._open[at_end[at_end > 0] - 1]] = True
        self._close(~reaching)

    def _close(self, closed: NDArray[np.bool_]) -> None:
        """Moves these parts to the regions that were found, if they are large enough."""
        kept = closed & (self._parts["area"] >= self._min_area)
        if kept.any():
            self._found.append(self._parts[kept])
        if self._tracer is not None:
            self._outlines += self._tracer.close(closed, kept)
        places = np.cumsum(~closed) - 1  # of closed parts: any, because nothing touches their components
        self._parts = self._parts[~closed]
        self._open = places[self._open] if len(self._parts) else self._open
        if not len(self._parts):
            self._last = None


def _described(piece: Piece, values: NDArray[np.float32], first: int) -> Parts:
    """The components of a piece, numbered from `first` on, with the map's values in the piece's window."""
    down, across = piece.window
    found = np.zeros(piece.count, _PART)
    found["number"] = np.arange(first, first + piece.count)
    boxes = ndimage.find_objects(piece.labels)
    found["top"], found["bottom"] = np.array([(box[0].start, box[0].stop) for box in boxes]).T + down.start
    found["left"], found["right"] = np.array([(box[1].start, box[1].stop) for box in boxes]).T + across.start
    places = np.flatnonzero(piece.labels)
    labels, own = piece.labels.ravel()[places] - 1, values.ravel()[places]
    peaks = np.full(piece.count, -np.inf, np.float32)
    np.maximum.at(peaks, labels, own)
    highest = np.flatnonzero(own == peaks[labels])
    _, leading = np.unique(labels[highest], return_index=True)  # the first of equal peaks, row by row
    rows, columns = np.divmod(places[highest[leading]], piece.labels.shape[1])
    found["row"], found["column"], found["value"] = rows + down.start, columns + across.start, peaks
    found["area"] = np.bincount(labels, minlength=piece.count)
    return found


def _joined(parts: Parts, group: NDArray[np.int32]) -> Parts:
    """One part for each group of parts; `group` has the number of each part's group."""
    order = np.lexsort((parts["column"], parts["row"], -parts["value"], group))
    _, leading = np.unique(group[order], return_index=True)
    found = parts[order[leading]]  # with the highest peak, and the first of equal ones
    for name in ("number", "top", "left"):
        np.minimum.at(found[name], group, parts[name])
    for name in ("bottom", "right"):
        np.maximum.at(found[name], group, parts[name])
    found["area"] = np.bincount(group, parts["area"], len(found)).astype(np.int64)
    return found


def _regions(parts: Parts) -> list[Region]:
    return [
        Region(
            int(part["top"]),
            int(part["left"]),
            int(part["bottom"] - part["top"]),
            int(part["right"] - part["left"]),
            int(part["area"]),
            float(part["value"]),
            (int(part["row"]), int(part["column"])),
        )
        for part in parts
    ]
