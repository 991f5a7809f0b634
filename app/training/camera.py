"""The statistics of a training's pictures, by which a server tells whether the camera is still the same."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from torch import Tensor

from app.artifacts import BaselineRecord
from app.drift import MOST_PICTURES, WHOLE, Appearance, appearance, baseline_of, grid_of, map_levels
from app.pipeline import Outcome, TiledModel
from app.tiling import Size


@dataclass(slots=True)
class Levels:
    """The statistics of maps on a grid of positions; `grid` is None before the first map."""

    grid: Size | None = None
    maps: list[Appearance] = field(default_factory=list)

    def add(self, model: TiledModel, outcome: Outcome) -> None:
        """Adds the map of a picture that the model was not fitted to."""
        height, width = outcome.anomaly_map.shape
        self.grid = self.grid or grid_for(model, (height, width))
        if len(self.maps) < MOST_PICTURES:
            self.maps.append(map_levels(outcome.anomaly_map, outcome.raw_score, self.grid))


class CameraPictures:
    """The statistics of the pictures that have been read, each picture once, at most MOST_PICTURES."""

    def __init__(self, model: TiledModel) -> None:
        self._model = model
        self._grid: Size | None = None
        self._seen: dict[int, Appearance] = {}

    def watch(self, numbered: Iterable[tuple[int, Tensor]]) -> Iterator[tuple[int, Tensor]]:
        """Yields numbers and pictures [C,H,W] as they come, and keeps the statistics of each picture."""
        for number, picture in numbered:
            if number not in self._seen and len(self._seen) < MOST_PICTURES:
                self._grid = self._grid or grid_for(self._model, (picture.shape[-2], picture.shape[-1]))
                self._seen[number] = appearance(picture, self._grid)
            yield number, picture

    def baseline(self, levels: Levels) -> BaselineRecord | None:
        """The baseline of these pictures and maps; None: there are too few.

        Positions of maps are left out if the pictures have other positions, because their sizes differ.
        """
        grid = self._grid or levels.grid
        if grid is None:
            return None
        maps = levels.maps
        if levels.grid != grid:
            maps = [{name: value for name, value in each.items() if name in WHOLE} for each in maps]
        found = baseline_of(grid, list(self._seen.values()), maps)
        return None if found is None else BaselineRecord.of(found)


def grid_for(model: TiledModel, size: Size) -> Size:
    """The (rows, columns) of positions of a model's pictures of this size."""
    return grid_of(model.tiling.enable, model.tiling.stride, model.preprocessing.target_size(*size))
