"""Defect regions: the connected parts of a map over a threshold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from app.scoring.components import Components, Joining, Piece, components, pieces


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


def over_threshold(anomaly_map: NDArray[np.float32], threshold: float, min_area: int = 1) -> NDArray[np.bool_]:
    """The mask [H,W] of the regions that `find_regions` finds with the same arguments."""
    over: NDArray[np.bool_] = anomaly_map > threshold
    if min_area > 1:
        found = components(anomaly_map, threshold)
        kept, first = found.areas[found.numbers] >= min_area, 0
        for piece in pieces(anomaly_map, threshold):
            own = np.concatenate([[False], kept[first : first + piece.count]])
            over[piece.window] = own[piece.labels]
            first += piece.count
    return over


def find_regions(anomaly_map: NDArray[np.float32], threshold: float, min_area: int = 1) -> list[Region]:
    """The regions of a map [H,W] whose values exceed `threshold`, of at least `min_area` pixels, highest peak first."""
    joining, parts = Joining(), []
    for piece in pieces(anomaly_map, threshold):
        joining.add(piece)
        parts.append(_described(piece, anomaly_map))
    if not parts:
        return []
    regions = _joined(np.concatenate(parts), joining.finish(), min_area)
    return sorted(regions, key=lambda region: region.peak_value, reverse=True)


def region_areas(anomaly_map: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """The areas, [n] in pixels, of the regions that `find_regions` finds with the same arguments, in another order."""
    return components(anomaly_map, threshold).areas


_PART = np.dtype(
    [*((name, np.int64) for name in ("top", "left", "bottom", "right", "row", "column")), ("value", np.float32)]
)
"""The box of a component, and the place and value of its peak."""


def _described(piece: Piece, anomaly_map: NDArray[np.float32]) -> NDArray[np.void]:
    """The components of a piece: [count] of `_PART`, in pixels of the map."""
    down, across = piece.window
    found = np.zeros(piece.count, _PART)
    boxes = ndimage.find_objects(piece.labels)
    found["top"], found["bottom"] = np.array([(box[0].start, box[0].stop) for box in boxes]).T + down.start
    found["left"], found["right"] = np.array([(box[1].start, box[1].stop) for box in boxes]).T + across.start
    places = np.flatnonzero(piece.labels)
    labels, values = piece.labels.ravel()[places] - 1, anomaly_map[piece.window].ravel()[places]
    peaks = np.full(piece.count, -np.inf, np.float32)
    np.maximum.at(peaks, labels, values)
    highest = np.flatnonzero(values == peaks[labels])
    _, first = np.unique(labels[highest], return_index=True)  # the first of equal peaks, row by row
    rows, columns = np.divmod(places[highest[first]], piece.labels.shape[1])
    found["row"], found["column"], found["value"] = rows + down.start, columns + across.start, peaks
    return found


def _joined(parts: NDArray[np.void], found: Components, min_area: int) -> list[Region]:
    """The regions of at least `min_area` pixels, from their parts in all pieces."""
    count, own = len(found.areas), found.numbers
    tops, lefts = (np.full(count, np.iinfo(np.int64).max) for _ in range(2))
    bottoms, rights = np.zeros((2, count), np.int64)
    for whole, name, extreme in (
        (tops, "top", np.minimum),
        (lefts, "left", np.minimum),
        (bottoms, "bottom", np.maximum),
        (rights, "right", np.maximum),
    ):
        extreme.at(whole, own, parts[name])
    order = np.lexsort((parts["column"], parts["row"], -parts["value"], own))
    peaks = parts[order[np.unique(own[order], return_index=True)[1]]]
    return [
        Region(
            int(tops[number]),
            int(lefts[number]),
            int(bottoms[number] - tops[number]),
            int(rights[number] - lefts[number]),
            int(found.areas[number]),
            float(peaks["value"][number]),
            (int(peaks["row"][number]), int(peaks["column"][number])),
        )
        for number in np.flatnonzero(found.areas >= min_area)
    ]
