"""Defect regions: the connected parts of a map over a threshold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


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


_NEIGHBOURS = np.ones((3, 3))


def over_threshold(anomaly_map: NDArray[np.float32], threshold: float, min_area: int = 1) -> NDArray[np.bool_]:
    """The mask [H,W] of the regions that `find_regions` finds with the same arguments."""
    over: NDArray[np.bool_] = anomaly_map > threshold
    window = _window(over)
    if min_area > 1 and window is not None:
        labels, _ = ndimage.label(over[window], structure=_NEIGHBOURS)
        kept = np.bincount(labels.ravel()) >= min_area
        kept[0] = False
        over[window] = kept[labels]
    return over


def find_regions(anomaly_map: NDArray[np.float32], threshold: float, min_area: int = 1) -> list[Region]:
    """The regions of a map [H,W] whose values exceed `threshold`, of at least `min_area` pixels, highest peak first."""
    over = anomaly_map > threshold
    window = _window(over)
    if window is None:
        return []
    top, left = window[0].start, window[1].start
    values = anomaly_map[window]
    labels, _ = ndimage.label(over[window], structure=_NEIGHBOURS)
    regions = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[box] == number
        area = int(inside.sum())
        if area < min_area:
            continue
        shown = np.where(inside, values[box], -np.inf)
        row, column = np.unravel_index(int(shown.argmax()), shown.shape)
        first_row, first_column = top + box[0].start, left + box[1].start
        regions.append(
            Region(
                first_row,
                first_column,
                shown.shape[0],
                shown.shape[1],
                area,
                float(shown.max()),
                (first_row + int(row), first_column + int(column)),
            )
        )
    return sorted(regions, key=lambda region: region.peak_value, reverse=True)


def region_areas(anomaly_map: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """The areas, [n] in pixels, of the regions that `find_regions` finds with the same arguments, in another order."""
    over = anomaly_map > threshold
    window = _window(over)
    if window is None:
        return np.zeros(0, np.int64)
    labels, _ = ndimage.label(over[window], structure=_NEIGHBOURS)
    return np.bincount(labels.ravel())[1:]


def _window(over: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The smallest window that contains all set pixels; None if no pixel is set.

    Labelling only the window saves memory: labels take four bytes a pixel.
    """
    rows, columns = np.flatnonzero(over.any(1)), np.flatnonzero(over.any(0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
