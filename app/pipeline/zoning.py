"""Applies a model's zones to the map and the score of one picture.

The value of a place in a zone is divided by the zone's threshold, as a multiple of the model's. So all that compares
values with the model's threshold compares them with the zone's: regions, masks, scores, and what is drawn. Values in
ignored areas become the lowest: no threshold is under it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from app.pipeline.roi import View
from app.scoring import Calibration
from app.tiling import Size
from app.zones import Lattice, Level, Zones, counted_points, factors

STEP_VALUES = 2**18
"""The largest number of values of a map that are changed at once, but at least one row."""


@dataclass(frozen=True, slots=True)
class Zoning:
    """The zones of a model for pictures of one size.

    size: the (height, width) at which pictures are tiled
    lowest: the raw value that stands for a normalised 0, or 0 if that is lower, by level
    """

    zones: Zones
    size: Size
    lowest: dict[Level, float]

    @classmethod
    def of(cls, zones: Zones | None, calibration: Calibration | None, size: Size) -> "Zoning | None":
        """None: there are no zones."""
        if zones is None:
            return None
        if calibration is None:
            return cls(zones, size, {"image": 0.0, "pixel": 0.0})
        lowest = min(calibration.raw_score(0.0), 0.0), min(calibration.raw_value(0.0), 0.0)
        return cls(zones, size, {"image": lowest[0], "pixel": lowest[1]})

    def counted(self, view: View) -> int:
        """The number of values of the map in this view that are not ignored."""
        return counted_points(self.zones, Lattice.of_pixels(view.rows, view.columns, self.size))

    def steps(self, found: Tensor, first: Size, size: Size) -> Iterator[tuple[Tensor, Lattice]]:
        """The rows of a map [n,w], some at a time, and their places in a map of `size`; `first`: that of the first."""
        columns = range(first[1], first[1] + found.shape[1])
        top = first[0]
        for rows in torch.split(found, max(1, STEP_VALUES // found.shape[1])):
            yield rows, Lattice.of_pixels(range(top, top + len(rows)), columns, size)
            top += len(rows)

    def apply(self, values: Tensor, lattice: Lattice, level: Level) -> None:
        """Changes values of a map [h,w] in place."""
        by = _factors(self.zones, lattice, level, values.device)
        if by is not None:
            values.mul_(by)
            if self.lowest[level]:
                values.masked_fill_(by == 0, self.lowest[level])

    def scored(self, values: Tensor, lattice: Lattice) -> Tensor:
        """Values of a map [h,w], as they count for the score: a new tensor, or the same one if no zone changes it."""
        if _factors(self.zones, lattice, "image", values.device) is None:
            return values
        values = values.clone()
        self.apply(values, lattice, "image")
        return values

    def cells(
        self, rows: range, columns: range, cells_per_pixel: tuple[float, float], device: torch.device
    ) -> Tensor | None:
        """The factors [h,w] of the distances of these cells for the score; None: all are 1. See Detector.measure."""
        return _factors(self.zones, Lattice.of_cells(rows, columns, self.size, cells_per_pixel), "image", device)

    def score(self, score: Tensor) -> Tensor:
        """The score; if no cell of the picture counts, which is -1 then, the lowest."""
        return torch.where(score < 0, self.lowest["image"], score)


@lru_cache(maxsize=64)  # of at most STEP_VALUES numbers each: cameras send pictures of one size
def _factors(zones: Zones, lattice: Lattice, level: Level, device: torch.device) -> Tensor | None:
    found = factors(zones, lattice, level)
    if found is None:
        return None
    with torch.inference_mode(False):  # training uses the cached tensor, too
        return torch.from_numpy(found).to(device)
